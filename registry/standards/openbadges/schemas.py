"""The official JSON Schemas that the table of classes equals in verdict, by URL and digest (docs/adr/070, 172).

The files themselves may not be carried. The digest is SHA-256 of a schema's RFC 8785 form, as with contexts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from registry.standards.openbadges import DocumentClass

__all__ = ["SCHEMAS", "SchemaPin"]

_FOLDER = "https://purl.imsglobal.org/spec/ob/v3p0/schema/json"


@dataclass(frozen=True, slots=True)
class SchemaPin:
    """``digest`` (hex) is of the content that is checked here; ``others`` are of what else 1EdTech serves as this URL:
    an adaptation for JSON-LD that also takes single values where the schema wants arrays.
    """

    url: str
    document_class: DocumentClass
    digest: str
    others: frozenset[str] = frozenset()


_PINS = (
    SchemaPin(
        f"{_FOLDER}/ob_v3p0_achievementcredential_schema.json",
        "AchievementCredential",
        "d01caef83ce400a5474b7d36b44ce7a603e1c20918ab088c8342fb77dc380ec9",
        frozenset({"fb2d04ab56e8465fa3d41198272fa05c9038de5b99a6e0d870dec9f9aa21b75f"}),
    ),
    SchemaPin(
        f"{_FOLDER}/ob_v3p0_endorsementcredential_schema.json",
        "EndorsementCredential",
        "36e82f191e42beea79739907d380d3ae24539efd2b2fa72f063aa2cb20723c76",
    ),
)
SCHEMAS: Mapping[str, SchemaPin] = MappingProxyType({pin.url: pin for pin in _PINS})
