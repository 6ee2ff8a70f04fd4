"""The informational check `schema`: Open Badges against the table that equals the official JSON Schemas."""

from collections.abc import Mapping
from typing import Any

from registry.core.model import Check
from registry.core.notation import short
from registry.core.verdict import Code, passed, skipped, unknown
from registry.standards.openbadges import DocumentClass, class_of, find_faults
from registry.standards.openbadges.schemas import SCHEMAS

__all__ = ["check_schema"]

_VALIDATOR = "1EdTechJsonSchemaValidator2019"
_CLASSES = frozenset(pin.document_class for pin in SCHEMAS.values())
_SHOWN = 3


def check_schema(credential: Mapping[str, Any]) -> Check:
    """PASS, UNKNOWN `schema_faults`, or SKIPPED. Never FAIL: who holds a badge cannot mend it. Asks nobody."""
    name = "schema"
    wanted = _class_of(credential)
    if wanted is None:
        if "credentialSchema" in credential:
            return skipped(name, Code.SCHEMA_NOT_KNOWN, "The schema that the credential names is not known here.")
        return skipped(name, Code.NO_SCHEMA, "The credential names no schema.")
    # What a verifier could be asked to look at is bounded by the size of a credential, and the faults by their table.
    faults = find_faults(credential, wanted, strict=False)
    if not faults:
        return passed(name, f"It follows the official schema of an Open Badges 3.0 {wanted}.")
    places = ", ".join(f"{short(fault.pointer or '(the document)')} ({fault.code})" for fault in faults[:_SHOWN])
    more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return unknown(name, Code.SCHEMA_FAULTS, f"It departs from the official Open Badges 3.0 schema at {places}{more}.")


def _class_of(credential: Mapping[str, Any]) -> DocumentClass | None:
    found = class_of(credential)
    if found in _CLASSES:
        return found
    schemas = credential.get("credentialSchema")
    for schema in schemas if isinstance(schemas, list) else [schemas]:
        if isinstance(schema, dict) and schema.get("type") == _VALIDATOR and isinstance(schema.get("id"), str):
            pin = SCHEMAS.get(schema["id"])
            if pin is not None:
                return pin.document_class
    return None
