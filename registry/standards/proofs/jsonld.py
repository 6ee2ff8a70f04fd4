"""JSON-LD to RDF (JSON-LD 1.1 API sections 5.1 and 8), and which parts of a document do not come through.

The one module that knows pyld. Contexts come from ``Contexts`` only. Work is bounded, since inline contexts are
somebody else's programs. What expansion drops is nothing that a signature over the RDF covers, so it is reported.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pyld.context_resolver import ContextResolver  # type: ignore[import-untyped]
from pyld.jsonld import JsonLdError, JsonLdProcessor  # type: ignore[import-untyped]

from registry.core.errors import InputError, JsonError
from registry.core.notation import short
from registry.standards.contexts import Contexts, UnknownContext
from registry.standards.proofs.rdfc import Quad, TooComplex, literal_text

__all__ = ["MAX_STEPS", "Expansion", "JsonLdFault", "to_quads"]

# Objects expanded, terms defined, and contexts copied by their size: a badge takes some 300.
MAX_STEPS = 20_000
# pyld compares each value of a property with all before it; 3,000 of them take a second or two.
_MAX_VALUES = 3_000
_MAX_DEPTH = 48

_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*):[^\s<>\"{}|\\^`\x00-\x20]*")
_BLANK = re.compile(r"_:[A-Za-z0-9_][A-Za-z0-9_.-]*(?<!\.)")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
# A credential has no base; pyld would take http://example.org/base/ for it, and relative IRIs would pass for absolute.
_BASE = "x-relative://x/"


class JsonLdFault(InputError):
    """The document is not JSON-LD that can be expanded: a protected term redefined, a keyword misused, …"""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The quads of a document, and the JSON pointers of what is in none of them."""

    quads: tuple[Quad, ...]
    unmapped: tuple[str, ...]


