"""Contexts: each is what was pinned, or is not known."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from registry.standards import contexts as module
from registry.standards.contexts import ContextError, Contexts, OpenBadges303, UnknownContext, pinned_contexts
from registry.standards.contexts.pins import OPEN_BADGES_3_0_3, PINS, Source

V2 = "https://www.w3.org/ns/credentials/v2"


@pytest.mark.parametrize("url", PINS)
def test_every_pin(url: str) -> None:
    assert "@context" in pinned_contexts().load(url)


def test_files_are_what_their_digests_say() -> None:
    folder = Path(module.__file__).parent / "data"
    own = {pin.file: pin.digest for pin in PINS.values() if pin.source is Source.OWN}
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == own


def test_as_published(reference_contexts: Path) -> None:
    published = {
        V2: "contexts/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2": "contexts/credentials/examples/v2",
        "https://www.w3.org/ns/credentials/undefined-terms/v2": "contexts/credentials/undefined-terms/v2",
        "https://www.w3.org/ns/credentials/status/v1": "contexts/status/v1.jsonld",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json": "ob3/context-3.0.1.json",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.2.json": "ob3/context-3.0.2.json",
        OPEN_BADGES_3_0_3: "ob3/context-3.0.3.json",
    }
    for url, path in published.items():
        assert pinned_contexts(OpenBadges303.FIRST).load(url) == json.loads((reference_contexts / path).read_bytes())


def test_two_documents_under_one_url() -> None:
    first, later = (pinned_contexts(which).load(OPEN_BADGES_3_0_3)["@context"] for which in OpenBadges303)
    assert later.keys() - first.keys() == {"endorsementJwt", "jti"}


@pytest.mark.parametrize("url", ["https://example.org/", f"{V2}/", V2.replace("https", "http"), V2.upper(), ""])
def test_not_known(url: str) -> None:
    assert url not in pinned_contexts()
    with pytest.raises(UnknownContext, match="not known"):
        pinned_contexts().load(url)


def test_file_that_differs() -> None:
    pins = {V2: replace(PINS[V2], digest="00" * 32)}
    with pytest.raises(UnknownContext, match="digest"):
        Contexts(pins).load(V2)


def test_file_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownContext, match="missing"):
        Contexts({V2: replace(PINS[V2], file="none.json")}).load(V2)
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(UnknownContext, match="install openbadgeslib"):
        Contexts(PINS).load(OPEN_BADGES_3_0_3)


def test_more_of_them() -> None:
    data = b'{"@context": {"a": "https://example.org/a"}}'
    digest = hashlib.sha256(b'{"@context":{"a":"https://example.org/a"}}').hexdigest()
    url = "https://example.org/context"
    more = pinned_contexts().extended({url: data}, {url: digest})
    assert more.load(url) == json.loads(data)
    assert url not in pinned_contexts()
    for documents, digests in [({url: data}, {}), ({url: b"[]"}, {url: digest}), ({V2: data}, {V2: digest})]:
        with pytest.raises(ContextError):
            pinned_contexts().extended(documents, digests)
