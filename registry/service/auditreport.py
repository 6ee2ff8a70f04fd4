"""An audit's report: what was audited, at which block, and what was found (docs/spec/audit-report.schema.json)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from registry.core.audit import Finding, Severity, finding_to_json
from registry.core.audit_figures import Figures, figures_to_json
from registry.core.model import BlockRef
from registry.core.notation import chain_text, hex_text, time_text

__all__ = ["RESULTS", "AuditReport", "report_to_json"]

RESULTS: Mapping[int, str] = MappingProxyType({0: "clean", 1: "findings", 3: "incomplete"})


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was audited, and what was found. ``material``: SHA-256 of what was published, None if nothing was read.

    ``incomplete`` says what could not be audited, and why: a report with something there is never clean.
    """

    chain_id: int
    contract: bytes
    block: BlockRef | None
    code_hash: bytes | None
    issuers: int
    batches: int
    credentials: int
    material: bytes | None
    leaves: int
    bundles: int
    findings: tuple[Finding, ...]
    incomplete: tuple[str, ...]
    figures: Figures | None = None
    promises: int | None = None  # None: none were handed in

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings (those for information do not count), 3 could not finish and found nothing so far."""
        if any(finding.severity is not Severity.INFO for finding in self.findings):
            return 1
        return 3 if self.incomplete else 0

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)


def report_to_json(report: AuditReport, made_at: int | None = None) -> dict[str, Any]:
    """The same audit of the same material at the same block always gives the same object, but for ``made_at``.

    ``made_at``: Unix seconds; it stands in ``reportedAt``, last, and nowhere else.
    """
    block = report.block
    result = {
        "type": "AuditReport",
        "version": 1,
        "result": RESULTS[report.exit_code],
        "chain": chain_text(report.chain_id),
        "contract": hex_text(report.contract),
        "codeHash": hex_text(report.code_hash) if report.code_hash else None,
        "block": {"number": block.number, "hash": hex_text(block.hash), "timestamp": block.timestamp}
        if block
        else None,
        "material": report.material.hex() if report.material else None,
        "audited": {
            "issuers": report.issuers,
            "batches": report.batches,
            "credentials": report.credentials,
            "leaves": report.leaves,
            "bundles": report.bundles,
            **({} if report.promises is None else {"promises": report.promises}),
        },
        "counts": {severity.value: report.count(severity) for severity in Severity},
        "findings": [finding_to_json(finding) for finding in report.findings],
        "incomplete": list(report.incomplete),
        "figures": figures_to_json(report.figures) if report.figures else None,
    }
    return result if made_at is None else {**result, "reportedAt": time_text(made_at)}