def to_quads(document: Mapping[str, Any], contexts: Contexts) -> Expansion:
    """The RDF dataset of a JSON-LD document.

    Raises UnknownContext, JsonLdFault, and TooComplex for documents that take more work than credentials do.
    """
    _check_size(document)
    processor = _Processor()
    resolver = _resolver(contexts)
    options = {"base": _BASE, "documentLoader": resolver.document_loader, "contextResolver": resolver}
    try:
        dataset = processor.to_rdf(document, options)
    except (UnknownContext, TooComplex):
        raise
    except JsonLdError as error:
        raise _translate(error) from error
    except (JsonError, RecursionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        # pyld takes shapes for granted that hostile documents do not have.
        raise JsonLdFault(f"not JSON-LD that can be expanded ({type(error).__name__})") from error
    quads, lost = [], set(processor.lost)
    for graph, triples in dataset.items():
        name = "" if graph == "@default" else _resource(graph)
        for triple in triples:
            quad = _quad(triple, name)
            if quad is None:
                lost |= _unusable(triple)
            else:
                quads.append(quad)
    unmapped = set(processor.dropped)
    for iri in lost:
        text = iri.removeprefix(_BASE)
        # The whole document where the place cannot be told: never silently.
        unmapped |= {pointer for pointer, found in _strings(document) if found == text} or {""}
    return Expansion(tuple(quads), tuple(sorted(unmapped)))


class _Processor(JsonLdProcessor):  # type: ignore[misc]
    """pyld's processor, which counts its work and remembers what it drops.

    ``dropped`` holds JSON pointers of keys, ``lost`` the relative IRIs that became no RDF.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped: list[str] = []
        self.lost: set[str] = set()
        self._places: dict[int, str] | None = None
        self._steps = 0

    def _spend(self, steps: int = 1) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise TooComplex("the document takes more work to expand than any credential")

    def _expand(self, active_ctx: Any, active_property: Any, element: Any, *rest: Any, **named: Any) -> Any:
        if self._places is None:  # the first call is about the whole document, copied by expand()
            self._places = {id(item): pointer for pointer, item in _objects(element)}
        return super()._expand(active_ctx, active_property, element, *rest, **named)

    def _expand_object(self, active_ctx: Any, active_property: Any, expanded: Any, element: Any, *rest: Any,
                       **named: Any) -> Any:  # fmt: skip
        self._spend()
        pointer = (self._places or {}).get(id(element))
        if pointer is not None:
            for key in element:
                iri = key if key == "@context" else self._expand_iri(active_ctx, key, vocab=True)
                if _is_direction_of_text(key, element):
                    continue
                if _says_nothing(iri) or _is_index_map(active_ctx, key):
                    self.dropped.append(f"{pointer}/{_escape(key)}")
        return super()._expand_object(active_ctx, active_property, expanded, element, *rest, **named)

    def _create_term_definition(self, *arguments: Any, **named: Any) -> Any:
        self._spend()
        return super()._create_term_definition(*arguments, **named)

    def _clone_active_context(self, active_ctx: Any) -> Any:
        self._spend(1 + len(active_ctx["mappings"]) // 50)
        return _ActiveContext(super()._clone_active_context(active_ctx))

    def _graph_to_rdf(self, graph: Any, issuer: Any, options: Any) -> Any:
        for id_, node in graph.items():
            if not _is_resource(id_) and len(node) > 1:
                self.lost.add(id_)
            for property_, items in node.items():
                if property_ == "@type":
                    self.lost |= {item for item in items if isinstance(item, str) and not _is_resource(item)}
                elif property_.startswith("_:"):
                    self.lost.add(property_)
        return super()._graph_to_rdf(graph, issuer, options)

    def _object_to_rdf(self, item: Any, issuer: Any, triples: Any, options: Any) -> Any:
        if isinstance(item, dict) and isinstance(item.get("@id"), str) and not _is_resource(item["@id"]):
            self.lost.add(item["@id"])
        return super()._object_to_rdf(item, issuer, triples, options)


class _ActiveContext(dict[str, Any]):
    """pyld deletes @vocab and @language where a context sets them to null, also where there are none to delete."""

    def __delitem__(self, key: str) -> None:
        self.pop(key, None)


def _says_nothing(iri: Any) -> bool:
    """Whether what stands under a key leaves no trace in RDF: the key has no IRI, or it is @index or @direction."""
    if not isinstance(iri, str) or iri in {"@index", "@direction"}:
        return True
    return not iri.startswith("@") and not _is_resource(iri)


def _is_direction_of_text(key: str, element: dict[str, Any]) -> bool:
    """RDF drops it, but it says nothing beyond the text beside it (docs/adr/147); under any other name it may."""
    return key == "@direction" and "@value" in element and element[key] in ("ltr", "rtl")


def _is_index_map(active_ctx: Any, key: str) -> bool:
    """Whether the keys below are indexes, of which RDF knows nothing (JSON-LD 1.1 section 4.6.1)."""
    mapping = active_ctx["mappings"].get(key)
    return bool(mapping) and "@index" in (mapping.get("@container") or ()) and mapping.get("@index", "@index")[0] == "@"


# One cache of processed contexts for each set of contexts, never pyld's process-wide one: the same URL may mean
# another document in another set.
_caches: WeakKeyDictionary[Contexts, dict[str, Any]] = WeakKeyDictionary()


def _resolver(contexts: Contexts) -> Any:
    def load(url: str, _options: object) -> dict[str, Any]:
        document = contexts.load(url)
        return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": document,
                "tag": "static"}  # fmt: skip

    return ContextResolver(_caches.setdefault(contexts, {}), load)


def _translate(error: Exception) -> InputError:
    """The innermost cause says what is wrong."""
    innermost: BaseException = error
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, UnknownContext | TooComplex):
            return seen
        if isinstance(seen, JsonLdError):
            innermost = seen
        seen = seen.__cause__
    code = getattr(innermost, "code", None)
    text = str(innermost.args[0]) if innermost.args else "invalid"
    return JsonLdFault(f"not JSON-LD that can be expanded: {short(str(code or text), 120)}")


def _check_size(document: object) -> None:
    level, count = [document], 0
    for _ in range(_MAX_DEPTH):
        level = [
            below
            for item in level
            if isinstance(item, dict | list)
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        count += len(level)
        if count > _MAX_VALUES:
            raise TooComplex(f"the document has more than {_MAX_VALUES} values")
        if not level:
            return
    raise TooComplex(f"the document is nested deeper than {_MAX_DEPTH} levels")


def _quad(triple: Mapping[str, Any], graph: str | None) -> Quad | None:
    subject, predicate = _resource(triple["subject"]["value"]), _resource(triple["predicate"]["value"])
    found = triple["object"]
    if found is None or subject is None or predicate is None or graph is None:
        return None
    object_ = _literal(found) if found["type"] == "literal" else _resource(found["value"])
    return None if object_ is None else (subject, predicate, object_, graph)


def _unusable(triple: Mapping[str, Any]) -> set[str]:
    """Which parts of a triple are no RDF."""
    resources = {part["value"] for part in triple.values() if part and part["type"] != "literal"}
    lost = {value for value in resources if not _is_resource(value)}
    found = triple["object"]
    if found and found["type"] == "literal" and _literal(found) is None:
        lost.add(str(triple["object"]["value"]))
    return lost


def _literal(found: Mapping[str, Any]) -> str | None:
    value, language, datatype = found["value"], found.get("language"), str(found["datatype"])
    if not isinstance(value, str) or (language is not None and not _LANGUAGE.fullmatch(language)):
        return None
    if language is None and not _ABSOLUTE.fullmatch(datatype):
        return None
    return literal_text(value, datatype, language)


def _resource(iri: str) -> str | None:
    if _BLANK.fullmatch(iri):
        return iri
    return f"<{iri}>" if _ABSOLUTE.fullmatch(iri) and not iri.startswith(_BASE) else None


def _is_resource(iri: str) -> bool:
    return _resource(iri) is not None


def _objects(value: Any, pointer: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every object of the document with its JSON pointer (RFC 6901), but for those within contexts."""
    found, todo = [], [(pointer, value)]
    while todo:
        at, item = todo.pop()
        if isinstance(item, dict):
            found.append((at, item))
            todo += [(f"{at}/{_escape(key)}", below) for key, below in item.items() if key != "@context"]
        elif isinstance(item, list):
            todo += [(f"{at}/{place}", below) for place, below in enumerate(item)]
    return found


def _strings(document: object) -> list[tuple[str, str]]:
    found, todo = [], [("", document)]
    while todo:
        at, item = todo.pop()
        if isinstance(item, dict):
            todo += [(f"{at}/{_escape(key)}", below) for key, below in item.items() if key != "@context"]
            found += [(f"{at}/{_escape(key)}", key) for key in item]
        elif isinstance(item, list):
            todo += [(f"{at}/{place}", below) for place, below in enumerate(item)]
        elif isinstance(item, str):
            found.append((at, item))
    return found


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
