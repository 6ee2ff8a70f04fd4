"""Credentials without a bundle: the same checks where they apply, on the issuer's signature alone.

Nothing proves then when the credential was made, so that keys have to be good now; and a status is what lists say.
"""

from registry.core.credential import Credential, check_format, check_validity, entries_of, facts
from registry.core.issuing import check_vouched
from registry.core.lists import with_lists
from registry.core.model import Check, Findings, LiveDocument, Outcome, Policy, Verdict
from registry.core.verdict import Code, fail, skipped, status_of, unknown
from registry.core.verify import check_envelope

__all__ = ["verify_plain"]


def verify_plain(
    findings: Findings, live: LiveDocument | None, policy: Policy, now: int, at: int | None = None
) -> Verdict:
    """Judges a credential that comes alone; ``findings`` hold it and what its proofs, lists and schema came to.

    ``now`` and ``at`` as in ``verify``. Never raises.
    """
    credential, moment = findings.credential, now if at is None else at
    if credential is None:
        broken = check_envelope(findings)
        credential = {}
    else:
        broken = check_format(credential)
    issuer, pin = check_vouched(credential, policy, live)
    checks = (
        broken,
        _no_bundle("integrity"),
        _no_bundle("inclusion"),
        _no_bundle("anchor"),
        issuer,
        _no_bundle("binding"),
        _check_signature(findings, now),
        check_validity(credential, moment, policy.clock_skew_seconds),
        _check_status("revocation", credential, findings, at),
        _check_status("suspension", credential, findings, at),
        findings.schema,
        _no_bundle("locator"),
    )
    return Verdict(
        status=status_of(checks),
        checks=checks,
        about="credential",
        final=False,
        issuer=pin if issuer.outcome is Outcome.PASS else None,
        facts=facts(credential),
        basis="signature",
        as_of=at,
    )


def _check_signature(findings: Findings, now: int) -> Check:
    """It has to be there: nothing else speaks for the credential."""
    if findings.signature.outcome is Outcome.SKIPPED:
        return fail(
            "signature", Code.NO_PROOF, "The credential carries no proof, and no bundle: anybody can have made it."
        )
    if findings.keys_at != now:
        return unknown("signature", Code.NOT_JUDGED, "The credential's proof was looked at for another time.")
    return findings.signature


def _check_status(name: str, credential: Credential, findings: Findings, at: int | None) -> Check:
    detail = f"The credential names no status list for {name}; nobody can be asked."
    entries = [entry if isinstance(entry, dict) else {} for entry in entries_of(credential)]
    return with_lists(skipped(name, Code.NO_CREDENTIAL_STATUS, detail), entries, findings.lists, at)


def _no_bundle(name: str) -> Check:
    return skipped(name, Code.NO_BUNDLE, "There is no bundle; only the issuer's signature speaks for the credential.")
