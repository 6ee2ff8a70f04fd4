"""Verifying: asks the chains once for each batch, looks each DID and list up once, and lets core judge.

The service's own tables are not asked about what is valid; only about revocations that were announced and are not on
chain yet.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anchors.base import Chain, ChainError, EvidenceQuery
from registry.core.canonical import canonicalize
from registry.core.credential import issuer_did
from registry.core.errors import InputError, JsonError
from registry.core.lists import entries_elsewhere, entry_key
from registry.core.model import (
    Anchor,
    AnchorEvidence,
    Bundle,
    ChainUnavailable,
    Check,
    Evidence,
    Findings,
    LiveDocument,
    Outcome,
    Policy,
    Verdict,
)
from registry.core.plain import verify_plain
from registry.core.status import word_and_mask
from registry.core.verdict import Code, skipped, unknown
from registry.core.verify import evidence_that_counts, status_bases, verify
from registry.service.history import with_history
from registry.service.judging import Judging, Session, open_credential
from registry.service.presenting import Alone
from registry.service.schemas import check_schema
from registry.standards.did.document import DidDocument, parse_did_document
from registry.standards.did.errors import DidDocumentError, DidError, DidUnsupported
from registry.standards.did.resolver import DidResolver
from registry.standards.eu import facts as eu_facts
from registry.standards.identity import matches_identity

__all__ = ["Announced", "FutureTimeError", "Verifier"]

Announced = Callable[[Iterable[tuple[bytes, int]]], set[tuple[bytes, int]]]

_Place = tuple[int, bytes]  # chain id, contract
_Batch = tuple[bytes, bytes, int]  # issuer, root, first index
_Answers = dict[_Batch, AnchorEvidence] | ChainUnavailable
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,2000}")
_MAX_ENTRIES = 8


class FutureTimeError(InputError):
    """Nobody can tell yet what will be valid then."""


class Verifier:
    """Verifies against a policy. ``chains`` are those that can be asked; only the policy says which ones count.

    ``judging`` knows whose documents and lists may be fetched; None: nobody's.
    """

    def __init__(
        self,
        chains: Mapping[tuple[int, bytes], Chain],
        policy: Callable[[], Policy],
        clock: Callable[[], int],
        announced: Announced | None = None,
        judging: Judging | None = None,
    ) -> None:
        self._chains = chains
        self._policy = policy
        self._clock = clock
        self._announced = announced
        self._judging = judging or Judging(DidResolver(None, clock), clock)

    def verify(
        self, items: Sequence[Bundle | Alone], *, at: int | None = None, subject: str | None = None
    ) -> list[Verdict]:
        """One verdict for each item, in order. A chain that does not answer makes UNKNOWN checks, never an error.

        ``at``: as of which time, in Unix seconds (now if None); raises FutureTimeError. ``subject``: an e-mail address;
        the verdicts say whether it is the learner's.
        """
        now, policy = self._clock(), self._policy()
        if at is not None and at > now + policy.clock_skew_seconds:
            raise FutureTimeError("The time that is asked about is in the future.")
        request = _Request(policy, now, at, self._judging)
        bundles = [_Opened.of(item, request) for item in items if isinstance(item, Bundle)]
        read = self._read(bundles, request)
        announced = self._announced_among([opened.bundle for opened in bundles])
        judged = iter(bundles)
        return [
            _finish(
                *(
                    _judge_bundle(next(judged), read, announced, request)
                    if isinstance(item, Bundle)
                    else _judge_alone(item, request)
                ),
                subject,
            )
            for item in items
        ]

    def _read(self, bundles: "Sequence[_Opened]", request: "_Request") -> dict[_Place, _Answers]:
        """Asks each chain of the policy for all batches that the bundles name on it."""
        trusted = {(chain.chain_id, chain.contract) for chain in request.policy.chains}
        wanted: dict[_Place, dict[_Batch, tuple[set[int], dict[tuple[str, bytes], None]]]] = defaultdict(
            lambda: defaultdict(lambda: (set(), {}))
        )
        for opened in bundles:
            for anchor in opened.bundle.anchors:
                place = (anchor.chain_id, anchor.contract)
                if place in trusted:  # what the policy does not list is refused without being asked
                    word, _ = word_and_mask(anchor.first_index + opened.bundle.inclusion.leaf_index)
                    words, claims = wanted[place][_batch(anchor, opened.bundle)]
                    words.add(word)
                    claims.update(dict.fromkeys(opened.claims))
        read: dict[_Place, _Answers] = {}
        for place, batches in wanted.items():
            chain = self._chains.get(place)
            if chain is None:
                read[place] = ChainUnavailable(place[0], "No node is configured for this chain; name one in RPC_URLS.")
                continue
            queries = [
                EvidenceQuery(*batch, tuple(sorted(words)), tuple(claims)) for batch, (words, claims) in batches.items()
            ]
            try:
                answers = dict(zip(batches, chain.read_evidence(queries), strict=True))
            except ChainError as error:
                read[place] = ChainUnavailable(place[0], str(error))
                continue
            read[place] = answers if request.at is None else with_history(chain, answers)
        return read

    def _announced_among(self, bundles: Sequence[Bundle]) -> set[tuple[bytes, int]]:
        if self._announced is None:
            return set()
        return self._announced(_position(anchor, bundle) for bundle in bundles for anchor in bundle.anchors)


class _Request:
    """What all items of one call have in common."""

    def __init__(self, policy: Policy, now: int, at: int | None, judging: Judging) -> None:
        self.policy, self.now, self.at = policy, now, at
        self.session: Session = judging.session(policy.clock_skew_seconds, now)
        self._documents: dict[tuple[str, bytes], DidDocument | None] = {}
        self._live: dict[str, LiveDocument | None] = {}
        self._addresses = frozenset(pin.address for pin in policy.issuers if pin.address is not None)
        self._pinned = frozenset(pin.did for pin in policy.issuers if pin.address is not None)

    def brought(self, bundle: Bundle, did: str) -> DidDocument | None:
        """The bundle's own document of its issuer, read; None if there is none, or none that can be used."""
        if bundle.issuer_document is None or not _DID.fullmatch(did):
            return None
        try:
            key = (did, canonicalize(bundle.issuer_document))
        except JsonError:
            return None
        if key not in self._documents:
            try:
                self._documents[key] = parse_did_document(bundle.issuer_document, did)
            except DidDocumentError:
                self._documents[key] = None
        return self._documents[key]

    def live_for(self, did: str, addresses: set[bytes]) -> LiveDocument | None:
        """What the issuer's host says, where the policy says nothing about DID and addresses."""
        if did in self._pinned or addresses & self._addresses:
            return None
        return self.live(did)

    def live(self, did: str) -> LiveDocument | None:
        """None for what has no host that could be asked."""
        if not did.startswith("did:web:") or not _DID.fullmatch(did):
            return None
        if did not in self._live:
            self._live[did] = _live_document(did, self.session.resolve(did))
        return self._live[did]


