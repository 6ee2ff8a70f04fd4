"""Micro-credentials of the European approach, as Open Badges 3.0 credentials without a context of our own.

Council Recommendation of 16 June 2022 (2022/C 243/02), Annex I. See docs/spec/eu-micro-credential.md.
"""

from registry.standards.eu.elements import ELEMENTS, Element, ElementFault, claims_profile, find_faults
from registry.standards.eu.facts import FACT_NAMES, facts
from registry.standards.eu.template import AnswerError, TemplateField, build_template, template_fields

__all__ = [
    "ELEMENTS", "FACT_NAMES", "PROFILE", "AnswerError", "Element", "ElementFault", "TemplateField", "build_template",
    "claims_profile", "facts", "find_faults", "template_fields",
]  # fmt: skip

PROFILE = "eu-micro-credential"  # its name on the command line
