"""What this program reads and checks credentials with: contexts and schemas, each by address and digest.

Publications name these, and audits hold other publications' against them.
"""

from collections.abc import Mapping

from registry.standards.contexts.pins import FIRST_DIGEST, OPEN_BADGES_3_0_3, PINS
from registry.standards.openbadges import schemas

__all__ = ["CONTEXTS", "SCHEMAS", "known_contexts", "known_schemas", "listed"]

CONTEXTS: Mapping[str, str] = {url: pin.digest for url, pin in sorted(PINS.items())}
SCHEMAS: Mapping[str, str] = {url: pin.digest for url, pin in sorted(schemas.SCHEMAS.items())}


def listed(digests: Mapping[str, str]) -> list[dict[str, str]]:
    """As publications list them (docs/spec/published.md)."""
    return [{"url": url, "sha256": digest} for url, digest in digests.items()]


def known_contexts(url: str) -> frozenset[str]:
    """The digests that a context may have; none if its address is not known here."""
    if url not in PINS:
        return frozenset()
    both = {FIRST_DIGEST} if url == OPEN_BADGES_3_0_3 else set()
    return frozenset({PINS[url].digest, *both})


def known_schemas(url: str) -> frozenset[str]:
    """The same for a JSON Schema."""
    pin = schemas.SCHEMAS.get(url)
    return frozenset() if pin is None else pin.others | {pin.digest}
