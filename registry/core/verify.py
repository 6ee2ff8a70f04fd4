"""Verification: bundle + what the chains said + what the verifier trusts + the time → a verdict (docs/spec/verdict.md).

The steps are numbered below in the order in which a verdict lists them. All of them are always taken: a reader learns
everything that is wrong, not only the first thing.
"""

from collections.abc import Sequence

from registry.core import leaf
from registry.core.anchoring import (
    Judged,
    check_anchor,
    check_locator,
    check_revocation,
    check_suspension,
    judge_anchors,
)
from registry.core.canonical import canonicalize
from registry.core.credential import (
    Credential,
    check_binding,
    check_format,
    check_validity,
    facts,
    issuer_did,
    status_base,
)
from registry.core.errors import JsonError, ProofError
from registry.core.merkle import root_from_inclusion_proof
from registry.core.model import AnchorEvidence, Bundle, ChainClass, Check, Evidence, IssuerPin, Policy, Verdict
from registry.core.notation import hex_text, short
from registry.core.verdict import Code, fail, passed, skipped, status_of, unknown

__all__ = ["verify"]

_WORTH = (ChainClass.PRODUCTION, ChainClass.TEST, ChainClass.DEV)


def verify(bundle: Bundle, evidence: Evidence, policy: Policy, now: int) -> Verdict:
    """Judges a bundle. ``now`` is the time of judgement in Unix seconds; ``evidence.anchors`` follow the bundle's.

    Never raises for a bundle that ``parse_bundle`` made: whatever is wrong with it stands in the verdict.
    """
    credential, place = bundle.credential, bundle.inclusion
    judged = judge_anchors(bundle, evidence, policy, now)
    integrity, leaf_hash = _check_integrity(bundle)
    issuer, pins = _check_issuer(credential, judged, policy)
    checks = (
        # 1. It is a credential.
        check_format(credential) if credential is not None else _digest_only("format"),
        # 2. It gives a leaf.
        integrity,
        # 3. The leaf is in the tree of the size that the chain names.
        _check_inclusion(bundle, leaf_hash, judged),
        # 4. A contract that the policy trusts has a record of the tree.
        check_anchor(judged),
        # 5. Who anchored is who the credential says issued it.
        issuer,
        # 6. Credential and anchor name the same place in the issuer's sequence.
        _check_binding(credential, bundle, pins) if credential is not None else _digest_only("binding"),
        # 7. The issuer signed it.
        _check_signature(credential),
        # 8. It is neither too early nor too late.
        check_validity(credential, now, policy.clock_skew_seconds)
        if credential is not None
        else _digest_only("validity"),
        # 9. and 10. The issuer has taken it back neither for good nor for a while.
        check_revocation(judged, place.leaf_index, evidence.revocation_announced),
        check_suspension(judged, place.leaf_index),
        # 11. It follows its schema.
        _check_schema(credential),
        # 12. Block hash and transaction lead there.
        check_locator(judged),
    )
    counted = min((each for each in judged if each.passed), key=_rank, default=None)
    answer = counted.evidence if counted else None
    return Verdict(
        status=status_of(checks),
        checks=checks,
        about="digest" if credential is None else "credential",
        final=_is_final(answer),
        chain=counted.chain if counted else None,
        issuer=next((pin for pin in pins if answer and pin.address == answer.issuer), None),
        anchored_at=answer.record.anchored_at if answer and answer.record else None,
        block=answer.block if answer else None,
        facts=facts(credential) if credential is not None else {},
    )


def _check_integrity(bundle: Bundle) -> tuple[Check, bytes | None]:
    try:
        digest = leaf.digest(canonicalize(bundle.credential)) if bundle.digest is None else bundle.digest
        leaf_hash = leaf.leaf_hash(leaf.commit(bundle.leaf.salt, digest))
    except (JsonError, ProofError) as error:
        return fail("integrity", Code.NOT_CANONICAL, f"It gives no leaf: {error}."), None
    return passed("integrity", f"Its digest is {digest.hex()}."), leaf_hash


