"""What goes over the wire, in pydantic's words. Requests are strict: no unknown members, no converted types."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from registry.core.canonical import MAX_INTEGER

__all__ = [
    "AnchorOut",
    "ApiKeyOut",
    "BatchOut",
    "BatchPage",
    "BundleIn",
    "BundlesIn",
    "CredentialIn",
    "CredentialOut",
    "CredentialPage",
    "DeclaredDelayOut",
    "DelayIn",
    "HealthOut",
    "ImportLine",
    "IndexesIn",
    "IndexesOut",
    "IssuerCreated",
    "IssuerIn",
    "IssuerOut",
    "KeyIn",
    "LeavesOut",
    "NetworkOut",
    "PinOut",
    "PinnedOut",
    "Problem",
    "ProofOut",
    "QuestionIn",
    "ReadyOut",
    "Receipt",
    "ReservationOut",
    "RotateIn",
    "RotationOut",
    "Sealed",
    "SelfAuditOut",
    "SignatureIn",
    "SigningRequestOut",
    "SigningRequests",
    "StatusIn",
    "StatusOut",
    "StatusRequestOut",
    "TemplateOut",
    "TemplatesOut",
    "VerdictOut",
    "VerdictsOut",
]  # fmt: skip

MAX_BUNDLES = 100

_ADDRESS = r"^0x[0-9a-fA-F]{40}$"
AT = "as of which time, YYYY-MM-DDTHH:MM:SSZ; not in the future"
_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
_NO_NUL = r"^[^\x00]*$"


class _In(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)


class _Out(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


# --- errors -----------------------------------------------------------------------------------------------------------


class Fault(_Out):
    """One of several faults: in the body (``pointer``) or in a parameter."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(_Out):
    """RFC 9457; ``code`` is for programs, ``detail`` for people, ``pointer`` (RFC 6901) says where in the request."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    pointer: str | None = None
    errors: list[Fault] | None = None
    request_id: str | None = None


# --- requests ---------------------------------------------------------------------------------------------------------


class IssuerIn(_In):
    name: str = Field(description="1 to 63 lower-case letters, digits and hyphens", examples=["uni-example"])
    did: str | None = Field(
        None, description="without one, the did:web of this installation; `did:key`: that of its signing key"
    )
    mode: Literal["hosted", "self"] = Field(
        "hosted", description="hosted: this registry anchors with a key; self: the issuer signs each call"
    )
    address: str | None = Field(None, pattern=_ADDRESS, description="the issuer's address, for mode self only")
    signs: Literal["hosted", "none"] | None = Field(
        None, description="hosted: credentials are signed here; none: the issuer does it. Default: by mode and DID"
    )
    did_document: dict[str, Any] | None = Field(
        None, description="the DID document of an issuer that signs its credentials itself"
    )


class RotateIn(_In):
    compromised: bool = Field(False, description="the former key ends at once, and counts for nothing anchored later")


class DelayIn(_In):
    seconds: int | None = Field(
        ge=0, le=MAX_INTEGER, description="from validFrom to the anchor at the latest, from now on; null: nothing"
    )


class KeyIn(_In):
    scopes: list[Literal["issue", "status"]] = Field(min_length=1, max_length=2)
    label: str = Field("", max_length=100, pattern=_NO_NUL, description="for people")


class CredentialIn(_In):
    """Exactly one of ``credential``, ``template`` (with ``data``) and ``commitment`` (with ``reservation``)."""

    credential: dict[str, Any] | str | None = Field(
        None, description="an unsigned credential, one that the issuer secured (it stays as it is), or a VC-JWT"
    )
    template: dict[str, Any] | None = Field(
        None, description="a credential with {{column}} in its strings; it is published"
    )
    template_name: str | None = Field(
        None, pattern=_NAME, description="what the template is called where it is published; default: `template`"
    )
    data: dict[str, str] | None = Field(None, description="a learner's data, by column")
    commitment: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="SHA-256(salt ‖ digest), hex")
    reservation: str | None = Field(None, max_length=100, description="id of the reserved index that this is for")
    supersedes: str | None = Field(
        None, max_length=2_048, description="id of the credential that this one corrects; it is revoked"
    )
    reason: str | None = Field(None, max_length=1_000, pattern=_NO_NUL, description="of the correction, for the record")


class IndexesIn(_In):
    count: int = Field(ge=1, le=10_000)


class StatusIn(_In):
    action: Literal["revoke", "suspend", "reinstate"]
    reason: str | None = Field(None, max_length=1_000, pattern=_NO_NUL)


class SignatureIn(_In):
    """An EIP-712 signature over the request's call."""

    signer: str = Field(pattern=_ADDRESS)
    deadline: int = Field(ge=0, lt=2**53, description="Unix seconds, at most an hour ahead")
    signature: str = Field(pattern=r"^0x(?:[0-9a-fA-F]{2})+$", max_length=2 + 2 * 16_384)