def _live_document(did: str, found: DidDocument | DidError) -> LiveDocument | None:
    if isinstance(found, DidUnsupported):
        return None
    if isinstance(found, DidError):
        return LiveDocument(did, b"", frozenset(), str(found))
    return LiveDocument(did, found.hash, frozenset((account.chain_id, account.address) for account in found.accounts))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A bundle while it is verified: its credential in clear, and the documents of its issuer."""

    bundle: Bundle
    credential: Mapping[str, Any] | None
    brought: DidDocument | None
    live: LiveDocument | None

    @classmethod
    def of(cls, bundle: Bundle, request: _Request) -> "_Opened":
        if bundle.credential is None:
            return cls(bundle, None, None, None)
        credential, _ = open_credential(bundle.credential)
        did = (issuer_did(credential) if credential is not None else None) or ""
        addresses = {anchor.issuer for anchor in bundle.anchors}
        return cls(bundle, credential, request.brought(bundle, did), request.live_for(did, addresses))

    @property
    def claims(self) -> list[tuple[str, bytes]]:
        """The claims on chain that would count for this bundle."""
        found = [(self.brought.did, self.brought.hash)] if self.brought is not None else []
        if self.live is not None and self.live.problem is None:
            found.append((self.live.did, self.live.hash))
        return found


def _judge_bundle(
    opened: _Opened, read: Mapping[_Place, _Answers], announced: set[tuple[bytes, int]], request: _Request
) -> tuple[Verdict, Mapping[str, Any] | None]:
    bundle = opened.bundle
    evidence = Evidence(
        tuple(_answer(anchor, bundle, read) for anchor in bundle.anchors),
        revocation_announced=any(_position(anchor, bundle) in announced for anchor in bundle.anchors),
        live=opened.live,
    )
    evidence = replace(evidence, findings=_find_out(opened, evidence, request))
    return verify(bundle, evidence, request.policy, request.now, request.at), opened.credential


def _find_out(opened: _Opened, evidence: Evidence, request: _Request) -> Findings | None:
    """What core cannot find out about a bundle's credential."""
    bundle, credential, session = opened.bundle, opened.credential, request.session
    if bundle.credential is None:
        return None
    answer = evidence_that_counts(bundle, evidence, request.policy, request.now)
    keys_at = answer.record.anchored_at if answer is not None and answer.record is not None else None
    signature = unknown("signature", Code.ANCHOR_TIME_UNKNOWN, "No anchor tells when the issuer's key had to be good.")
    if answer is not None and keys_at is not None:
        # A document that came with the bundle counts if the issuer had claimed it before it anchored.
        claimed = {(claim.did, claim.document_hash) for claim in answer.claims if 0 < claim.claimed_at <= keys_at}
        brought = opened.brought
        documents = (brought,) if brought is not None and (brought.did, brought.hash) in claimed else ()
        _, signature = session.signature(bundle.credential, keys_at, at=request.at, documents=documents)
    if credential is None:
        return Findings(None, signature, keys_at, _no_schema())
    entries = entries_elsewhere(credential, status_bases(credential, bundle, request.policy))
    return Findings(credential, signature, keys_at, check_schema(credential), _ask_lists(credential, entries, session))


