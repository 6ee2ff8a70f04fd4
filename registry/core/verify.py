"""Verification: bundle + what the chains said + what the verifier trusts + the time → a verdict (docs/spec/verdict.md).

The steps are numbered below in the order in which a verdict lists them. All of them are always taken: a reader learns
everything that is wrong, not only the first thing. Credentials without a bundle: plain.py.
"""

from collections.abc import Sequence

from registry.core import leaf
from registry.core.anchoring import (
    Judged,
    anchor_that_counts,
    check_anchor,
    check_locator,
    check_revocation,
    check_suspension,
    is_final,
    judge_anchors,
)
from registry.core.canonical import canonicalize
from registry.core.credential import (
    Credential,
    check_binding,
    check_format,
    check_validity,
    facts,
    is_enveloped,
    issuer_did,
    status_base,
)
from registry.core.errors import JsonError, ProofError
from registry.core.issuing import check_issuer
from registry.core.lists import entries_elsewhere, with_lists
from registry.core.merkle import root_from_inclusion_proof
from registry.core.model import AnchorEvidence, Bundle, Check, Evidence, Findings, Outcome, Policy, Verdict
from registry.core.verdict import Code, fail, passed, skipped, status_of, unknown

__all__ = ["check_envelope", "clear_credential", "evidence_that_counts", "status_bases", "verify"]


def verify(bundle: Bundle, evidence: Evidence, policy: Policy, now: int, at: int | None = None) -> Verdict:
    """Judges a bundle. ``now`` is the time of judgement in Unix seconds; ``evidence.anchors`` follow the bundle's.

    ``at`` is the time as of which it is judged, not after ``now``; None means now. Never raises for a bundle that
    ``parse_bundle`` made: whatever is wrong with it stands in the verdict.
    """
    place, moment = bundle.inclusion, now if at is None else at
    credential = clear_credential(bundle, evidence)
    judged = judge_anchors(bundle, evidence, policy, now, at)
    counted = anchor_that_counts(judged)
    answer = counted.evidence if counted else None
    anchored_at = answer.record.anchored_at if answer and answer.record else None
    integrity, leaf_hash = _check_integrity(bundle)
    issuer, pins = check_issuer(credential, bundle, judged, policy, evidence.live)
    bases = () if credential is None else status_bases(credential, bundle, policy)
    elsewhere = () if credential is None else entries_elsewhere(credential, bases)
    lists = evidence.findings.lists if evidence.findings else {}
    revocation = check_revocation(judged, place.leaf_index, evidence.revocation_announced, at)
    suspension = check_suspension(judged, place.leaf_index, at)
    checks = (
        # 1. It is a credential.
        _check_format(bundle, credential, evidence),
        # 2. It gives a leaf.
        integrity,
        # 3. The leaf is in the tree of the size that the chain names.
        _check_inclusion(bundle, leaf_hash, judged),
        # 4. A contract that the policy trusts has a record of the tree.
        check_anchor(judged),
        # 5. Who anchored is who the credential says issued it.
        issuer,
        # 6. Credential and anchor name the same place in the issuer's sequence.
        _check_binding(credential, bundle, bases) if credential is not None else _digest_only("binding"),
        # 7. The issuer signed it.
        _check_signature(bundle, evidence.findings, anchored_at),
        # 8. It is neither too early nor too late.
        check_validity(credential, moment, policy.clock_skew_seconds)
        if credential is not None
        else _digest_only("validity"),
        # 9. and 10. The issuer has taken it back neither for good nor for a while.
        with_lists(revocation, elsewhere, lists, at),
        with_lists(suspension, elsewhere, lists, at),
        # 11. It follows its schema.
        _check_schema(bundle, evidence.findings),
        # 12. Block hash and transaction lead there.
        check_locator(judged),
    )
    return Verdict(
        status=status_of(checks),
        checks=checks,
        about="digest" if bundle.credential is None else "credential",
        final=is_final(answer),
        chain=counted.chain if counted else None,
        issuer=next((pin for pin in pins if answer and pin.address == answer.issuer), None),
        anchored_at=anchored_at,
        block=answer.block if answer else None,
        facts=facts(credential) if credential is not None else {},
        as_of=at,
    )


