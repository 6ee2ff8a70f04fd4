"""RDF Dataset Canonicalization (RDFC-1.0, https://www.w3.org/TR/rdf-canon/), with a limit on the work it may take.

Our own because neither pyld nor pyoxigraph can be stopped: a graph of two kilobytes keeps them busy for hours ("poison
graphs", section 7.1). Both are oracles in the tests. Section numbers below are those of the recommendation.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from itertools import permutations

from registry.core.errors import InputError

__all__ = ["MAX_WORK", "Quad", "TooComplex", "canonicalize_quads", "literal_text"]

# Subject, predicate, object and graph name as N-Quads writes them; "" is the default graph. Blank nodes are "_:…".
Quad = tuple[str, str, str, str]

# Calls of Hash N-Degree Quads and permutations looked at. A credential needs a handful; this many take about a second.
MAX_WORK = 4_000
# Calls within calls: a chain of blank nodes that look alike. Lists of several hundred equal items are out.
_MAX_DEPTH = 100

# Section 5, canonical N-Quads: these are escaped in literals and nothing else is.
_ESCAPES = {chr(code): f"\\u{code:04X}" for code in (*range(0x20), 0x7F)} | {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
_POSITIONS = ((0, "s"), (2, "o"), (3, "g"))


class TooComplex(InputError):
    """The graph is not canonicalized: it takes more work than any credential needs."""


def literal_text(value: str, datatype: str = _XSD_STRING, language: str | None = None) -> str:
    """A literal as canonical N-Quads writes it."""
    quoted = f'"{_ESCAPED.sub(lambda match: _ESCAPES[match[0]], value)}"'
    if language is not None:
        return f"{quoted}@{language}"
    return quoted if datatype == _XSD_STRING else f"{quoted}^^<{datatype}>"


def canonicalize_quads(quads: Iterable[Quad], algorithm: str = "sha256", max_work: int = MAX_WORK) -> bytes:
    """The canonical N-Quads document, UTF-8. Quads that occur twice count once.

    Raises TooComplex when more than ``max_work`` steps would be needed.
    """
    unique = set(quads)
    state = _State(unique, algorithm, max_work)
    names = state.issue()
    if names:
        get = names.get
        lines = [_line(get(s, s), p, get(o, o), get(g, g)) for s, p, o, g in unique]
    else:
        lines = [_line(*quad) for quad in unique]
    lines.sort()
    return "".join(lines).encode()


def _line(subject: str, predicate: str, object_: str, graph: str) -> str:
    return f"{subject} {predicate} {object_} {graph} .\n" if graph else f"{subject} {predicate} {object_} .\n"


class _Issuer:
    """Section 4.5: names for blank nodes, in the order in which they were asked for."""

    __slots__ = ("_prefix", "names")

    def __init__(self, prefix: str, names: dict[str, str] | None = None) -> None:
        self._prefix = prefix
        self.names = {} if names is None else names

    def issue(self, node: str) -> str:
        return self.names.setdefault(node, f"{self._prefix}{len(self.names)}")

    def copy(self) -> "_Issuer":
        return _Issuer(self._prefix, dict(self.names))


class _State:
    """Section 4.2: the state of one canonicalization."""

    def __init__(self, quads: Iterable[Quad], algorithm: str, max_work: int) -> None:
        self._hash: Callable[[bytes], str] = lambda data: hashlib.new(algorithm, data).hexdigest()
        self._work = max_work
        self._depth = 0
        self._canonical = _Issuer("_:c14n")
        self._quads: dict[str, list[Quad]] = {}
        self._first_degree: dict[str, str] = {}
        for quad in quads:
            for node in {quad[0], quad[2], quad[3]}:
                if node.startswith("_:"):
                    self._quads.setdefault(node, []).append(quad)

    def issue(self) -> dict[str, str]:
        """Section 4.4.3, the algorithm: blank node → canonical name."""
        by_hash: dict[str, list[str]] = {}
        for node in self._quads:
            by_hash.setdefault(self._hash_first_degree(node), []).append(node)
        shared = []
        for digest in sorted(by_hash):
            nodes = by_hash[digest]
            if len(nodes) == 1:
                self._canonical.issue(nodes[0])
            else:
                shared.append(nodes)
        for nodes in shared:
            results = []
            for node in nodes:
                if node not in self._canonical.names:
                    issuer = _Issuer("_:b")
                    issuer.issue(node)
                    results.append(self._hash_n_degree(node, issuer))
            for _, issuer in sorted(results, key=lambda result: result[0]):
                for node in issuer.names:
                    self._canonical.issue(node)
        return self._canonical.names

    def _hash_first_degree(self, node: str) -> str:
        """Section 4.6.3."""
        found = self._first_degree.get(node)
        if found is None:
            lines = []
            for subject, predicate, object_, graph in self._quads[node]:
                lines.append(_line(_mark(subject, node), predicate, _mark(object_, node), _mark(graph, node)))
            lines.sort()
            found = self._first_degree[node] = self._hash("".join(lines).encode())
        return found

    def _hash_related(self, related: str, quad: Quad, issuer: _Issuer, position: str) -> str:
        """Section 4.7.3."""
        name = self._canonical.names.get(related) or issuer.names.get(related) or self._hash_first_degree(related)
        return self._hash(f"{position}{quad[1] if position != 'g' else ''}{name}".encode())

    def _hash_n_degree(self, node: str, issuer: _Issuer) -> tuple[str, _Issuer]:
        """Section 4.8.3."""
        self._spend()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TooComplex("the credential's blank nodes form a chain of equals that is too long to be put in order")
        related: dict[str, list[str]] = {}
        for quad in self._quads[node]:
            for place, position in _POSITIONS:
                other = quad[place]
                if other != node and other.startswith("_:"):
                    related.setdefault(self._hash_related(other, quad, issuer, position), []).append(other)
        parts: list[str] = []
        for digest in sorted(related):
            chosen_path, chosen_issuer = "", issuer
            for order in permutations(related[digest]):
                self._spend()
                found = self._follow(order, issuer, chosen_path)
                if found is not None and (not chosen_path or found[0] < chosen_path):
                    chosen_path, chosen_issuer = found
            parts += (digest, chosen_path)
            issuer = chosen_issuer
        self._depth -= 1
        return self._hash("".join(parts).encode()), issuer

    def _follow(self, order: tuple[str, ...], issuer: _Issuer, chosen: str) -> tuple[str, _Issuer] | None:
        """Section 4.8.3, step 5.4: the path of one order, None as soon as it cannot be the least."""
        copy, path, recursion = issuer.copy(), "", []
        for related in order:
            name = self._canonical.names.get(related)
            if name is None:
                if related not in copy.names:
                    recursion.append(related)
                name = copy.issue(related)
            path += name
            if chosen and len(path) >= len(chosen) and path > chosen:
                return None
        for related in recursion:
            digest, below = self._hash_n_degree(related, copy)
            path += f"{copy.issue(related)}<{digest}>"
            copy = below
            if chosen and len(path) >= len(chosen) and path > chosen:
                return None
        return path, copy

    def _spend(self) -> None:
        self._work -= 1
        if self._work < 0:
            raise TooComplex("the credential's blank nodes are too much alike to be put in order within the limit")


def _mark(term: str, node: str) -> str:
    """Section 4.6.3, step 3.1: the node itself is _:a, every other blank node is _:z."""
    if not term.startswith("_:"):
        return term
    return "_:a" if term == node else "_:z"
