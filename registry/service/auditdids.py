"""DID documents as they are published, held against what the issuers' addresses claimed on chain."""

from collections.abc import Collection, Iterator

from anchors.base import Chain
from registry.core.audit import Finding, Where, find
from registry.core.audit_chain import ChainView, Claim
from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.notation import chain_text, hex_text, short
from registry.service.auditkeys import former_keys
from registry.service.auditstate import AuditState
from registry.service.published import MaterialMalformed
from registry.service.publishedissuers import IssuerMaterial, PublishedIssuer
from registry.standards.did.document import Account, DidDocument, parse_did_document
from registry.standards.did.key import is_own_key

__all__ = ["DidAudit", "account_text", "accounts_text"]


class DidAudit:
    """``incomplete`` is added to. ``documents`` are those of the first publication that has one, by address and DID."""

    def __init__(self, view: ChainView, chain: Chain, incomplete: list[str], state: AuditState | None) -> None:
        self._view = view
        self._chain = chain
        self._incomplete = incomplete
        self._state = state
        self._untold = view.incomplete()
        self._claims: dict[bytes, list[Claim]] = {}
        for claim in view.claims:
            self._claims.setdefault(claim.issuer, []).append(claim)
        self.documents: dict[tuple[bytes, str], DidDocument] = {}

    def audit(
        self, material: IssuerMaterial, issuer: PublishedIssuer, shown: dict[bytes, DidDocument]
    ) -> Iterator[Finding]:
        """The document goes into ``shown``. Raises ChainError, MaterialMalformed, MaterialUnavailable."""
        where = Where(issuer.address, source=material.name)
        data = material.document(issuer)
        if data is None:
            if issuer.document is not None:
                yield find("did_document_differs", f"the document {issuer.document.hex()}", "none", where)
                yield from self._claimed(issuer, {issuer.document}, where)
            elif issuer.address in self._claims:
                # Who has its document elsewhere may have claimed nothing at all; another DID it may not have claimed.
                yield from self._claimed(issuer, (), where)
            yield from former_keys(self._state, (material.name, issuer.did), None, where)
            return
        named, document, broken = _read_document(issuer, data)
        hashes = {issuer.document, None if document is None else document.hash} - {None}
        yield from self._claimed(issuer, hashes, where)
        if named is not None and named != issuer.did:
            observed = f"that of {short(named, 200)}"
            yield find("did_document_differs", f"the document of {short(issuer.did, 200)}", observed, where)
            return
        if document is None:
            raise MaterialMalformed(f"the DID document of {short(issuer.did)} cannot be read: {broken}")
        shown[issuer.address] = document
        self.documents.setdefault((issuer.address, issuer.did), document)
        if issuer.document is not None and document.hash != issuer.document:
            yield find("did_document_differs", f"the document {issuer.document.hex()}", document.hash.hex(), where)
        account = Account(self._view.chain_id, issuer.address)
        if self._acts(issuer.address) and not is_own_key(issuer.did) and not document.names(account):
            expected = f"{account_text(account)}, under assertionMethod of {short(issuer.did, 200)}"
            yield find("did_names_other_account", expected, accounts_text(document) or "none", where)
        yield from self._claimed_document(issuer, document, where)
        yield from former_keys(self._state, (material.name, issuer.did), document, where)

    def _acts(self, address: bytes) -> bool:
        """Whether it has anchored or claimed anything: before that, there is nothing to be said of it."""
        return bool(self._view.next_index.get(address)) or address in self._claims

    def _claimed(self, issuer: PublishedIssuer, documents: Collection[bytes | None], where: Where) -> Iterator[Finding]:
        """Whether the address claims the DID, with whatever document: by the history, or by the state with one of these
        (their hashes) or with none. Raises ChainError.
        """
        address = issuer.address
        mine = {claim.did for claim in self._claims.get(address, ())}
        if issuer.did in mine or not self._acts(address):
            return
        if any(self._is_claimed(issuer, item) for item in {*documents, bytes(32)} if item is not None):
            return
        if address in self._untold:
            self._incomplete.append(
                f"Whether {hex_text(address)} claimed {short(issuer.did)} with another document than the one in "
                f"{where.source} could not be asked: the node has not got all events."
            )
            return
        others = ", ".join(sorted(mine)) or "no claim"
        yield find("did_not_claimed", f"a claim of {issuer.did} by the address", short(others, 300), where)

    def _claimed_document(self, issuer: PublishedIssuer, document: DidDocument, where: Where) -> Iterator[Finding]:
        """By the state, for a DID that is claimed with another document. Raises ChainError."""
        hashes = [claim.document_hash for claim in self._claims.get(issuer.address, ()) if claim.did == issuer.did]
        if hashes and document.hash not in hashes and not self._is_claimed(issuer, document.hash):
            expected = f"a document that was claimed: {hashes[-1].hex()}"
            yield find("did_document_unclaimed", expected, document.hash.hex(), where)

    def _is_claimed(self, issuer: PublishedIssuer, document: bytes) -> bool:
        return self._chain.read_claim(issuer.address, issuer.did, document, self._view.block) > 0


def account_text(account: Account) -> str:
    """By its CAIP-10 name: the same address on another chain is another account."""
    return f"{chain_text(account.chain_id)}:{hex_text(account.address)}"


def accounts_text(document: DidDocument) -> str:
    return short(", ".join(sorted(map(account_text, document.accounts))), 300)


def _read_document(issuer: PublishedIssuer, data: bytes) -> tuple[str | None, DidDocument | None, InputError | None]:
    """Whose document it says that it is, the document, and why it is none."""
    named = None
    try:
        content = parse_json(data)
        found = content.get("id") if isinstance(content, dict) else None
        named = found if isinstance(found, str) else None
        return named, parse_did_document(content, issuer.did), None
    except InputError as error:
        return named, None, error
