"""Judging what a credential says of itself: its proofs, period of validity, status lists and schema. No chain is asked.

This is what `/v1/verify`, `registry verify` and the VC API have in common. A bundle's verdict takes from here what
core, which is pure, cannot find out; a credential without a bundle has nothing else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.core.credential import check_format, check_validity, entries_of, is_enveloped, issuer_did, list_of
from registry.core.model import Check, Outcome
from registry.core.notation import short
from registry.core.verdict import Code, fail, passed, skipped, unknown
from registry.service.foreignlists import FetchedList, ListReader
from registry.service.schemas import check_schema
from registry.standards.did.document import DidDocument
from registry.standards.did.errors import DidError, DidUnreachable, DidUnsupported
from registry.standards.did.resolver import DidResolver
from registry.standards.proofs.jose import open_envelope, verify_jwt
from registry.standards.proofs.report import (
    KeyProblem,
    ProofCode,
    ProofOutcome,
    ProofReport,
    ProofStatus,
    ResolveKey,
    VerificationKey,
)
from registry.standards.proofs.verifying import verify_proofs
from registry.standards.statuslist import ListCode, check_status

__all__ = ["CredentialReport", "Judging", "Session", "open_credential"]

_MAX_ENTRIES = 8


@dataclass(frozen=True, slots=True)
class CredentialReport:
    """What was found out about one credential.

    ``credential``: the credential in clear (from within a VC-JWT or envelope), None where there is none to be read;
    then ``format`` has failed, or is UNKNOWN for an envelope of another kind. ``proofs``: the outcome of every proof.
    ``signature``: all proofs in one check: PASS, FAIL or UNKNOWN with a ``ProofCode``, SKIPPED `no_proof`; UNKNOWN
    `key_owner_unknown` where the issuer is no DID. ``statuses``: one check for each status entry, named "revocation" or
    "suspension", PASS (clear), FAIL (set) or UNKNOWN with a ``ListCode`` or `status_list_not_proven`. ``schema`` is
    informational (docs/spec/verdict.md).
    """

    credential: Mapping[str, Any] | None
    proofs: ProofReport
    format: Check
    signature: Check
    validity: Check
    statuses: tuple[Check, ...]
    schema: Check


def open_credential(credential: Mapping[str, Any] | str) -> tuple[Mapping[str, Any] | None, str | None]:
    """The credential in clear, and the VC-JWT that it came in, if any. Nothing is verified; never raises.

    ``credential``: an object as ``parse_json`` returns it (an EnvelopedVerifiableCredential, too), or a VC-JWT.
    """
    token = credential if isinstance(credential, str) else open_envelope(credential)
    if token is not None:
        return verify_jwt(token, lambda _: KeyProblem(ProofCode.KEY_UNREACHABLE, ""), 0).credential, token
    if isinstance(credential, str) or is_enveloped(credential):
        return None, None  # an envelope of another kind
    return credential, None


class Judging:
    """Judges credentials. Several threads may use one.

    ``resolver`` decides which DID documents may be fetched, ``lists`` (None: none) which status lists. ``pinned`` gives
    documents that count without asking anybody, such as this registry's own issuers'. ``clock``: Unix seconds.
    ``max_fetches``: how many documents, and how many lists, one session asks for.
    """

    def __init__(
        self,
        resolver: DidResolver,
        clock: Callable[[], int],
        *,
        lists: ListReader | None = None,
        pinned: Callable[[str], DidDocument | None] | None = None,
        max_fetches: int = 32,
    ) -> None:
        self.resolver = resolver
        self.clock = clock
        self.lists = lists
        self.pinned = pinned
        self.max_fetches = max_fetches

    def session(self, skew_seconds: int = 300, now: int | None = None) -> "Session":
        """For the credentials of one request: each document and each list is looked up once. ``now``: Unix seconds."""
        return Session(self, skew_seconds, self.clock() if now is None else now)

    def judge(self, credential: Mapping[str, Any] | str, *, at: int | None = None) -> CredentialReport:
        """Judges one credential, as ``Session.judge`` does."""
        return self.session().judge(credential, at=at)


class Session:
    """Judges the credentials of one request, at one moment. For one thread."""

    def __init__(self, judging: Judging, skew_seconds: int, now: int) -> None:
        self._judging = judging
        self._skew = skew_seconds
        self._pinned: dict[str, DidDocument | None] = {}
        self._documents: dict[str, DidDocument | DidError] = {}
        self._fetched: dict[str, FetchedList] = {}
        self._lists: dict[tuple[str, str], tuple[object, FetchedList, Check | None]] = {}
        self._asked = {"documents": 0, "lists": 0}
        self.now = now

    def judge(self, credential: Mapping[str, Any] | str, *, at: int | None = None) -> CredentialReport:
        """Judges a credential that comes without a bundle.

        ``credential``: an object as ``parse_json`` returns it, an EnvelopedVerifiableCredential, or a VC-JWT. ``at``:
        as of which time period and ``expires`` are looked at (now if None). Keys have to be good now: nothing proves
        that the credential existed any earlier. Never raises, whatever the credential holds.
        """
        clear, _ = open_credential(credential)
        proofs, signature = self.signature(credential, self.now, at=at)
        if clear is None:
            detail = "The envelope holds no credential that can be read."
            made = fail if signature.outcome is Outcome.FAIL else unknown
            broken = made("format", Code.ENVELOPE_UNREADABLE, detail)
            silent = (skipped(name, Code.ENVELOPE_UNREADABLE, detail) for name in ("validity", "schema"))
            validity, schema = silent
            return CredentialReport(None, proofs, broken, signature, validity, (), schema)
        moment = self.now if at is None else at
        return CredentialReport(
            clear,
            proofs,
            check_format(clear),
            signature,
            check_validity(clear, moment, self._skew),
            self.statuses(clear, entries_of(clear)),
            check_schema(clear),
        )

    # --- proofs ---

    def signature(
        self,
        credential: Mapping[str, Any] | str,
        keys_at: int,
        *,
        at: int | None = None,
        documents: Sequence[DidDocument] = (),
    ) -> tuple[ProofReport, Check]:
        """The outcome of every proof, and all of them as one check.

        ``keys_at``: when keys have to be good and by when proofs have to be made; ``at``: when ``expires`` is looked at
        (now if None). ``documents``: the issuer's documents that count behind the pinned one and before the host's.
        """
        clear, token = open_credential(credential)
        issuer = None if clear is None else issuer_did(clear)
        is_did = issuer is not None and issuer.startswith("did:")
        keys = self._keys(issuer if is_did else None, documents)
        moment = self.now if at is None else at
        report: ProofReport
        if token is not None:
            report = verify_jwt(token, keys, keys_at, now=moment, check_controller=is_did, skew=self._skew)
        elif clear is None:
            report = ProofReport(
                (ProofOutcome(0, "", "", ProofCode.UNKNOWN_SUITE, "An envelope of a kind that is not known here."),)
            )
        else:
            controller = issuer if is_did else None
            report = verify_proofs(clear, keys, keys_at, now=moment, controller=controller, skew=self._skew)
        return report, _as_check(report, issuer, is_did)

    def _keys(self, issuer: str | None, documents: Sequence[DidDocument]) -> ResolveKey:
        """Keys of the issuer and of nobody else: a stranger's document may call the issuer its keys' controller."""

        def resolve(url: str) -> VerificationKey | KeyProblem:
            did = url.partition("#")[0]
            if issuer is not None and did != issuer:
                detail = f"The key is one of {short(did, 200)}, the document is {short(issuer, 200)}'s."
                return KeyProblem(ProofCode.WRONG_CONTROLLER, detail)
            pinned = self._pin(did)
            if pinned is not None:
                return pinned.key(url)
            for document in documents:
                found = document.key(url) if document.did == did else None
                if isinstance(found, VerificationKey):
                    return found
            if did.startswith("did:web:"):
                document_ = self.resolve(did)
                if isinstance(document_, DidDocument):
                    return document_.key(url)
                if isinstance(document_, DidUnreachable | DidUnsupported):
                    return KeyProblem(ProofCode.KEY_UNREACHABLE, f"The key could not be had: {document_}.")
                return KeyProblem(ProofCode.KEY_UNKNOWN, f"The issuer's DID document is none: {document_}.")
            return self._judging.resolver.key(url)

        return resolve

    def _pin(self, did: str) -> DidDocument | None:
        if did not in self._pinned:
            self._pinned[did] = self._judging.pinned(did) if self._judging.pinned is not None else None
        return self._pinned[did]

    def resolve(self, did: str) -> DidDocument | DidError:
        """The document at the DID's own host, or why there is none; asked for once."""
        if did not in self._documents:
            self._documents[did] = self._resolve(did)
        return self._documents[did]

    def _resolve(self, did: str) -> DidDocument | DidError:
        if self._asked["documents"] >= self._judging.max_fetches:
            return DidUnreachable("too many DIDs are named in one request")
        self._asked["documents"] += 1
        try:
            return self._judging.resolver.resolve(did)
        except DidError as error:
            return error

    # --- status lists ---

    def statuses(self, credential: Mapping[str, Any], entries: Iterable[object]) -> tuple[Check, ...]:
        """What the lists say that these status entries name, one check for each."""
        issuer = issuer_did(credential) or ""
        found = list(entries)
        checks = [self.status(entry, issuer) for entry in found[:_MAX_ENTRIES]]
        if len(found) > _MAX_ENTRIES:
            detail = f"The credential names more than {_MAX_ENTRIES} status entries; the rest was not looked at."
            checks.append(unknown("revocation", ListCode.UNREACHABLE, detail))
        return tuple(checks)

    def status(self, entry: object, issuer: str) -> Check:
        """What the list of one status entry says, now. UNKNOWN for whatever is not beyond doubt."""
        plain = check_status(entry, None, credential_issuer=issuer, now=self.now, skew=self._skew)
        if plain.code != ListCode.UNREACHABLE:
            return plain  # the entry itself cannot be used: nothing is asked
        address = list_of(entry)
        content, fetched, doubt = self._list(address, issuer)
        if content is None:
            detail = f"The status list {short(address, 200)} could not be read: {short(fetched.problem, 200)}."
            return unknown(plain.name, ListCode.UNREACHABLE, detail)
        check = check_status(
            entry, content, credential_issuer=issuer, now=self.now, skew=self._skew, fetched_at=fetched.fetched_at
        )
        if doubt is not None and check.outcome is not Outcome.UNKNOWN:
            detail = f"The list {short(address, 200)} is not proven to be the issuer's: {doubt.detail}"
            return unknown(check.name, Code.STATUS_LIST_NOT_PROVEN, detail)
        return check

    def _list(self, address: str, issuer: str) -> tuple[object, FetchedList, Check | None]:
        """The list credential in clear (None: none), how it was had, and what is wrong with its proof."""
        key = (address, issuer)
        if key not in self._lists:
            self._lists[key] = self._read_list(address, issuer)
        return self._lists[key]

    def _read_list(self, address: str, issuer: str) -> tuple[object, FetchedList, Check | None]:
        if address not in self._fetched:
            self._fetched[address] = self._fetch(address)
        fetched = self._fetched[address]
        if fetched.content is None:
            return None, fetched, None
        clear, _ = open_credential(fetched.content)
        if clear is None or issuer_did(clear) != issuer:
            return clear or {}, fetched, None  # refused for that, without looking for a stranger's key
        _, signature = self.signature(fetched.content, self.now)
        return dict(clear), fetched, None if signature.outcome is Outcome.PASS else signature

    def _fetch(self, address: str) -> FetchedList:
        reader = self._judging.lists
        if reader is None:
            return FetchedList(None, "nothing is fetched here", self.now)
        if self._asked["lists"] >= self._judging.max_fetches:
            return FetchedList(None, "too many lists are named in one request", self.now)
        self._asked["lists"] += 1
        return reader.read(address)


def _as_check(report: ProofReport, issuer: str | None, is_did: bool) -> Check:
    name = "signature"
    status = report.status
    if status is ProofStatus.NONE:
        return skipped(name, Code.NO_PROOF, "The credential carries no proof of its own.")
    wanted = [outcome for outcome in report.outcomes if outcome.status is status]
    if status is ProofStatus.GOOD:
        made = "; ".join(f"{outcome.suite} by {outcome.verification_method}" for outcome in wanted[:4])
        others = len(report.outcomes) - len(wanted)
        rest = f" {others} more of a kind that is not known here." if others else ""
        if not is_did:
            who = short(str(issuer), 200)
            detail = (
                f"The proof fits its key ({made}); whether that is a key of {who}, which is no DID, cannot be told."
            )
            return unknown(name, Code.KEY_OWNER_UNKNOWN, detail)
        return passed(name, f"Signed: {made}.{rest}")
    first = wanted[0]
    made = " by ".join(text for text in (first.suite, first.verification_method) if text)
    detail = f"{made}: {first.detail}" if made else first.detail
    return fail(name, first.code, detail) if status is ProofStatus.BAD else unknown(name, first.code, detail)