class BundleIn(RootModel[Any]):
    """A bundle (docs/spec/bundle.md); read by the same code as everywhere else."""

    model_config = ConfigDict(
        json_schema_extra={
            "type": "object",
            "required": ["type", "version", "leaf", "inclusion", "anchors"],
            "properties": {
                "type": {"const": "AnchoredCredentialBundle"},
                "version": {"const": 1},
                "credential": {"type": "object"},
                "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "leaf": {"type": "object"},
                "inclusion": {"type": "object"},
                "anchors": {"type": "array", "minItems": 1, "maxItems": 8, "items": {"type": "object"}},
                "issuerDocument": {"type": "object"},
            },
            "additionalProperties": False,
        }
    )


class QuestionIn(_In):
    """Something to verify (exactly one of the first three), and what is asked about it."""

    bundle: dict[str, Any] | None = Field(None, description="a bundle")
    credential: dict[str, Any] | str | None = Field(None, description="a credential without a bundle, or a VC-JWT")
    image: str | None = Field(None, description="a baked PNG or SVG, base64")
    at: str | None = Field(None, description=AT)
    subject_email: str | None = Field(None, max_length=320, description="is this the learner's address?")


class BundlesIn(_In):
    bundles: Annotated[list[Any], Field(min_length=1, max_length=MAX_BUNDLES)]
    at: str | None = Field(None, description=AT)


# --- chain and anchor -------------------------------------------------------------------------------------------------


class NetworkOut(_Out):
    """The chain that anchors. ``mark`` is null on a production chain only: show it wherever an anchor is shown."""

    chain: str = Field(description="CAIP-2", examples=["eip155:560048"])
    contract: str
    name: str
    network_class: Literal["production", "test", "dev"] = Field(serialization_alias="class")
    mark: str | None
    explorer: str | None
    expected_end: str | None
    warning: str | None = Field(description="set when the network's end is in sight")


class AnchorOut(_Out):
    """What the chain recorded. Block hash and transaction follow when the anchor is final."""

    network: NetworkOut
    issuer: str
    anchored_at: str
    block_number: int
    block_hash: str | None
    transaction: str | None
    final: bool


# --- issuers ----------------------------------------------------------------------------------------------------------


class PinOut(_Out):
    """One entry of "issuers" in a verifier's policy."""

    did: str
    address: str
    status_base: str | None


class DeclaredDelayOut(_Out):
    """From then on: seconds from a credential's validFrom to its anchor at the latest; null: nothing is declared."""

    since: str
    seconds: int | None


class IssuerOut(_Out):
    name: str
    did: str
    address: str
    mode: Literal["hosted", "self"]
    signs: Literal["hosted", "none"]
    network: NetworkOut
    policy_pin: PinOut
    declared_delays: list[DeclaredDelayOut] = Field(description="what it declared of its anchors, oldest first")
    created_at: str
    links: dict[str, str]


class PinnedOut(_Out):
    """``sha256``: of the RFC 8785 form, bare hex."""

    url: str
    sha256: str


class IssuersOut(_Out):
    """With the JSON-LD contexts and JSON Schemas that credentials are read, signed and checked with here."""

    issuers: list[IssuerOut]
    contexts: list[PinnedOut]
    schemas: list[PinnedOut]


class TemplateOut(_Out):
    """One version of a template; ``url`` leads to it and never to anything else."""

    name: str
    url: str
    sha256: str = Field(description="of the RFC 8785 form, bare hex; the last part of the address")
    first_used: str


class TemplatesOut(_Out):
    templates: list[TemplateOut]


class RotationOut(_Out):
    """``key`` signs from now on. ``claimed``: its document's claim is under way; if not, ``note`` says why."""

    key: str = Field(description="fragment in the DID document", examples=["key-2"])
    claimed: bool
    resigned: int = Field(description="credentials that were signed again, because the former key is compromised")
    note: str | None


class ApiKeyOut(_Out):
    """``secret`` is shown this once."""

    id: int
    secret: str
    scopes: list[str]


class IssuerCreated(_Out):
    issuer: IssuerOut
    api_key: ApiKeyOut


# --- credentials and batches ------------------------------------------------------------------------------------------


class Receipt(_Out):
    """The answer to an accepted credential: the registry's id and a promise."""

    id: str
    anchored_before: str
    repeated: bool = Field(description="the same request was accepted before")
    unmapped: list[str] = Field(default=[], description="JSON pointers of what no context defines, if that is taken")
    promise: dict[str, Any] = Field(description="signed by the registry (docs/spec/promise.md): keep it")
    links: dict[str, str]


class ReservationOut(_Out):
    """One index, and the status entry that the credential for it carries."""

    id: str
    index: int
    until: str
    credential_status: dict[str, str]