def _judge_alone(item: Alone, request: _Request) -> tuple[Verdict, Mapping[str, Any] | None]:
    credential, _ = open_credential(item.credential)
    _, signature = request.session.signature(item.credential, request.now, at=request.at)
    if credential is None:
        findings = Findings(None, signature, request.now, _no_schema())
        return verify_plain(findings, None, request.policy, request.now, request.at), None
    report_entries = credential.get("credentialStatus", [])
    entries = report_entries if isinstance(report_entries, list) else [report_entries]
    lists = _ask_lists(credential, [entry if isinstance(entry, dict) else {} for entry in entries], request.session)
    findings = Findings(credential, signature, request.now, check_schema(credential), lists)
    did = issuer_did(credential) or ""
    named = any(pin.did == did for pin in request.policy.issuers)
    live = None if named else request.live(did)
    return verify_plain(findings, live, request.policy, request.now, request.at), credential


def _ask_lists(
    credential: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], session: Session
) -> dict[tuple[str, str, str], Check]:
    """Whatever is beyond the limit is not in the answer, and so UNKNOWN."""
    issuer = issuer_did(credential) or ""
    found: dict[tuple[str, str, str], Check] = {}
    for entry in entries[:_MAX_ENTRIES]:
        check, known = session.status(entry, issuer), found.get(entry_key(entry))
        # Entries of the same key may still differ (in their type): the one that is not clear speaks for both.
        found[entry_key(entry)] = check if known is None or known.outcome is Outcome.PASS else known
    return found


def _no_schema() -> Check:
    return skipped("schema", Code.ENVELOPE_UNREADABLE, "The envelope holds no credential that can be read.")


def _finish(verdict: Verdict, credential: Mapping[str, Any] | None, subject: str | None) -> Verdict:
    """Adds what people want to know beside: a micro-credential's facts, and whether it is this learner's."""
    if credential is not None:
        verdict = replace(verdict, facts={**verdict.facts, **eu_facts(credential)})
    if subject is None:
        return verdict
    matches = matches_identity(credential, subject) if credential is not None else None
    return replace(verdict, subject_asked=True, subject_matches=matches)


def _answer(anchor: Anchor, bundle: Bundle, read: Mapping[_Place, _Answers]) -> AnchorEvidence | ChainUnavailable:
    answers = read.get((anchor.chain_id, anchor.contract))
    if answers is None:
        return ChainUnavailable(anchor.chain_id, "The policy does not name this chain and contract.")
    return answers if isinstance(answers, ChainUnavailable) else answers[_batch(anchor, bundle)]


def _batch(anchor: Anchor, bundle: Bundle) -> _Batch:
    return anchor.issuer, bundle.inclusion.root, anchor.first_index


def _position(anchor: Anchor, bundle: Bundle) -> tuple[bytes, int]:
    return anchor.issuer, anchor.first_index + bundle.inclusion.leaf_index
