"""Publications as they are when an audit comes: what each one lists of batches and says of issuers."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from registry.core.audit import Finding
from registry.service.auditmaterial import malformed
from registry.service.published import Listing, Material, MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial, PublishedIssuers

__all__ = ["Publication", "read_publications"]


@dataclass(frozen=True, slots=True)
class Publication:
    """``issuers``: None where nothing is said of any, or where that could not be read (``told`` is False then)."""

    material: Material
    listing: Listing
    issuers: PublishedIssuers | None
    told: bool

    @property
    def addresses(self) -> set[bytes]:
        """The issuers that it answers for."""
        said = {issuer.address for issuer in self.issuers.issuers} if self.issuers else set()
        return said | {batch.key.issuer for batch in self.listing.batches}

    def only(self, issuers: Collection[bytes]) -> "Publication":
        batches = tuple(batch for batch in self.listing.batches if batch.key.issuer in issuers)
        said = self.issuers
        if said is not None:
            said = replace(said, issuers=tuple(issuer for issuer in said.issuers if issuer.address in issuers))
        return replace(self, listing=replace(self.listing, batches=batches), issuers=said)


def read_publications(
    materials: Sequence[Material],
    here: tuple[int, bytes],
    findings: list[Finding],
    incomplete: list[str],
    tell: Callable[[str], None],
) -> list[Publication]:
    """Those that can be read. ``here``: chain and contract that are audited; what is said of issuers elsewhere is not
    read. ``findings`` and ``incomplete`` are added to.
    """
    found = []
    for material in materials:
        try:
            tell(f"What {material.name} lists")
            listing = material.listing()
        except MaterialUnavailable as error:
            incomplete.append(str(error))
        except MaterialMalformed as error:
            findings.append(malformed(material, error))
        else:
            found.append(_with_issuers(material, listing, here, findings, incomplete))
    return found


def _with_issuers(
    material: Material, listing: Listing, here: tuple[int, bytes], findings: list[Finding], incomplete: list[str]
) -> Publication:
    if not isinstance(material, IssuerMaterial) or listing.place != here:
        return Publication(material, listing, None, told=False)
    try:
        return Publication(material, listing, material.issuers(), told=True)
    except MaterialUnavailable as error:
        incomplete.append(str(error))
    except MaterialMalformed as error:
        findings.append(malformed(material, error))
    return Publication(material, listing, None, told=False)