def _check_inclusion(bundle: Bundle, leaf_hash: bytes | None, judged: Sequence[Judged]) -> Check:
    """With the chain's size where there is one: a root alone does not bind the size of its tree."""
    name = "inclusion"
    place = bundle.inclusion
    records = [each.evidence.record for each in judged if each.evidence and each.evidence.record]
    tree_size = records[0].size if records else place.tree_size
    try:
        root = root_from_inclusion_proof(leaf_hash or b"", place.leaf_index, tree_size, place.path)
    except ProofError as error:
        return fail(name, Code.PROOF_MALFORMED, f"The inclusion proof has the wrong shape: {error}.")
    if root != place.root:
        detail = "The proof does not lead from this credential to the batch's root: one of them was changed."
        return fail(name, Code.NOT_INCLUDED, detail)
    if not records:
        return passed(name, "In a batch by the bundle's own root and size, which no chain confirmed.", Code.OWN_ROOT)
    return passed(name, f"Leaf {place.leaf_index} of {tree_size} under the root on chain.")


def _check_issuer(
    credential: Credential | None, judged: Sequence[Judged], policy: Policy
) -> tuple[Check, tuple[IssuerPin, ...]]:
    """The check, and the pins that made it pass (one for each address that anchored)."""
    name = "issuer"
    addresses = {each.anchor.issuer for each in judged}
    anchoring = tuple(pin for pin in policy.issuers if pin.address in addresses)
    if credential is None:
        dids = {pin.did for pin in anchoring}
        who = "An address"
    else:
        did = issuer_did(credential)
        if did is None:
            return fail(name, Code.ISSUER_MISSING, "The credential names no issuer."), ()
        dids = {did}
        who = short(did, 200)
    pins = tuple(pin for pin in anchoring if pin.did in dids)
    strangers = addresses - {pin.address for pin in pins}
    if not strangers and len(dids) == 1:
        return passed(name, f"The policy says that {pins[0].did} anchors as {hex_text(pins[0].address)}."), pins
    if not anchoring and not any(pin.did in dids for pin in policy.issuers):
        detail = f"{who} anchored as {_listed(addresses)}; the policy knows neither, so anybody may have."
        return unknown(name, Code.ISSUER_NOT_PINNED, detail), ()
    detail = f"{who} is not the one that anchored as {_listed(strangers or addresses)}, by the policy."
    return fail(name, Code.ISSUER_MISMATCH, detail), ()


def _listed(addresses: set[bytes]) -> str:
    return ", ".join(sorted(map(hex_text, addresses)))


def _check_binding(credential: Credential, bundle: Bundle, pins: Sequence[IssuerPin]) -> Check:
    """Anchors that disagree about the place have failed in step 4; here the first one speaks for all."""
    bases = tuple(pin.status_base for pin in pins if pin.status_base is not None)
    index = bundle.anchors[0].first_index + bundle.inclusion.leaf_index
    return check_binding(credential, index, bases or status_base(issuer_did(credential) or ""))


def _check_signature(credential: Credential | None) -> Check:
    if credential is None:
        return _digest_only("signature")
    if "proof" not in credential:
        return skipped(
            "signature", Code.NO_PROOF, "The credential carries no proof of its own; the anchor speaks for it."
        )
    return skipped("signature", Code.NOT_BUILT, "The credential's own proof was NOT checked: this version cannot yet.")


def _check_schema(credential: Credential | None) -> Check:
    if credential is None:
        return _digest_only("schema")
    if "credentialSchema" not in credential:
        return skipped("schema", Code.NO_SCHEMA, "The credential names no schema.")
    return skipped("schema", Code.NOT_BUILT, "The credential's schema was NOT checked: this version cannot yet.")


def _digest_only(name: str) -> Check:
    return skipped(name, Code.DIGEST_ONLY, "Only the digest was handed in; the holder of the credential has to look.")


def _is_final(answer: AnchorEvidence | None) -> bool:
    if answer is None or answer.record is None or answer.finalized is None:
        return False
    return answer.record.block_number <= answer.finalized


def _rank(each: Judged) -> tuple[int, bool]:
    """The anchor that counts, where several do: on the chain worth most, then the final one."""
    return _WORTH.index(each.chain.chain_class) if each.chain else len(_WORTH), not _is_final(each.evidence)
