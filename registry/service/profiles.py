"""Profiles of templates: which questions lead to one, and whether one gives good credentials, before the first row.

A template is checked as it will be used: its placeholders are filled with plausible values, once all of them and once
without the optional ones, and completed as the registry completes a credential.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.core.errors import InputError
from registry.core.notation import short
from registry.service.templates import Template, parse_template
from registry.standards import eu, openbadges
from registry.standards.openbadges import template as open_badge
from registry.standards.openbadges.template import AnswerError, TemplateField
from registry.standards.proofs.verifying import find_unmapped

__all__ = ["PROFILES", "Profile", "TemplateFault", "check_template", "csv_header", "find_answer_faults"]

_ISSUER = "did:web:issuer.example"
_IDENTIFIER = "urn:uuid:00000000-0000-4000-8000-000000000000"
_PLAIN = "Example"
# What cells hold in life. Of these the first is taken with which a placeholder gives the fewest faults.
_PLAUSIBLE = (
    "2026-03-01", "2026-03-01T12:00:00Z", "5", "1", "0.5", "learner@example.org", "https://example.org/1",
    "urn:uuid:2c8c5a4e-6a37-4b36-9b1c-6f2a05a5a9e1", "IE", "en", "PT125H", "Ireland", "true",
)  # fmt: skip
_PLAUSIBLE_NUMBERS = ("5", "0.5")
_MAX_TRIED = 100  # columns; no table of learners has so many


@dataclass(frozen=True, slots=True)
class Profile:
    """What ``registry template new`` asks for, and what it makes of the answers."""

    name: str
    fields: tuple[TemplateField, ...]
    build: Callable[[Mapping[str, str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """``profile`` is which one asks for it; the pointer leads into the filled credential, which has the same shape."""

    profile: str
    pointer: str
    message: str


OPEN_BADGE = Profile("open-badge", open_badge.template_fields(), open_badge.build_template)
MICRO_CREDENTIAL = Profile(eu.PROFILE, eu.template_fields(), eu.build_template)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (MICRO_CREDENTIAL, OPEN_BADGE)}


def find_answer_faults(profile: Profile, answers: Mapping[str, str]) -> tuple[AnswerError, ...]:
    """All answers that cannot be used, and those that are missing."""
    known = {field.name for field in profile.fields}
    found = [AnswerError("There is no such question.", f"/{short(name)}") for name in answers if name not in known]
    for field in profile.fields:
        try:
            field.parse(answers.get(field.name, ""))
        except AnswerError as error:
            found.append(error if answers.get(field.name) else _missing(field))
    return tuple(found)


def _missing(field: TemplateField) -> AnswerError:
    return AnswerError(f"The answer is missing: {field.question}", f"/{field.name}")


def csv_header(template: Template) -> str:
    """The first line of the CSV file that a template needs; in RFC 4180 a name with a comma is quoted."""
    names = (*template.required, *template.optional)
    return ",".join(f'"{name.replace(chr(34), chr(34) * 2)}"' if set(name) & set('",\n') else name for name in names)


def check_template(data: bytes, profile: str | None = None) -> tuple[TemplateFault, ...]:
    """Everything that keeps a template's credentials from being good; () if nothing does.

    Asks for Open Badges strictly, and for the profile of micro-credentials if that is named or the template claims it.
    Raises JsonError, or ShapeError, if it is no template at all.
    """
    template = parse_template(data)
    columns = (*template.required, *template.optional)
    cells = {column: "1" if column in template.numbers else _PLAIN for column in columns}
    for column in columns[:_MAX_TRIED]:
        if not (best := len(_faults(template, cells, profile))):
            break
        for value in _PLAUSIBLE_NUMBERS if column in template.numbers else _PLAUSIBLE:
            tried = {**cells, column: value}
            if (count := len(_faults(template, tried, profile))) < best:
                best, cells = count, tried
    blank = {**cells, **dict.fromkeys(template.optional, "")}
    faults: list[TemplateFault] = []
    for row in (cells, blank):
        faults += _faults(template, row, profile)
        faults += _find_unmapped(_completed(template.fill(row)))
    return tuple(dict.fromkeys(faults))


def _faults(template: Template, cells: Mapping[str, str], profile: str | None) -> tuple[TemplateFault, ...]:
    return tuple(_find_faults(_completed(template.fill(cells)), profile))


def _find_unmapped(credential: dict[str, Any]) -> Iterator[TemplateFault]:
    """What no signature over the RDF would cover; only asked about at the end, as it takes much longer."""
    try:
        for pointer in find_unmapped(credential):
            message = "No context defines this, or it is a relative address. Remove it, or add its context."
            yield TemplateFault(OPEN_BADGE.name, pointer, message)
    except InputError as error:
        yield TemplateFault(OPEN_BADGE.name, "/@context", f"It cannot be read as JSON-LD: {error}.")


def _completed(filled: object) -> dict[str, Any]:
    """As issuing completes it. With nothing but optional placeholders, a blank row leaves nothing to complete."""
    if not isinstance(filled, dict):
        filled = {}
    issuer = filled.get("issuer") or _ISSUER
    completed = {"id": _IDENTIFIER, "validFrom": "2026-03-01T12:00:00Z", **filled}
    return {**completed, "issuer": {"id": _ISSUER, **issuer} if isinstance(issuer, dict) else issuer}


def _find_faults(credential: dict[str, Any], profile: str | None) -> Iterator[TemplateFault]:
    for name in ("proof", "credentialStatus"):
        if name in credential:
            yield TemplateFault(OPEN_BADGE.name, f"/{name}", "Leave it out: the registry adds it to each credential.")
    for fault in openbadges.find_faults(credential):
        yield TemplateFault(OPEN_BADGE.name, fault.pointer, fault.message)
    if profile == eu.PROFILE or (profile is None and eu.claims_profile(credential)):
        for element in eu.find_faults(credential):
            yield TemplateFault(eu.PROFILE, element.pointer, element.message)