def clear_credential(bundle: Bundle, evidence: Evidence) -> Credential | None:
    """The credential as it can be read, from within an envelope where it is in one; None where only a digest is there.

    What was taken out of an envelope is believed to those who brought the findings, as the proofs are.
    """
    if bundle.credential is not None and is_enveloped(bundle.credential):
        inner = evidence.findings.credential if evidence.findings else None
        return {} if inner is None else inner
    return bundle.credential


def evidence_that_counts(bundle: Bundle, evidence: Evidence, policy: Policy, now: int) -> AnchorEvidence | None:
    """What the chain says that counts, None if none does: at its anchoring the issuer's keys have to be good."""
    counted = anchor_that_counts(judge_anchors(bundle, evidence, policy, now))
    return counted.evidence if counted else None


def status_bases(credential: Credential, bundle: Bundle, policy: Policy) -> tuple[str, ...]:
    """Below which addresses the lists of the chain's bits are: the pins' words, or else what the DID says."""
    did = issuer_did(credential) or ""
    addresses = {anchor.issuer for anchor in bundle.anchors}
    pins = (pin for pin in policy.issuers if pin.did == did and pin.address in addresses)
    return tuple(pin.status_base for pin in pins if pin.status_base is not None) or status_base(did)


def check_envelope(findings: Findings | None) -> Check:
    """An envelope that gives no credential: broken, or (UNKNOWN) of a kind that is not opened here."""
    detail = "The envelope holds no credential that can be read."
    if findings is not None and findings.signature.outcome is Outcome.FAIL:
        return fail("format", Code.ENVELOPE_UNREADABLE, detail)
    return unknown("format", Code.ENVELOPE_UNREADABLE, f"{detail} What kind it is, is not known here.")


def _check_format(bundle: Bundle, credential: Credential | None, evidence: Evidence) -> Check:
    if credential is None:
        return _digest_only("format")
    if bundle.credential is not None and is_enveloped(bundle.credential) and not credential:
        return check_envelope(evidence.findings)
    return check_format(credential)


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


def _check_binding(credential: Credential, bundle: Bundle, bases: Sequence[str]) -> Check:
    """Anchors that disagree about the place have failed in step 4; here the first one speaks for all."""
    return check_binding(credential, bundle.anchors[0].first_index + bundle.inclusion.leaf_index, bases)


def _check_signature(bundle: Bundle, findings: Findings | None, anchored_at: int | None) -> Check:
    """As it was found, if keys were asked to be good at the time that counts."""
    name = "signature"
    credential = bundle.credential
    if credential is None:
        return _digest_only(name)
    if "proof" not in credential and not is_enveloped(credential):
        return skipped(name, Code.NO_PROOF, "The credential carries no proof of its own; the anchor speaks for it.")
    if findings is None:
        return unknown(name, Code.NOT_JUDGED, "The credential's own proof was not looked at.")
    if findings.keys_at is None or findings.keys_at != anchored_at:
        detail = "Whether the issuer's key was good when the credential was anchored, only a confirmed anchor can tell."
        return unknown(name, Code.ANCHOR_TIME_UNKNOWN, detail)
    return findings.signature


def _check_schema(bundle: Bundle, findings: Findings | None) -> Check:
    if bundle.credential is None:
        return _digest_only("schema")
    if findings is not None:
        return findings.schema
    if "credentialSchema" not in bundle.credential:
        return skipped("schema", Code.NO_SCHEMA, "The credential names no schema.")
    return unknown("schema", Code.NOT_JUDGED, "The credential's schema was not looked at.")


def _digest_only(name: str) -> Check:
    return skipped(name, Code.DIGEST_ONLY, "Only the digest was handed in; the holder of the credential has to look.")