class IndexesOut(_Out):
    reservations: list[ReservationOut]


class ProofOut(_Out):
    """The parts of a bundle that say nothing of the credential (docs/spec/bundle.md)."""

    inclusion: dict[str, Any]
    anchors: list[dict[str, Any]]
    issuer_document: dict[str, Any] | None = None


class ImportLine(_Out):
    """One line of an import's answer: what became of a line, or, at the end, ``summary``."""

    line: int | None = None
    id: str | None = None
    anchored_before: str | None = None
    repeated: bool | None = None
    unmapped: list[str] | None = None
    promise: dict[str, Any] | None = None
    error: Problem | None = None
    summary: dict[str, Any] | None = None


class BatchOut(_Out):
    issuer: str
    root: str
    first: int
    size: int
    state: Literal["SEALED", "AWAITING_SIGNATURE", "SUBMITTED", "ANCHORED", "FINAL", "DISPLACED"]
    sealed_at: str
    anchor: AnchorOut | None
    voided: bool = Field(description="the issuer has revoked the whole batch on chain")
    accepted_from: str | None = Field(description="when the first of its credentials was accepted")
    declared_delay_seconds: int | None = Field(description="from there to the anchor at the latest, as was promised")
    links: dict[str, str]


class BatchPage(_Out):
    network: NetworkOut
    batches: list[BatchOut]
    next: str | None = Field(description="cursor of the next page; null on the last one")


class SelfAuditOut(_Out):
    statement: str = Field(description="what such a report is worth, for people")
    levels: list[str] = Field(description="what it audits: of docs/auditing.md")
    report: dict[str, Any] | None = Field(description="docs/spec/audit-report.schema.json; null before the first one")


class Sealed(_Out):
    batches: list[BatchOut]


class LeavesOut(_Out):
    """Leaf hashes in order, bare hex."""

    leaves: list[str]


class StatusRequestOut(_Out):
    action: str
    state: Literal["WAITING", "SENT", "ON_CHAIN", "FINAL", "SUPERSEDED"]
    reason: str | None
    requested_at: str


class StatusOut(_Out):
    id: str
    action: str
    state: Literal["WITHDRAWN", "WAITING", "SENT", "ON_CHAIN", "FINAL"]


class CredentialOut(_Out):
    """One credential as its issuer sees it. ``index`` stays null until it can change no more."""

    id: str
    credential_id: str | None = Field(description='the credential\'s own "id"; null after erasure')
    state: Literal[
        "ACCEPTED",
        "SEALED",
        "AWAITING_SIGNATURE",
        "SUBMITTED",
        "ANCHORED",
        "FINAL",
        "WITHDRAWN",
        "ERASED",
        "DISPLACED",
        "RESERVED",
        "UNUSED",
        "NEEDS_RESUBMIT",
    ]
    accepted_at: str
    anchored_before: str
    index: int | None
    batch: BatchOut | None
    waits_for: str | None = Field(description="what the batch waits for, for people")
    status_requests: list[StatusRequestOut]
    links: dict[str, str]


class CredentialPage(_Out):
    credentials: list[CredentialOut]
    next: str | None = Field(description="cursor of the next page; null on the last one")


# --- signing ----------------------------------------------------------------------------------------------------------


class SigningRequestOut(_Out):
    """One contract call to sign; bytes are 0x-hex and integers decimal strings in ``call``."""

    id: int
    issuer: str
    kind: str
    chain: str
    contract: str
    call: dict[str, Any]
    note: str | None


class SigningRequests(_Out):
    network: NetworkOut
    requests: list[SigningRequestOut]


# --- verdicts ---------------------------------------------------------------------------------------------------------


class CheckOut(_Out):
    name: str
    outcome: Literal["PASS", "FAIL", "UNKNOWN", "SKIPPED"]
    code: str
    detail: str


class VerdictOut(_Out):
    """See docs/spec/verdict.md."""

    status: Literal["VALID", "INVALID", "INDETERMINATE"]
    about: Literal["credential", "digest"]
    basis: Literal["anchor", "signature"]
    as_of: str | None
    final: bool
    checks: list[CheckOut]
    chain: dict[str, Any] | None
    issuer: dict[str, Any] | None
    anchored_at: str | None
    block: dict[str, Any] | None
    facts: dict[str, str]
    subject: dict[str, bool | None] | None


class VerdictOrError(_Out):
    """Exactly one of the two."""

    verdict: VerdictOut | None = None
    error: Problem | None = None


class VerdictsOut(_Out):
    results: list[VerdictOrError]


# --- health -----------------------------------------------------------------------------------------------------------


class HealthOut(_Out):
    status: Literal["ok"]


class ReadyOut(_Out):
    ready: Literal[True]
    network: NetworkOut
    worker: str = Field(description="of this process: stopped, starting, running, waiting, failed, or none")
    worker_seen_at: str
