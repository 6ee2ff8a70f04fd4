"""Hosted issuers: the operator's account anchors and revokes for them, with a key that their controller gave it.

The controller's key is used at the beginning, to sign that gift (`SetKey`) and to claim the issuer's DID (`SetDid`);
afterwards it belongs on another machine, cold. It can take the operator's key away at any time, and void batches;
losing it is final. Credentials are signed with a key of their own (registry.standards.keys), which is here to stay.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, select

from anchors.base import ContractCall, Role, SetDid, SetKey, Signature, Signer
from registry.core.errors import InputError
from registry.service import operations
from registry.service.context import Context
from registry.service.errors import ConflictError, InvalidError
from registry.service.identities import Identities, read_handed_document
from registry.service.issuers import HOSTED, SELF, SIGNS_ELSEWHERE, SIGNS_HERE, Issuer, Issuers
from registry.store.tables import chain_claims

__all__ = ["ControllerKeys", "Hosting", "Rotation"]

_ALL_ROLES = Role.ANCHOR | Role.REVOKE | Role.SUSPEND
# The contract takes deadlines of at most an hour; half of that leaves room for clocks that differ.
_DEADLINE_SECONDS = 1_800
_UNDER_WAY = ("PENDING", "SENT")


class ControllerKeys(Protocol):
    """Where controllers' keys lie, encrypted, one for each issuer name."""

    def open_or_create(self, name: str) -> Signer:
        """The controller's signer; made at the first call, so that repeating after a crash finds the same key."""
        ...

    def open(self, name: str) -> Signer:
        """Raises RegistryError if the key is not here (any more)."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that signs from now on, and whether its document's claim is under way.

    Otherwise the controller has to sign the claim: it waits for that, or the key has to be brought here.
    """

    key: str
    claimed: bool


