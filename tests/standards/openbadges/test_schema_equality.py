"""Our table and the official JSON Schemas accept and refuse the same documents."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest

from registry.standards.openbadges import DocumentClass, Fault, Rule, find_faults
from registry.standards.openbadges.classes import CLASSES
from support import badges

FOLDER = badges.REFERENCE / "ob3"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/reference/ob3 is not beside this checkout")

GOOD: dict[DocumentClass, dict[str, Any]] = {
    "AchievementCredential": badges.badge(),
    "EndorsementCredential": badges.endorsement(),
    "Profile": badges.profile(),
}
# What is put in the place of a value: every JSON type, edge cases of every pattern and list in the schemas.
STRANGERS: list[Any] = [
    None, True, False, 0, -1, 1.5, 3.0, 1e300, -0.0, "", " ", "x", "0", [], [[]], {}, [{}], [None], [1], ["x"],
    "ext:", "ext:a", "ext:-", "ext:|", "xext:a-b", "EXT:a", "ext:é", "MicroCredential", "microCredential", "name",
    "CTDL",     "en", "EN", "en-us", "en-US", "en-Latn-US", "en-419", "en-US\n", "deutsch", "a.b.c", "a..c", ".b.c",
    "a.b", "a.b.c\n",
    "Image", "IdentityObject", "IdentifierEntry", "GeoCoordinates", "Completed", "completed", "LetterGrade",
    "2026-02-30T00:00:00Z", "2026-02-28T00:00:00", "2026-02-28", "2024-02-29", "2023-02-29", "2026-02-28t00:00:00z",
    "2026-02-28T24:00:00Z", "2026-02-28T00:00:00+24:00", "2026-02-28T00:00:00.Z", "0000-01-01T00:00:00Z",
    "https://www.w3.org/ns/credentials/v2", "https://www.w3.org/2018/credentials/v1",
    "https://purl.imsglobal.org/spec/ob/v3p0/context.json", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.json",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1-3.0.2.json",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.٣.json",
    "https://purl.imsglobal.org/spec/ob/v3p0/context.json\n", "https://purl.imsglobal.org/spec/ob/v3p0/contextxjson",
    ["VerifiableCredential"], ["VerifiableCredential", "AchievementCredential"], ["OpenBadgeCredential"],
    ["EndorsementCredential", "VerifiableCredential", 1], ["Profile"], ["Profile", "Profile"], ["Achievement", None],
    ["https://www.w3.org/ns/credentials/v2"], {"id": "a", "type": "b"}, {"id": "a", "type": ["Profile"]},
    {"type": "x"}, {"type": "Image", "id": "x"}, {"narrative": 1}, "did:example:1",
]  # fmt: skip


def _oracle(name: DocumentClass, *, formats: bool) -> Any:
    schema = json.loads((FOLDER / f"ob_v3p0_{name.lower()}_schema.json").read_bytes())
    return jsonschema_rs.validator_for(schema, validate_formats=formats)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _change(document: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy in which the value at ``path`` is what ``change`` makes of it; all else is shared with the original."""
    if not path:
        return change(document)
    copied = copy.copy(document)
    copied[path[0]] = _change(document[path[0]], path[1:], change)
    return copied


def _put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    return _change(document, path, lambda _: value)


def _drop(document: Any, path: tuple[Any, ...]) -> Any:
    def without(holder: Any) -> Any:
        kept = copy.copy(holder)
        del kept[path[-1]]
        return kept

    return _change(document, path[:-1], without)


def _add(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """One member more: an unknown field, or a further item."""

    def more(holder: Any) -> Any:
        if isinstance(holder, dict):
            return {**holder, "unheardOf": value}
        return [*holder, value] if isinstance(holder, list) else holder

    return _change(document, path, more)


def _subject_to(faults: tuple[Fault, ...], rule: Rule) -> bool:
    return any(fault.rule is rule for fault in faults)


def test_the_good_documents_are_good_for_both() -> None:
    for name, document in GOOD.items():
        assert find_faults(document, name) == ()
        assert _oracle(name, formats=True).is_valid(document)


def test_the_good_badge_uses_every_field_of_the_table() -> None:
    used: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            used.update(value)
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(GOOD["AchievementCredential"])
    assert {name for item in CLASSES.values() for name in item.fields} <= used


@pytest.mark.parametrize("name", GOOD)
def test_single_changes(name: DocumentClass) -> None:
    """Every place of the document: taken out, added to, and replaced by strangers."""
    good, oracle, chance = GOOD[name], _oracle(name, formats=False), random.Random(7)
    tried = refused = 0
    for path in _places(good):
        variants = [_add(good, path, "x"), *([_drop(good, path)] if path else [])]
        variants += [_put(good, path, stranger) for stranger in chance.sample(STRANGERS, 5)]
        for variant in variants:
            faults = find_faults(variant, name, strict=False)
            assert (not faults) == oracle.is_valid(variant), (path, faults, json.dumps(variant)[:300])
            tried += 1
            refused += bool(faults)
    assert tried > 200
    assert tried / 4 < refused < tried


def test_every_stranger_in_every_kind_of_field() -> None:
    """One field of each name is enough here: the same name has the same kind wherever its class stands."""
    good, oracle = GOOD["AchievementCredential"], _oracle("AchievementCredential", formats=False)
    seen: set[tuple[Any, Any]] = set()
    tried = 0
    for path in _places(good):
        names = tuple(key for key in path if isinstance(key, str))[-2:]
        if (names, isinstance(path[-1] if path else "", int)) in seen:
            continue
        seen.add((names, isinstance(path[-1] if path else "", int)))
        for stranger in STRANGERS:
            variant = _put(good, path, stranger)
            faults = find_faults(variant, strict=False)
            assert (not faults) == oracle.is_valid(variant), (path, stranger, faults)
            tried += 1
    assert tried > 8000


@pytest.mark.parametrize("name", GOOD)
def test_several_changes_at_once(name: DocumentClass) -> None:
    good, oracle, chance = GOOD[name], _oracle(name, formats=False), random.Random(11)
    for _ in range(500):
        variant = good
        for _ in range(chance.randint(1, 4)):
            path = chance.choice(list(_places(variant)))
            way = chance.randrange(3)
            if way == 0 and path:
                variant = _drop(variant, path)
            elif way == 1:
                variant = _add(variant, path, chance.choice(STRANGERS))
            elif path:
                variant = _put(variant, path, chance.choice(STRANGERS))
        assert (not find_faults(variant, name, strict=False)) == oracle.is_valid(variant), json.dumps(variant)


def test_strict_refuses_all_that_the_schema_refuses_with_its_formats() -> None:
    """With "format" asserted the oracle refuses more. Strict checking refuses at least that much."""
    good, oracle = GOOD["AchievementCredential"], _oracle("AchievementCredential", formats=True)
    plain = _oracle("AchievementCredential", formats=False)
    for path in _places(good):
        for stranger in ("2026-02-30T00:00:00Z", "2026-02-28", "2026-02-28T00:00:00", "https://x.example", "", 1):
            variant = _put(good, path, stranger)
            faults = find_faults(variant)
            if not oracle.is_valid(variant):
                assert faults, (path, stranger)
            if plain.is_valid(variant):
                assert not _subject_to(faults, Rule.SCHEMA), (path, stranger, faults)
            elif path:
                assert _subject_to(faults, Rule.SCHEMA), (path, stranger, faults)
