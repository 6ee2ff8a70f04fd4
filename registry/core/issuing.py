"""Who issued: the credential's issuer beside the address that anchored, by the policy's pins or by two documents.

Without a pin, two things have to agree: the DID document at the issuer's own host names the address, and the chain has
that address's claim of the DID. A document that comes with the bundle never counts here (docs/adr/101).
"""

from collections.abc import Sequence
from hashlib import sha256

from registry.core.anchoring import Judged
from registry.core.canonical import canonicalize
from registry.core.credential import Credential, issuer_did
from registry.core.errors import JsonError
from registry.core.model import Bundle, Check, IssuerPin, LiveDocument, Policy
from registry.core.notation import chain_text, hex_text, short
from registry.core.verdict import Code, fail, passed, unknown

__all__ = ["check_issuer", "check_vouched"]


def check_issuer(
    credential: Credential | None, bundle: Bundle, judged: Sequence[Judged], policy: Policy, live: LiveDocument | None
) -> tuple[Check, tuple[IssuerPin, ...]]:
    """The check, and the pairs of identifier and address that made it pass (one for each address that anchored)."""
    name = "issuer"
    addresses = {each.anchor.issuer for each in judged}
    anchoring = tuple(pin for pin in policy.issuers if pin.address in addresses)
    if credential is None:
        dids = {pin.did for pin in anchoring}
        who = "An address"
    else:
        did = issuer_did(credential)
        if did is None:
            return _no_issuer(credential), ()
        dids = {did}
        who = short(did, 200)
    pins = tuple(pin for pin in anchoring if pin.did in dids)
    strangers = addresses - {pin.address for pin in pins}
    if not strangers and len(dids) == 1:
        return passed(name, f"The policy says that {pins[0].did} anchors as {_listed(addresses)}."), pins
    if not anchoring and not any(pin.did in dids and pin.address is not None for pin in policy.issuers):
        if live is not None and live.did in dids:
            return _check_documents(live, bundle, judged)
        detail = f"{who} anchored as {_listed(addresses)}; the policy knows neither, so anybody may have."
        return unknown(name, Code.ISSUER_NOT_PINNED, detail), ()
    detail = f"{who} is not the one that anchored as {_listed(strangers or addresses)}, by the policy."
    return fail(name, Code.ISSUER_MISMATCH, detail), ()


def _check_documents(
    live: LiveDocument, bundle: Bundle, judged: Sequence[Judged]
) -> tuple[Check, tuple[IssuerPin, ...]]:
    name, who = "issuer", short(live.did, 200)
    if live.problem is not None:
        detail = f"The policy does not know {who}, and its DID document could not be had: {short(live.problem, 200)}."
        return unknown(name, Code.ISSUER_UNREACHABLE, detail), ()
    places = {(each.anchor.chain_id, each.anchor.issuer) for each in judged}
    strangers = places - live.accounts
    for chain_id, address in sorted(strangers):
        if any(account[0] == chain_id for account in live.accounts):
            detail = (
                f"The DID document of {who} names other addresses on {chain_text(chain_id)} than {hex_text(address)}."
            )
            return fail(name, Code.ISSUER_MISMATCH, detail), ()
    if strangers:
        detail = f"The DID document of {who} names no address on the chain that anchored, so anybody may have."
        return unknown(name, Code.ISSUER_NOT_NAMED, detail), ()
    hashes = {live.hash, _document_hash(bundle)}
    counted = [each for each in judged if each.passed and each.evidence is not None]
    if not counted or not all(_claims(each, live.did, hashes) for each in counted):
        detail = f"The DID document of {who} names the address that anchored, which did not claim that DID on chain."
        return unknown(name, Code.ISSUER_NOT_CLAIMED, detail), ()
    addresses = {address for _, address in places}
    detail = f"The DID document of {who} names {_listed(addresses)}, which claims that DID on chain."
    pairs = tuple(IssuerPin(live.did, address) for address in sorted(addresses))
    return passed(name, detail, Code.DOCUMENTS_AGREE), pairs


def _claims(each: Judged, did: str, hashes: set[bytes | None]) -> bool:
    claims = each.evidence.claims if each.evidence else ()
    return any(claim.did == did and claim.document_hash in hashes and claim.claimed_at > 0 for claim in claims)


def _document_hash(bundle: Bundle) -> bytes | None:
    if bundle.issuer_document is None:
        return None
    try:
        return sha256(canonicalize(bundle.issuer_document)).digest()
    except JsonError:
        return None


def _no_issuer(credential: Credential) -> Check:
    if not credential:
        return unknown("issuer", Code.ENVELOPE_UNREADABLE, "Within an envelope that cannot be read.")
    return fail("issuer", Code.ISSUER_MISSING, "The credential names no issuer.")


def check_vouched(credential: Credential, policy: Policy, live: LiveDocument | None) -> tuple[Check, IssuerPin | None]:
    """The issuer of a credential that is not anchored: the policy names it, or its own host vouches for its keys."""
    name, did = "issuer", issuer_did(credential)
    if did is None:
        return _no_issuer(credential), None
    who = short(did, 200)
    if any(pin.did == did for pin in policy.issuers):
        return passed(name, f"The policy names {who}."), IssuerPin(did, None)
    if live is not None and live.did == did:
        if live.problem is None:
            detail = f"The host of {who} vouches for its keys, as of now; the policy does not know it."
            return passed(name, detail, Code.HOST_VOUCHES), IssuerPin(did, None)
        detail = f"The policy does not know {who}, and its DID document could not be had: {short(live.problem, 200)}."
        return unknown(name, Code.ISSUER_UNREACHABLE, detail), None
    return unknown(name, Code.ISSUER_NOT_PINNED, f"The policy does not know {who}."), None


def _listed(addresses: set[bytes]) -> str:
    return ", ".join(sorted(map(hex_text, addresses)))
