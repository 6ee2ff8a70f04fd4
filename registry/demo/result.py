"""What the demo counted, and whether all of it came out as it has to."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["DemoResult"]


@dataclass
class DemoResult:
    """Numbers of credentials, except ``batches`` and ``anchored`` (of batches), ``rejected`` (of lines)."""

    data: Path
    bundles: Path
    chain: str = ""
    contract: str = ""
    issuer: str = ""
    issued: int = 0
    rejected: int = 0
    rejected_lines: list[dict[str, Any]] = field(default_factory=list)
    batches: int = 0
    anchored: int = 0
    written: int = 0
    verified: int = 0
    revoked: int = 0
    revoked_detected: int = 0
    suspended: int = 0
    suspended_detected: int = 0
    reinstated: int = 0
    reinstated_valid: int = 0
    tampered: int = 0
    tampered_detected: int = 0
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    example: str | None = None
    revoked_example: str | None = None

    def failures(self) -> list[str]:
        """Every expectation that did not come true, as a sentence."""
        expected = (
            (self.issued > 0, "nothing was accepted"),
            (self.anchored == self.batches, "not every batch was anchored"),
            (self.written == self.issued, "not every credential got its bundle"),
            (self.verified == self.issued, "not every bundle was VALID"),
            (self.revoked_detected == self.revoked, "a revocation went unnoticed"),
            (self.suspended_detected == self.suspended, "a suspension went unnoticed"),
            (self.reinstated_valid == self.reinstated, "a reinstated credential was not VALID again"),
            (self.tampered_detected == self.tampered, "a forgery was not refused"),
        )
        return [what for holds, what in expected if not holds]

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self) | {
            "data": str(self.data),
            "bundles": str(self.bundles),
            "seconds": round(self.seconds, 2),
        }
        fields["phases"] = {name: round(seconds, 2) for name, seconds in self.phases.items()}
        failures = self.failures()
        return {"ok": not failures, "failures": failures, **fields}
