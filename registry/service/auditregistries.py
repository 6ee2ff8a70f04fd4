"""Which publications are copies of one registry's, and with which keys each registry signs promises.

A registry is named by its own DID document, which stands in its publication. The DID alone does not tell: registries
that nobody gave an address share one. Whose copy a publication without a document is cannot be told.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from registry.core.audit import Finding, Where, find
from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.notation import short
from registry.service.auditkeys import former_keys
from registry.service.auditmaterial import malformed
from registry.service.auditstate import AuditState
from registry.service.published import MAX_DOCUMENT_BYTES, Material, MaterialMalformed, MaterialUnavailable
from registry.standards.did.document import DidDocument, parse_did_document

__all__ = ["Registries"]


class Registries:
    """``add`` each publication. ``incomplete`` is added to.

    ``without_keys``: why the keys of some publications are not known; ``unasked``: of those, what could not be asked.
    """

    def __init__(self, incomplete: list[str], state: AuditState | None = None) -> None:
        self._incomplete = incomplete
        self._state = state
        self._shown: dict[str, DidDocument] = {}
        self.without_keys: list[str] = []
        self.unasked: list[str] = []

    @property
    def documents(self) -> dict[str, list[DidDocument]]:
        """By DID, in the order of the publications that show them."""
        found: dict[str, list[DidDocument]] = defaultdict(list)
        for document in self._shown.values():
            found[document.did].append(document)
        return dict(found)

    def add(self, material: Material) -> Iterator[Finding]:
        try:
            data = material.own_document()
        except MaterialUnavailable as error:
            self._incomplete.append(str(error))
            self.miss(material)
            return
        except MaterialMalformed as error:
            yield from self._unreadable(material, error)
            return
        if data is None:
            self.without_keys.append(f"{material.name} has no keys of the registry")
            yield from former_keys(self._state, (material.name, ""), None, Where(source=material.name))
            return
        try:
            content = parse_json(data, MAX_DOCUMENT_BYTES)
            did = content.get("id") if isinstance(content, dict) else None
            document = parse_did_document(content, did if isinstance(did, str) else "")
        except InputError as error:
            wrong = MaterialMalformed(f"the registry's DID document cannot be read: {error}")
            yield from self._unreadable(material, wrong)
            return
        self._shown[material.name] = document
        yield from former_keys(self._state, (material.name, ""), document, Where(source=material.name))

    def miss(self, material: Material) -> None:
        """A publication that could not be read."""
        self.unasked.append(f"the keys in {material.name} could not be had")
        self.without_keys.append(self.unasked[-1])

    def copies(self, names: Sequence[str]) -> dict[str, list[str]]:
        """For each of these publications, in their order, all that are the same registry's: its DID, and one of its
        keys. What only has its DID and other keys is compared, and otherwise left to itself.
        """
        return {name: [other for other in names if name == other or self._share_a_key(name, other)] for name in names}

    def compare(self, issuers: Mapping[str, set[bytes]]) -> Iterator[Finding]:
        """The documents of one DID, each against the first. ``issuers``: those that a publication is about, by its
        name: registries without an address of their own have none in common, and no key.
        """
        shown = list(self._shown.items())
        for at, (name, theirs) in enumerate(shown):
            for first, ours in shown[:at]:
                if ours.did == theirs.did and (issuers[first] & issuers[name] or self._share_a_key(first, name)):
                    if ours.hash != theirs.hash:
                        expected = f"{ours.hash.hex()} for {short(ours.did, 200)}, as in {first}"
                        yield find("did_document_differs", expected, theirs.hash.hex(), Where(source=name))
                    break

    def _share_a_key(self, name: str, other: str) -> bool:
        ours, theirs = self._shown.get(name), self._shown.get(other)
        if ours is None or theirs is None or ours.did != theirs.did:
            return False
        return not _keys(ours).isdisjoint(_keys(theirs))

    def _unreadable(self, material: Material, error: MaterialMalformed) -> Iterator[Finding]:
        yield malformed(material, error)
        self.without_keys.append(f"the keys in {material.name} cannot be read")


def _keys(document: DidDocument) -> set[str]:
    methods = document.content.get("verificationMethod", [])
    return {str(method.get("publicKeyMultibase")) for method in methods}  # parse_did_document has looked at each
