"""Auditing credentials that people hand in against the anchored leaves."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from registry.core import leaf
from registry.core.audit import BatchKey, Finding, Where, find
from registry.core.audit_chain import AnchoredBatch, ChainView, misplaced
from registry.core.audit_figures import Delays
from registry.core.audit_issuers import Speakers
from registry.core.canonical import canonicalize
from registry.core.credential import (
    STATUS_ENTRY_TYPE,
    check_binding,
    host_and_path,
    is_enveloped,
    issuer_did,
    list_of,
    valid_from,
)
from registry.core.declared import Declared
from registry.core.errors import JsonError, ProofError
from registry.core.merkle import HASH_BYTES, root_from_inclusion_proof
from registry.core.model import Anchor, BatchRecord, Bundle, Outcome
from registry.core.notation import LAST_SECOND, chain_text, hex_text, short, time_text
from registry.core.status import list_and_entry

__all__ = ["NOWHERE", "CredentialAudit", "Examined", "Lists", "late_finding", "wrong_status"]

_MOMENT, _MOMENTS = 40, 10_000  # how long and how many texts of times are remembered
_LISTS = 10_000  # addresses of status lists that are remembered; one has 131,072 credentials
_OWN_FORM = re.compile(r".*/status/(?:revocation|suspension)/[0-9]+")  # as this registry names its lists
NOWHERE = Where()


class Examined(NamedTuple):
    """What one bundle shows by itself. ``identifier``: SHA-256 of issuer and id, None where it proves no place.

    ``transaction``: the one that it names, where that did not anchor the batch. ``doubt``: what of it could not be
    audited.
    """

    findings: tuple[Finding, ...] = ()
    identifier: bytes | None = None
    name: str = ""
    where: Where = NOWHERE
    transaction: bytes | None = None
    delay: int | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Lists:
    """Where the lists of the chain's bits are.

    ``bases``: of the issuers whose address for them is known; ``owners``: the same by address; ``hosts``: all hosts of
    the publications. Empty: nothing is known, and every list that is named like one counts as one.
    """

    bases: Mapping[bytes, str] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    owners: Mapping[str, frozenset[bytes]] = field(default_factory=dict)

    def are_anothers(self, issuer: bytes, address: str) -> bool:
        """Whether a list is below the address of other issuers' lists, and not of this one's."""
        owners = self.owners.get(address.rsplit("/", 2)[0])
        return owners is not None and issuer not in owners

    def are_elsewhere(self, issuer: bytes, entry: object) -> bool:
        """Whether an entry names a list that is not one of the chain's: its index then is none in the sequence.

        What has the issuer's own path on another host counts as its list that has moved.
        """
        address = list_of(entry)
        host, path = host_and_path(address)
        base = self.bases.get(issuer)
        if not host or host in self.hosts:
            return False
        if base is not None:
            return not path.startswith(f"{host_and_path(base)[1]}/")
        return bool(self.hosts) or _OWN_FORM.fullmatch(path) is None


@dataclass(slots=True)
class _Batch:
    """What is known of a batch that bundles name.

    ``declared``: seconds from validFrom to its anchor at the latest. What is mostly the same in all of them is judged
    once: ``located`` is an anchor whose place was found to be right, ``speaker`` a DID that may speak for the address.
    """

    key: BatchKey
    record: BatchRecord | None
    told: AnchoredBatch | None
    leaves: bytes | None
    declared: int | None
    located: Anchor | None = None
    speaker: str | None = None


class CredentialAudit:
    """Bundles against one view of the chain, one after the other. Keeps a digest of each credential's id.

    ``leaves_of`` gives the audited leaves of a batch, None where none were published: then only the bundle's own proof
    counts. ``declared``: within how many seconds of validFrom issuers anchor, as they declared it.
    ``lists``: which status entries speak of the chain's bits. ``speakers``: whose credentials an address may anchor;
    None: that is not asked. ``paths``: whether bundles' own proofs are computed where the leaves are at hand.
    ``examine`` keeps nothing, and can be done elsewhere; ``note`` takes what it found.
    """

    def __init__(
        self,
        view: ChainView,
        leaves_of: Callable[[BatchKey], bytes | None] = lambda _: None,
        declared: Declared | None = None,
        lists: Lists | None = None,
        speakers: Speakers | None = None,
        *,
        paths: bool = False,
    ) -> None:
        self._view = view
        self._leaves_of = leaves_of
        self._declared = declared or Declared()
        self._lists = lists or Lists()
        self._speakers = speakers
        self._paths = paths
        self._told = {batch.key: batch for batch in view.history}
        self._places: dict[bytes, int] = {}
        self._moments: dict[str, int | None] = {}
        self._own_lists: dict[str, tuple[bytes, int, str]] = {}
        self._batches: dict[tuple[bytes, int, bytes], _Batch] = {}
        self.delays = Delays()

    def add(self, bundle: Bundle, source: str) -> list[Finding]:
        """``source`` says which one it is, for people. Never raises for a bundle that ``parse_bundle`` made."""
        return self.note(self.examine(bundle, source))

    def examine(
        self,
        bundle: Bundle,
        source: str,
        canonical: bytes | None = None,
        clear: Mapping[str, Any] | None = None,
    ) -> Examined:
        """``canonical``: the credential's canonical form, where it is known already. ``clear``: the credential that is
        in the bundle's, where that is an envelope; None: the bundle's own.
        """
        here = (self._view.chain_id, self._view.contract)
        for anchor in bundle.anchors:
            if (anchor.chain_id, anchor.contract) == here:
                return self._examine(bundle, anchor, source, canonical, clear)
        other = bundle.anchors[0]
        expected = f"an anchor in {hex_text(here[1])} on {chain_text(here[0])}"
        observed = f"one in {hex_text(other.contract)} on {chain_text(other.chain_id)}"
        return Examined((find("anchored_elsewhere", expected, observed, Where(source=source)),))

    def note(self, examined: Examined) -> list[Finding]:
        """The findings of one bundle, together with what only all bundles so far show."""
        if examined.delay is not None:
            self.delays.add(max(examined.delay, 0))
        findings = list(examined.findings)
        identifier, index = examined.identifier, examined.where.index
        if identifier is not None and index is not None:
            seen = self._places.setdefault(identifier, index)
            if seen != index:
                observed = f"{examined.name} at {seen} and at {index}"
                findings.append(find("credential_id_repeated", "every id once", observed, examined.where))
        return findings

    def recall(self, identifier: bytes, index: int) -> bool:
        """Instead of ``note``, for a bundle that an earlier audit examined and found nothing in.

        False if its identifier stands at another place, too: then it has to be examined again.
        """
        return self._places.setdefault(identifier, index) == index

    def _examine(
        self, bundle: Bundle, anchor: Anchor, source: str, canonical: bytes | None, clear: Mapping[str, Any] | None
    ) -> Examined:
        place = bundle.inclusion
        batch = self._batch(anchor, place.root)
        key, record = batch.key, batch.record
        index = key.first + place.leaf_index
        where = Where(key.issuer, key.root, key.first, index, source=source)
        if record is None:
            missing = find("bundle_not_on_chain", "a record in the contract", "none", where)
            return Examined((missing,), where=where, transaction=anchor.transaction)
        credential = bundle.credential if clear is None else clear
        findings: list[Finding] = []
        strange: bytes | None = None
        if anchor is not batch.located:
            findings += _about_batch(anchor, record, batch.told, where)
            batch.located = None if findings else anchor
            if batch.told is not None and anchor.transaction != batch.told.transaction:
                strange = anchor.transaction
        included, proof = _check_inclusion(bundle, batch, record.size, canonical, self._paths)
        if included is not None:
            expected = f"the leaf at {place.leaf_index} of {record.size}"
            findings.append(find("credential_not_in_batch", expected, included, where))
        elif proof is not None:
            expected = f"the proof of leaf {place.leaf_index} in a tree of {record.size}"
            findings.append(find("bundle_proof_wrong", expected, proof, where))
        if credential is None:
            return Examined(tuple(findings), where=where, transaction=strange)
        wrong = self._wrong_status(credential.get("credentialStatus", []), key.issuer, index)
        if wrong is not None:
            findings.append(find("status_index_differs", f"the bit of index {index}", wrong, where))
        start = self._valid_from(credential)
        late = None if start is None else record.anchored_at - start
        findings += late_finding(late, batch.declared, record, where)
        doubt = None
        did = issuer_did(credential)
        if included is None and self._speakers is not None and (did is None or did != batch.speaker):
            told = self._speakers.judge(key.issuer, did, where)
            if told is None:
                batch.speaker = did
            elif isinstance(told, str):
                doubt = told
            elif clear is None and is_enveloped(credential):
                doubt = f"{source} holds an envelope that could not be opened: whose credential it is was not audited"
            else:
                findings.append(told)
        name = credential.get("id")
        if not isinstance(name, str) or included is not None or record.revoked_at:  # what is void is issued no more
            return Examined(tuple(findings), where=where, transaction=strange, delay=late, doubt=doubt)
        identifier = leaf.digest(key.issuer + name.encode("utf-8", "surrogatepass"))
        return Examined(tuple(findings), identifier, short(name), where, strange, late, doubt)

    def _batch(self, anchor: Anchor, root: bytes) -> _Batch:
        """Looked up once: bundles that name batches which do not exist are not remembered."""
        named = anchor.issuer, anchor.first_index, root
        batch = self._batches.get(named)
        if batch is None:
            key = BatchKey(*named)
            record = self._view.records.get(key)
            declared = None if record is None else self._declared.at(key.issuer, record.anchored_at)
            batch = _Batch(key, record, self._told.get(key), self._leaves_of(key), declared)
            if record is not None:
                self._batches[named] = batch
        return batch

    def _wrong_status(self, entries: object, issuer: bytes, index: int) -> str | None:
        """``wrong_status``, where the list that the only entry names is judged once for all that name it."""
        if type(entries) is dict:
            number, entry_of = list_and_entry(index)
            position, place = str(entry_of), list_of(entries)
            if self._own_lists.get(place) == (issuer, number, entries.get("statusPurpose")):
                if entries.get("statusListIndex") == position and entries.get("type") == STATUS_ENTRY_TYPE:
                    return None
            elif _is_usual(entries, number, position) and not self._lists.are_anothers(issuer, place):
                if len(self._own_lists) < _LISTS:
                    self._own_lists[place] = issuer, number, entries["statusPurpose"]
                return None
        return wrong_status(entries, issuer, index, self._lists)

    def _valid_from(self, credential: Mapping[str, Any]) -> int | None:
        """The credentials of a batch mostly name the same moment: each is read once."""
        text = credential.get("validFrom")
        if type(text) is not str or len(text) > _MOMENT:
            return valid_from(credential)
        if text not in self._moments:
            if len(self._moments) == _MOMENTS:
                self._moments.clear()
            self._moments[text] = valid_from(credential)
        return self._moments[text]


def late_finding(delay: int | None, declared: int | None, record: BatchRecord, where: Where) -> list[Finding]:
    """``delay``: the seconds from validFrom to the anchor; ``declared``: those that the issuer declared, if it did."""
    if delay is None or declared is None or delay <= declared:
        return []
    expected = f"anchored within {declared} seconds of validFrom"
    observed = f"after {delay} seconds, at {_moment(record.anchored_at)}"
    return [find("anchored_late", expected, observed, where)]


def _about_batch(anchor: Anchor, record: BatchRecord, told: AnchoredBatch | None, where: Where) -> Iterator[Finding]:
    if record.revoked_at:
        yield find("voided_batch_credential", "a batch that counts", "one that was voided", where)
    for expected, observed in misplaced(anchor, record, told):
        yield find("bundle_location_differs", expected, observed, where)


def _check_inclusion(
    bundle: Bundle, batch: _Batch, size: int, canonical: bytes | None, paths: bool
) -> tuple[str | None, str | None]:
    """Why the credential is not at its place; and if it is, what is wrong with the bundle's own proof of that.

    Where the anchored leaves are at hand they decide. ``paths``: whether the proof is then looked at, too.
    """
    place = bundle.inclusion
    try:
        digest = bundle.digest
        if digest is None:
            digest = leaf.digest(canonicalize(bundle.credential) if canonical is None else canonical)
        leaf_hash = leaf.leaf_hash(leaf.commit(bundle.leaf.salt, digest))
    except (JsonError, ProofError) as error:
        return str(error), None
    if batch.leaves is not None:
        at = place.leaf_index * HASH_BYTES
        if batch.leaves[at : at + HASH_BYTES] != leaf_hash:
            return f"the leaf {leaf_hash.hex()}", None
    wrong = None if place.tree_size == size else f"a tree of {place.tree_size}"
    if batch.leaves is not None and (wrong is not None or not paths):
        return None, wrong
    try:
        root = root_from_inclusion_proof(leaf_hash, place.leaf_index, size, place.path)
        path = None if root == batch.key.root else f"a proof that leads to {root.hex()}"
    except ProofError as error:
        path = str(error)
    if batch.leaves is None:
        return path, wrong if path is None else None
    return None, path


def _is_usual(entry: object, number: int, position: str) -> bool:
    """Whether an entry is as the registry writes it: ``check_binding`` passes it, and need not be asked so often."""
    if type(entry) is not dict or entry.get("statusListIndex") != position or entry.get("type") != STATUS_ENTRY_TYPE:
        return False
    purpose, place = entry.get("statusPurpose"), entry.get("statusListCredential")
    return purpose in ("revocation", "suspension") and type(place) is str and place.endswith(f"/{purpose}/{number}")


def _moment(seconds: int) -> str:
    return time_text(seconds) if seconds <= LAST_SECOND else f"second {seconds}"


def wrong_status(entries: object, issuer: bytes, index: int, lists: Lists) -> str | None:
    """What is wrong with the status entries of a credential at ``index``; None if nothing is.

    Each entry of the chain's lists counts under the address that it names itself: registries move. In the issuer's own
    list an index is an index, whatever type the entry says that it is of.
    """
    number, entry_of = list_and_entry(index)
    own = lists.bases.get(issuer)
    for entry in entries if isinstance(entries, list) else [entries]:
        place = list_of(entry)
        if lists.are_anothers(issuer, place):
            return f"The list {short(place, 200)} is another issuer's."
        if _is_usual(entry, number, str(entry_of)) or lists.are_elsewhere(issuer, entry):
            continue
        bases = [place.rsplit("/", 2)[0]] if place else []
        read: object = entry
        if own is not None and isinstance(entry, dict) and place.startswith(f"{own}/"):
            read = {**entry, "type": STATUS_ENTRY_TYPE}
        check = check_binding({"credentialStatus": read}, index, bases)
        if check.outcome is Outcome.FAIL:
            return check.detail
    return None
