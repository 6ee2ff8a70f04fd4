"""RDFC-1.0 and expansion beside two libraries that nobody here wrote; plans beside expansion without them."""

import copy
import json
from typing import Any

import pyoxigraph
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyld.canon import URDNA2015
from pyld.jsonld import JsonLdProcessor

from registry.core.errors import InputError
from registry.standards.contexts import pinned_contexts
from registry.standards.proofs.expanding import Expander
from registry.standards.proofs.jsonld import to_quads
from registry.standards.proofs.rdfc import Quad, TooComplex, canonicalize_quads, literal_text

NODES = [*(f"_:b{i}" for i in range(5)), "<https://example.org/a>", "<https://example.org/b>"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
QUADS = st.lists(
    st.tuples(
        st.sampled_from(NODES),
        st.sampled_from(["<https://example.org/p>", "<https://example.org/q>"]),
        st.one_of(st.sampled_from(NODES), TEXT.map(literal_text), TEXT.map(lambda text: literal_text(text, "urn:t"))),
        st.sampled_from(["", "", "_:b0", "<https://example.org/g>"]),
    ),
    max_size=14,
)


def text_of(quads: list[Quad]) -> str:
    return "".join(" ".join(part for part in quad if part) + " .\n" for quad in quads)


@settings(max_examples=80, deadline=None)
@given(QUADS)
def test_as_pyoxigraph_does(quads: list[Quad]) -> None:
    dataset = pyoxigraph.Dataset(pyoxigraph.parse(text_of(quads), format=pyoxigraph.RdfFormat.N_QUADS))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    expected = pyoxigraph.Dataset(pyoxigraph.parse(canonicalize_quads(quads), format=pyoxigraph.RdfFormat.N_QUADS))
    assert set(dataset) == set(expected)


def nodes_once(quad: Quad) -> bool:
    nodes = [term for term in (quad[0], quad[2], quad[3]) if term.startswith("_:")]
    return len(nodes) == len(set(nodes))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NODES),
            st.sampled_from(["<https://example.org/p>", "<https://example.org/q>"]),
            st.sampled_from([*NODES, literal_text("a"), literal_text("b", "urn:t"), literal_text("c", "", "en")]),
            st.sampled_from(["", "", "_:b0", "<https://example.org/g>"]),
        ).filter(nodes_once),
        max_size=14,
    )
)
def test_as_pyld_does(quads: list[Quad]) -> None:
    """But for a blank node twice in one quad, which pyld counts twice, against section 4.4.3 step 2.1."""
    dataset = JsonLdProcessor.parse_nquads(text_of(list(dict.fromkeys(quads))).replace("_:b", "_:x"))
    assert URDNA2015().main(dataset, {"format": "application/n-quads"}).encode() == canonicalize_quads(quads)


@settings(max_examples=100, deadline=None)
@given(QUADS, st.permutations(range(5)), st.randoms())
def test_names_and_order_do_not_matter(quads: list[Quad], order: list[int], random: Any) -> None:
    names = {f"_:b{i}": f"_:b{j}" for i, j in enumerate(order)}
    renamed = [tuple(names.get(term, term) for term in quad) for quad in quads]
    random.shuffle(renamed)
    assert canonicalize_quads(renamed) == canonicalize_quads(quads)  # type: ignore[arg-type]


def test_control_characters_are_escaped() -> None:
    quad = ("<urn:s>", "<urn:p>", literal_text('\x00\x08\t\n\x0b\x0c\r\x1f\x7f\\"é'), "")
    expected = '<urn:s> <urn:p> "\\u0000\\b\\t\\n\\u000B\\f\\r\\u001F\\u007F\\\\\\"é" .\n'
    assert canonicalize_quads([quad]).decode() == expected


@pytest.mark.parametrize("size", [8, 12, 40])
def test_cliques_are_given_up(size: int) -> None:
    quads = [(f"_:b{i}", "<urn:p>", f"_:b{j}", "") for i in range(size) for j in range(size) if i != j]
    with pytest.raises(TooComplex):
        canonicalize_quads(quads)


def test_long_chain_of_equals_is_given_up_or_done() -> None:
    ring = [(f"_:b{i}", "<urn:p>", f"_:b{(i + 1) % 600}", "") for i in range(600)]
    with pytest.raises(TooComplex):
        canonicalize_quads(ring)


@pytest.mark.parametrize("keyword", ["@vocab", "@language", "@direction"])
def test_what_is_not_set_can_be_unset(keyword: str) -> None:
    with_null = {"@context": [{"name": "urn:name"}, {keyword: None}], "name": "A"}
    assert to_quads(with_null, pinned_contexts()).quads == (("_:b0", "<urn:name>", literal_text("A"), ""),)


def test_expansion_as_pyoxigraph_does(badge: dict[str, Any]) -> None:
    contexts = pinned_contexts()
    inlined = {**badge, "@context": [contexts.load(url)["@context"] for url in badge["@context"]]}
    dataset = pyoxigraph.Dataset(pyoxigraph.parse(json.dumps(inlined), format=pyoxigraph.RdfFormat.JSON_LD))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    ours = canonicalize_quads(to_quads(badge, contexts).quads)
    assert "".join(sorted(f"{quad} .\n" for quad in dataset)).encode() == ours


# --- plans ----------------------------------------------------------------------------------------------------------

ODD = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "@id", "@type", "_:b0", "https://example.edu/x", "did:web:example.edu", "urn:uuid:1", "name", "en", "5",
            "1e3", "VerifiableCredential", "2026-01-01T00:00:00Z", "https:x", "trial 3", "urn:trial:1", "Achievement",
            'quote"^^<urn:x>', "", "https://example.edu/a b", "did:", "http://", "\u2028",
        ]
    ),
)  # fmt: skip


def strings_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, str):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, below in items if key != "@context" for found in strings_of(below, (*path, key))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_plans_give_what_expansion_gives(badge: dict[str, Any], data: st.DataObject) -> None:
    expander = Expander(pinned_contexts())
    for _ in range(2):
        expander.expand(badge)
    document = copy.deepcopy(badge)
    paths = strings_of(badge)
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=5, unique=True)):
        at: Any = document
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = data.draw(ODD)
    outcomes = []
    for expand in (expander.expand, lambda value: to_quads(value, pinned_contexts())):
        try:
            expansion = expand(document)
            outcomes.append((canonicalize_quads(expansion.quads), expansion.unmapped))
        except InputError as error:
            outcomes.append((str(error), type(error)))
    assert outcomes[0] == outcomes[1]


def test_a_plan_is_used(badge: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    expander = Expander(pinned_contexts())
    for _ in range(2):
        expander.expand(badge)
    monkeypatch.setattr("registry.standards.proofs.expanding.to_quads", None)
    other = copy.deepcopy(badge)
    other["id"] = "urn:uuid:00000000-0000-0000-0000-000000000001"
    other["credentialSubject"]["identifier"][0]["identityHash"] = 'sha256$"\\\n'
    quads = canonicalize_quads(expander.expand(other).quads)
    assert b'"sha256$\\"\\\\\\n"' in quads
    with pytest.raises(TypeError):  # another type is another plan
        expander.expand({**badge, "type": ["VerifiableCredential", "EndorsementCredential"]})