class Hosting:
    """Creates issuers, and does for them what takes their controller's key."""

    def __init__(self, context: Context, issuers: Issuers, identities: Identities, keys: ControllerKeys) -> None:
        self._context = context
        self._issuers = issuers
        self._identities = identities
        self._keys = keys

    def create(
        self, name: str, did: str | None = None, *, signs: str | None = None, document: object | None = None
    ) -> Issuer:
        """A new issuer with a controller key of its own, and the wish to entitle the operator's account.

        ``signs``: whether this installation signs its credentials; if None, it does so unless the DID says that the
        keys are elsewhere (a document was handed over, or it is neither of ours nor a did:web). ``document``: its DID
        document as parsed JSON. A crash after the keys were made leaves keys without an issuer; creating it again uses
        them. Raises InvalidError, ConflictError, RegistryError (no password).
        """
        self._check_new(name, did)
        named = did or self._issuers.default_did(name)
        handed = None if document is None else read_handed_document(document, named)
        signs = signs or (SIGNS_HERE if handed is None and named.startswith("did:web:") else SIGNS_ELSEWHERE)
        self._check_signs(signs, named, handed)
        controller = self._keys.open_or_create(name)
        if signs == SIGNS_HERE:
            self._context.keys.create(name, named, self._context.clock())
        gift = self._gift(controller.address, nonce=0)  # a fresh address: its counter stands at 0
        authority = self._sign(controller, gift)

        def also(connection: Connection, issuer: Issuer) -> None:
            self._want(connection, issuer, operations.SET_KEY, gift, authority)
            if signs == SIGNS_HERE:
                call = SetDid(issuer.address, issuer.did, self._identities.keep(connection, issuer), nonce=1)
                self._want(connection, issuer, operations.SET_DID, call, self._sign(controller, call))

        return self._issuers.create(name, controller.address, HOSTED, did, also, signs=signs, document=handed)

    def create_self(
        self,
        name: str,
        address: bytes,
        did: str | None = None,
        *,
        signs: str | None = None,
        document: object | None = None,
    ) -> Issuer:
        """A new issuer that signs every contract call itself, with that address; nothing is anchored in its name here.

        Its credentials are its own to sign as well, unless ``signs`` says otherwise. Raises InvalidError and
        ConflictError.
        """
        self._check_new(name, did)
        named = did or self._issuers.default_did(name)
        handed = None if document is None else read_handed_document(document, named)
        signs = signs or SIGNS_ELSEWHERE
        self._check_signs(signs, named, handed)
        if signs == SIGNS_HERE:
            self._context.keys.create(name, named, self._context.clock())

        def also(connection: Connection, issuer: Issuer) -> None:
            if signs == SIGNS_HERE:
                call = SetDid(issuer.address, issuer.did, self._identities.keep(connection, issuer), nonce=0)
                self._want(connection, issuer, operations.SET_DID, call, None)

        return self._issuers.create(name, address, SELF, did, also, signs=signs, document=handed)

    def authorize(self, issuer: Issuer) -> None:
        """Signs the gift of the key again, after the first signature ran out. Raises ConflictError, ChainError."""
        if issuer.mode != HOSTED:
            raise ConflictError("not_hosted", f"{issuer.name} signs for itself; the operator holds no key of it.")
        chain = self._context.chain
        if chain.read_roles(issuer.address, self._context.payer.address) & _ALL_ROLES == _ALL_ROLES:
            raise ConflictError("already_authorized", f"The operator's account already has the key of {issuer.name}.")
        controller = self._keys.open(issuer.name)
        call = self._gift(issuer.address, chain.read_issuer(issuer.address).nonce)
        self._replace(issuer, operations.SET_KEY, call, self._sign(controller, call), "Signed again.")

    def claim(self, issuer: Issuer) -> None:
        """Wants the DID document of today to be claimed on chain, instead of one that still waits.

        An issuer that signs for itself finds the call under `registry sign`. Raises NotFoundError (no document is known
        here), ConflictError (claimed already), ChainError, InputError (the controller's key is not here).
        """
        nonce = self._context.chain.read_issuer(issuer.address).nonce
        with self._context.database.write() as connection:
            found = self._identities.keep(connection, issuer)
            done = connection.execute(
                select(chain_claims.c.block_number).where(
                    chain_claims.c.issuer == issuer.address,
                    chain_claims.c.did == issuer.did,
                    chain_claims.c.document_hash == found,
                )
            ).first()
            # The gift of the key comes first, and uses up a number of the issuer's counter.
            nonce += len(self._under_way(connection, issuer, operations.SET_KEY))
        if done is not None:
            raise ConflictError("already_claimed", f"The claim of {issuer.name}'s DID document is on chain already.")
        call = SetDid(issuer.address, issuer.did, found, nonce)
        authority = self._sign(self._keys.open(issuer.name), call) if issuer.mode == HOSTED else None
        self._replace(issuer, operations.SET_DID, call, authority, "Another document takes its place.")

    def rotate(self, issuer: Issuer, *, compromised: bool = False) -> Rotation:
        """Replaces the key that signs credentials. The former one counts for what it signed and is not anchored yet.

        Raises ConflictError if nothing is signed here, RegistryError (no password).
        """
        if issuer.signs != SIGNS_HERE:
            raise ConflictError("not_signed_here", f"{issuer.name} signs its credentials itself; there is no key here.")
        # What was signed last is judged at an anchor that is still to come.
        overlap = 0 if compromised else 2 * self._context.rules.promise_seconds
        ring = self._context.keys.rotate(
            issuer.name, self._context.clock(), overlap_seconds=overlap, compromised=compromised
        )
        with self._context.database.write() as connection:
            self._identities.keep(connection, issuer)
        try:
            self.claim(issuer)
        except InputError:  # the controller's key is elsewhere, as it should be
            return Rotation(ring.current.name, claimed=False)
        return Rotation(ring.current.name, claimed=True)

    def _check_new(self, name: str, did: str | None) -> None:
        self._issuers.check_name(name)
        self._issuers.check_did(did)
        if self._issuers.exists(name):
            raise ConflictError("issuer_exists", f"There is already an issuer with the name {name!r}.")

    def _check_signs(self, signs: str, did: str, handed: bytes | None) -> None:
        if signs not in (SIGNS_HERE, SIGNS_ELSEWHERE):
            raise InvalidError("signs", f"signs must be {SIGNS_HERE!r} or {SIGNS_ELSEWHERE!r}.", "/signs")
        if signs == SIGNS_HERE and handed is not None:
            raise InvalidError(
                "signs", "Where credentials are signed here, the DID document is made here, too.", "/signs"
            )
        if signs == SIGNS_HERE and not did.startswith("did:web:"):
            raise InvalidError("signs", "Keys that are made here can be published under a did:web only.", "/signs")

    def _under_way(self, connection: Connection, issuer: Issuer, kind: str) -> list[operations.Operation]:
        table = operations.table
        return operations.load(
            connection, table.c.issuer_id == issuer.id, table.c.kind == kind, table.c.state.in_(_UNDER_WAY)
        )

    def _replace(self, issuer: Issuer, kind: str, call: ContractCall, authority: Signature | None, note: str) -> None:
        with self._context.database.write() as connection:
            for old in self._under_way(connection, issuer, kind):
                operations.set_state(connection, old.id, "CANCELLED", note)
            self._want(connection, issuer, kind, call, authority)

    def _gift(self, address: bytes, nonce: int) -> SetKey:
        return SetKey(address, self._context.payer.address, int(_ALL_ROLES), nonce)

    def _sign(self, controller: Signer, call: ContractCall) -> Signature:
        return controller.sign_call(
            chain_id=self._context.chain.chain_id,
            contract=self._context.chain.contract,
            call=call,
            deadline=self._context.clock() + _DEADLINE_SECONDS,
        )

    def _want(
        self, connection: Connection, issuer: Issuer, kind: str, call: ContractCall, authority: Signature | None
    ) -> None:
        operations.create(
            connection, issuer_id=issuer.id, kind=kind, call=call, now=self._context.clock(), authority=authority
        )
