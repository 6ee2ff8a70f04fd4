"""JSON-LD expansion at the speed of issuing: what was expanded once is a plan for documents of the same outline.

A plan says which strings of a document come out in its RDF as they went in, and where. It is used only where that
follows from the JSON-LD API's rules, not from resemblance (docs/adr/062):

- The outline has everything but the strings: keys, nesting, order, numbers, the whole of @context, and which strings
  are equal to each other. Strings that are no slot have to be the same ones.
- A literal slot is a string that becomes the whole lexical value of a literal whose datatype is not rewritten: value
  expansion (section 5.3) looks at the term's definition and at the string's type, never at its content.
- An IRI slot is an absolute IRI of the schemes https, http, urn and did, which IRI expansion (section 5.2) hands
  through unless its prefix is a term: the trial run below uses the same scheme.
- A trial run with another string in each slot has to give the same quads with the strings exchanged.

Documents with contexts of their own, with lists or with unmapped terms have no plan.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.standards.contexts import Contexts, pinned_contexts
from registry.standards.proofs.jsonld import Expansion, to_quads
from registry.standards.proofs.rdfc import Quad, literal_text

__all__ = ["Expander", "default_expander"]

_MAX_OUTLINES = 256
_MAX_PLANS = 8  # for one outline: templates that differ in a fixed string

_XSD = "http://www.w3.org/2001/XMLSchema#"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# The datatypes whose lexical values the API rewrites (section 8.2.2).
_REWRITTEN = frozenset({f"{_XSD}double", f"{_RDF}JSON"})
_TYPE, _FIRST = f"<{_RDF}type>", f"<{_RDF}first>"
_IRI = re.compile(r"(https?):(?=//)[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+|(urn|did):[A-Za-z0-9._~:/?#@=%-]+")
_TRIALS = {"https": "https://trial.invalid/", "http": "http://trial.invalid/", "urn": "urn:trial:", "did": "did:trial:"}

_Outline = tuple[Any, ...]


class Expander:
    """Expands documents against one set of contexts and remembers plans. May be used by several threads."""

    def __init__(self, contexts: Contexts) -> None:
        self.contexts = contexts
        self._plans: OrderedDict[_Outline, list[_Plan]] = OrderedDict()

    def expand(self, document: Mapping[str, Any]) -> Expansion:
        """As ``to_quads``, with the same errors."""
        strings: list[str] = []
        outline = _outline(document, strings)
        if outline is None:
            return to_quads(document, self.contexts)
        places: dict[str, int] = {}
        key = (outline, tuple([places.setdefault(text, len(places)) for text in strings]))
        values = list(places)
        plans = self._plans.get(key)
        for plan in plans or ():
            if plan.fits(values):
                return Expansion(plan.quads(values), ())
        expansion = to_quads(document, self.contexts)
        if plans is None:
            # Making a plan costs two more runs: only for an outline that comes again.
            self._remember(key)
        elif not expansion.unmapped and len(plans) < _MAX_PLANS:
            made = self._make(document, values, expansion.quads)
            if made is not None:
                plans.append(made)
        return expansion

    def _remember(self, key: _Outline) -> None:
        self._plans[key] = []
        while len(self._plans) > _MAX_OUTLINES:
            self._plans.popitem(last=False)

    def _make(self, document: Mapping[str, Any], values: Sequence[str], quads: Sequence[Quad]) -> "_Plan | None":
        if any(quad[1] == _FIRST for quad in quads) or _has_odd_terms(document["@context"], self.contexts):
            return None
        terms = {term for quad in quads for term in quad}
        kept = {quad[2] for quad in quads if quad[1] == _TYPE} | {quad[1] for quad in quads} | {q[3] for q in quads}
        datatypes = _datatypes(terms)
        slots: dict[int, str] = {}
        for place, value in enumerate(values):
            scheme = _scheme(value)
            if scheme is not None and f"<{value}>" in terms:
                if f"<{value}>" not in kept:
                    slots[place] = f"{_TRIALS[scheme]}{place}"
            elif not terms.isdisjoint([literal_text(value, datatype) for datatype in datatypes]):
                slots[place] = f"trial {place}"
        trial = {values[place]: text for place, text in slots.items()}
        try:
            tried = to_quads(_exchange(document, trial), self.contexts)
        except ValueError:
            return None
        plan = _Plan(tuple(values), slots, tried.quads)
        return plan if not tried.unmapped and set(plan.quads(list(values))) == set(quads) else None


class _Plan:
    """The quads of a trial run, in which slots are found again by their trial strings."""

    def __init__(self, values: tuple[str, ...], slots: Mapping[int, str], quads: Sequence[Quad]) -> None:
        self._fixed = [(place, value) for place, value in enumerate(values) if place not in slots]
        self._slots: list[_Slot] = []
        self._iris: list[tuple[int, str]] = []
        datatypes = _datatypes({quad[2] for quad in quads})
        place_of = {f"<{text}>": _Slot(place, None) for place, text in slots.items() if ":" in text}
        for place, text in slots.items():
            for datatype in datatypes:
                place_of[literal_text(text, datatype)] = _Slot(place, datatype)
        terms: dict[str, int] = {}
        self._quads = [tuple([terms.setdefault(term, len(terms)) for term in quad]) for quad in quads]
        self._terms = list(terms)
        for text, number in terms.items():
            slot = place_of.get(text)
            if slot is not None:
                self._slots.append(_Slot(slot.place, slot.datatype, number))
        for place, text in slots.items():
            if ":" in text:
                self._iris.append((place, text.partition(":")[0]))

    def fits(self, values: Sequence[str]) -> bool:
        return all(values[place] == value for place, value in self._fixed) and all(
            _scheme(values[place]) == scheme for place, scheme in self._iris
        )

    def quads(self, values: Sequence[str]) -> tuple[Quad, ...]:
        terms = self._terms.copy()
        for slot in self._slots:
            value = values[slot.place]
            terms[slot.term] = f"<{value}>" if slot.datatype is None else literal_text(value, slot.datatype)
        return tuple([(terms[s], terms[p], terms[o], terms[g]) for s, p, o, g in self._quads])


@dataclass(frozen=True, slots=True)
class _Slot:
    """A string of the document (by place) that is a term of the quads (by number): an IRI, or of a datatype."""

    place: int
    datatype: str | None
    term: int = -1


def default_expander() -> Expander:
    """The one over ``pinned_contexts()``, shared by all of the process."""
    return _DEFAULT


def _datatypes(terms: set[str]) -> set[str]:
    """The datatypes of the literals among the terms; literals with a language are left to the slow way."""
    found = {term.rpartition('"^^<')[2][:-1] for term in terms if term.startswith('"') and term.endswith(">")}
    return (found | {f"{_XSD}string"}) - _REWRITTEN


def _scheme(value: str) -> str | None:
    found = _IRI.fullmatch(value)
    return (found[1] or found[2]) if found else None


def _outline(document: Mapping[str, Any], strings: list[str]) -> _Outline | None:
    """Everything of a document but its strings, which are appended; None for one that has no plan."""
    context = document.get("@context")
    urls = context if isinstance(context, list) else [context]
    if not all(isinstance(url, str) for url in urls):
        return None
    parts: list[Any] = [tuple(urls), isinstance(context, list)]
    for key, value in document.items():
        if key != "@context":
            parts.append(key)
            if not _walk(value, parts, strings, 0):
                return None
    return tuple(parts)


def _walk(value: Any, parts: list[Any], strings: list[str], depth: int) -> bool:
    kind = type(value)
    if kind is str:
        parts.append(0)
        strings.append(value)
    elif kind is dict:
        if "@context" in value or depth > 40:
            return False
        parts.append(1)
        for key, below in value.items():
            parts.append(key)
            if not _walk(below, parts, strings, depth + 1):
                return False
        parts.append(2)
    elif kind is list:
        if depth > 40:
            return False
        parts.append(3)
        for below in value:
            if not _walk(below, parts, strings, depth + 1):
                return False
        parts.append(4)
    else:
        parts.append((kind, repr(value)))  # 1, 1.0 and True are equal in Python
    return True


def _exchange(value: Any, strings: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return strings.get(value, value)
    if isinstance(value, list):
        return [_exchange(item, strings) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "@context" else _exchange(item, strings) for key, item in value.items()}
    return value


def _has_odd_terms(urls: object, contexts: Contexts) -> bool:
    """Whether a context defines a term that looks like an IRI, or a prefix among the schemes of slots."""
    todo: list[Any] = [contexts.load(str(url)) for url in (urls if isinstance(urls, list) else [urls])]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if any(":" in key or key in _TRIALS for key in item):
                return True
            todo += item.values()
        elif isinstance(item, list):
            todo += item
    return False


_DEFAULT = Expander(pinned_contexts())
