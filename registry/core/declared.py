"""Within which time after validFrom issuers anchor, as they declare it themselves (docs/spec/published.md)."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from registry.core.notation import moment_text

__all__ = ["Declared", "DeclaredDelays", "delays_text", "goes_on"]

# From when on (Unix seconds, ascending) at most how many seconds; None takes back what was declared before.
DeclaredDelays = Sequence[tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class Declared:
    """``issuers``: what each address declared. ``everybody``: counts for all, whatever they declared; None: nothing."""

    issuers: Mapping[bytes, DeclaredDelays] = field(default_factory=dict)
    everybody: int | None = None

    def at(self, issuer: bytes, moment: int) -> int | None:
        """The seconds that count for what was anchored at this time; None where nothing was declared."""
        if self.everybody is not None:
            return self.everybody
        delays = self.issuers.get(issuer, ())
        place = bisect_right(delays, moment, key=lambda item: item[0])
        return delays[place - 1][1] if place else None


def goes_on(earlier: DeclaredDelays, later: DeclaredDelays) -> bool:
    """Whether all that was declared earlier is so still: what comes after it counts from then on only."""
    return list(later[: len(earlier)]) == list(earlier)


def delays_text(delays: DeclaredDelays) -> str:
    """For people, the newest first."""
    said = [
        f"{'nothing' if seconds is None else f'{seconds} seconds'} since {moment_text(since)}"
        for since, seconds in reversed(delays)
    ]
    return ", before that ".join(said) or "nothing"
