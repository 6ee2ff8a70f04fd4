"""What is wrong with a document, and where: collected, so that an issuer can mend everything at once."""

from dataclasses import dataclass, field
from enum import StrEnum

from registry.core.notation import short

__all__ = ["MAX_FAULTS", "Fault", "Faults", "Path", "Rule", "kind_of", "pointer"]

MAX_FAULTS = 100  # an array with a million wrong items is named once more, not a million times

# Where one is in a document, from the inside out: (place of the parent, own name or position); None is the document.
Path = tuple["Path", str | int] | None


class Rule(StrEnum):
    """Where a rule stands."""

    SCHEMA = "schema"  # the official JSON Schema of Open Badges 3.0
    FORMAT = "format"  # what the specification says of a value, and the schema leaves to prose or to "format"
    DATA_MODEL = "data-model"  # the VC Data Model 2.0, or the prose of Open Badges 3.0 on how fields go together


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: JSON pointer (RFC 6901), a stable code for programs, a sentence that says what to do."""

    pointer: str
    code: str
    message: str
    rule: Rule


@dataclass(slots=True)
class Faults:
    """Collects up to ``MAX_FAULTS``, and drops the rest. With ``strict`` unset, only the official schema counts."""

    strict: bool
    found: list[Fault] = field(default_factory=list)

    def add(self, path: Path, code: str, message: str, rule: Rule = Rule.SCHEMA) -> None:
        if len(self.found) < MAX_FAULTS:
            self.found.append(Fault(pointer(path), code, message, rule))


def pointer(path: Path) -> str:
    """The JSON pointer of a place (RFC 6901 section 3)."""
    parts: list[str] = []
    while path is not None:
        path, name = path
        parts.append(short(str(name)).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in reversed(parts))


def kind_of(value: object) -> str:
    """What a JSON value is, for a message."""
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    return names.get(type(value), "a number")
