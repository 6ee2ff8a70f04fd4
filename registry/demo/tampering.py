"""Ways to forge a bundle. Each gets the parsed JSON of one bundle and of another one, and says what it changed.

None of them may stay VALID: the demo and its tests try them all.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from registry.core import leaf
from registry.core.canonical import canonicalize
from registry.core.notation import parse_base64url

__all__ = ["Forgery", "forgeries"]

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgery:
    """``bundle`` is what a forger would hand in; ``what`` says, for people, what is wrong with it."""

    kind: str
    what: str
    bundle: _Json


def forgeries(genuine: _Json, other: _Json) -> Iterator[Forgery]:
    """Every forgery that can be made of these two bundles. ``other``: another genuine one."""
    for kind, (what, change) in _WAYS.items():
        forged = copy.deepcopy(genuine)
        change(forged, other)
        if forged != genuine:  # a batch of one has no path to change
            yield Forgery(kind, what, forged)


def _name(forged: _Json, _: _Json) -> None:
    subject = forged["credential"]["credentialSubject"]
    subject = subject[0] if isinstance(subject, list) else subject
    for identity in _listed(subject.get("identifier", [])):
        if isinstance(identity, dict) and "identityHash" in identity:
            identity["identityHash"] = "Somebody Else"
            return
    subject["name"] = "Somebody Else"


def _credits(forged: _Json, _: _Json) -> None:
    subject = forged["credential"]["credentialSubject"]
    subject = subject[0] if isinstance(subject, list) else subject
    subject["creditsEarned"] = 60


def _added(forged: _Json, _: _Json) -> None:
    forged["credential"]["description"] = "with the highest distinction"


def _dropped(forged: _Json, _: _Json) -> None:
    del forged["credential"]["credentialStatus"]


def _issuer(forged: _Json, _: _Json) -> None:
    credential = forged["credential"]
    if isinstance(credential["issuer"], dict):
        credential["issuer"]["id"] = "did:web:famous-university.example"
    else:
        credential["issuer"] = "did:web:famous-university.example"


def _status_index(forged: _Json, _: _Json) -> None:
    status = forged["credential"]["credentialStatus"]
    status["statusListIndex"] = str(int(status["statusListIndex"]) + 1)


def _dated(forged: _Json, _: _Json) -> None:
    forged["credential"]["validFrom"] = "2001-01-01T00:00:00Z"


def _salt(forged: _Json, other: _Json) -> None:
    forged["leaf"]["salt"] = other["leaf"]["salt"]


def _path(forged: _Json, _: _Json) -> None:
    path = forged["inclusion"]["path"]
    if path:
        path[0] = _flipped(path[0])


def _short_path(forged: _Json, _: _Json) -> None:
    forged["inclusion"]["path"] = forged["inclusion"]["path"][:-1]


def _leaf_index(forged: _Json, _: _Json) -> None:
    inclusion = forged["inclusion"]
    if inclusion["treeSize"] > 1:
        inclusion["leafIndex"] += -1 if inclusion["leafIndex"] else 1


def _tree_size(forged: _Json, _: _Json) -> None:
    forged["inclusion"]["treeSize"] += 1


def _root(forged: _Json, _: _Json) -> None:
    forged["inclusion"]["root"] = _flipped(forged["inclusion"]["root"])


def _other_proof(forged: _Json, other: _Json) -> None:
    forged["inclusion"], forged["anchors"] = other["inclusion"], other["anchors"]


def _other_credential(forged: _Json, other: _Json) -> None:
    forged["credential"] = other["credential"]


def _own_tree(forged: _Json, _: _Json) -> None:
    """What somebody does who can compute: a tree of his own, in which all the hashes are right."""
    _name(forged, {})
    salt = parse_base64url(forged["leaf"]["salt"], leaf.SALT_BYTES)
    root = leaf.leaf_hash(leaf.commit(salt, leaf.digest(canonicalize(forged["credential"]))))
    forged["inclusion"] |= {"leafIndex": 0, "treeSize": 1, "root": root.hex(), "path": []}


def _anchor(member: str, change: Callable[[Any], Any]) -> Callable[[_Json, _Json], None]:
    def apply(forged: _Json, _: _Json) -> None:
        anchor = forged["anchors"][0]
        anchor[member] = change(anchor[member])

    return apply


def _unknown_field(forged: _Json, _: _Json) -> None:
    forged["verified"] = True


def _flipped(text: str) -> str:
    """The same hex with its last digit changed."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_WAYS: dict[str, tuple[str, Callable[[_Json, _Json], None]]] = {
    "name": ("the learner's name changed", _name),
    "credits": ("60 credits instead of what was earned", _credits),
    "added": ("a distinction added", _added),
    "status_dropped": ("the status entry taken out", _dropped),
    "issuer": ("another issuer named", _issuer),
    "status_index": ("another status bit named", _status_index),
    "dated": ("dated back by years", _dated),
    "salt": ("another credential's salt", _salt),
    "path": ("one hash of the proof changed", _path),
    "short_path": ("one hash of the proof left out", _short_path),
    "leaf_index": ("another place in the batch", _leaf_index),
    "tree_size": ("another batch size", _tree_size),
    "root": ("another root", _root),
    "other_proof": ("another credential's proof and anchor", _other_proof),
    "other_credential": ("another credential put in", _other_credential),
    "own_tree": ("the name changed, and a tree of the forger's own", _own_tree),
    "chain": ("the anchor claims to be on another chain", _anchor("chain", lambda _: "eip155:1")),
    "contract": ("the anchor names another contract", _anchor("contract", _flipped)),
    "anchor_issuer": ("the anchor names another issuer address", _anchor("issuer", _flipped)),
    "first_index": ("the anchor names another place in the sequence", _anchor("firstIndex", lambda first: first + 256)),
    "anchored_at": ("anchored earlier, it says", _anchor("anchoredAt", lambda _: "2019-06-30T12:00:00Z")),
    "block_number": ("anchored in an earlier block, it says", _anchor("blockNumber", lambda number: number - 1)),
    "block_hash": ("another block's hash", _anchor("blockHash", _flipped)),
    "transaction": ("another transaction's hash", _anchor("transaction", _flipped)),
    "unknown_field": ('a "verified: true" added to the bundle', _unknown_field),
}
