"""Hosted issuers: the operator's account anchors and revokes for them, with a key that their controller gave it.

The controller's key is used at the beginning, to sign that gift (`SetKey`) and to claim the issuer's DID (`SetDid`);
afterwards it belongs on another machine, cold. It can take the operator's key away at any time, and void batches;
losing it is final. Credentials are signed with a key of their own (registry.standards.keys), which is here to stay.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, update

from anchors.base import ChainError, ContractCall, Role, SetDid, SetKey, Signature, Signer
from registry.core.errors import InputError
from registry.service import operations
from registry.service.context import Context
from registry.service.errors import ConflictError, InvalidError
from registry.service.identities import Identities, read_handed_document
from registry.service.issuers import HOSTED, SELF, SIGNS_ELSEWHERE, SIGNS_HERE, Issuer, Issuers
from registry.service.resigning import resign_open
from registry.standards.did.document import Account, document_hash
from registry.standards.did.key import is_own_key
from registry.standards.keys import DID_KEY
from registry.store.tables import issuers

__all__ = ["Claim", "ControllerKeys", "Hosting", "Rotation"]

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
    """The key that signs from now on, and whether its document's claim is under way; if not, ``note`` says why.

    ``resigned``: how many credentials were signed again, because the former key counts no more.
    """

    key: str
    claimed: bool
    resigned: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """How far the claim of today's DID document is: on chain since ``claimed_at`` (Unix seconds), else under way.

    ``note`` says what it waits for; with neither, nobody has asked for it.
    """

    document_hash: bytes
    claimed_at: int | None
    under_way: bool
    note: str | None


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
        signs = signs or (SIGNS_HERE if handed is None and _is_made_here(named) else SIGNS_ELSEWHERE)
        self._check_signs(signs, named, handed)
        controller = self._keys.open_or_create(name)
        if signs == SIGNS_HERE:
            named = self._context.keys.create(name, named, self._context.clock()).did
        gift = self._gift(controller.address, nonce=0)  # a fresh address: its counter stands at 0
        authority = self._sign(controller, gift)

        def also(connection: Connection, issuer: Issuer) -> None:
            self._want(connection, issuer, operations.SET_KEY, gift, authority)
            if signs == SIGNS_HERE or handed is not None:
                found = self._identities.keep(connection, issuer, handed)
                call = SetDid(issuer.address, issuer.did, found, nonce=1)
                self._want(connection, issuer, operations.SET_DID, call, self._sign(controller, call))

        return self._issuers.create(name, controller.address, HOSTED, named, also, signs=signs, document=handed)

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
            named = self._context.keys.create(name, named, self._context.clock()).did

        def also(connection: Connection, issuer: Issuer) -> None:
            if signs == SIGNS_HERE or handed is not None:
                found = self._identities.keep(connection, issuer, handed)
                self._want(connection, issuer, operations.SET_DID, SetDid(issuer.address, issuer.did, found, 0), None)

        return self._issuers.create(name, address, SELF, named, also, signs=signs, document=handed)

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
            done = self._identities.claimed_at(connection, issuer, found)
            # The gift of the key comes first, and uses up a number of the issuer's counter.
            nonce += len(self._under_way(connection, issuer, operations.SET_KEY))
        if done is not None:
            raise ConflictError("already_claimed", f"The claim of {issuer.name}'s DID document is on chain already.")
        call = SetDid(issuer.address, issuer.did, found, nonce)
        authority = self._sign(self._keys.open(issuer.name), call) if issuer.mode == HOSTED else None
        self._replace(issuer, operations.SET_DID, call, authority, "Another document takes its place.")

    def hand_over(self, issuer: Issuer, document: object) -> None:
        """Replaces the DID document of an issuer that signs its credentials itself, and wants it to be claimed.

        Raises InvalidError, and as ``claim``: then the document is replaced, and not claimed yet.
        """
        if issuer.signs == SIGNS_HERE:
            raise InvalidError("signs", "Where credentials are signed here, the DID document is made here, too.")
        handed = read_handed_document(document, issuer.did)
        with self._context.database.write() as connection:
            connection.execute(update(issuers).where(issuers.c.id == issuer.id).values(document=handed))
        self.claim(issuer)

    def names_its_account(self, issuer: Issuer) -> bool:
        """Whether its DID document names the address that anchors; True where no document is known here."""
        document = self._identities.pinned(issuer.did)
        account = Account(self._context.chain.chain_id, issuer.address)
        return document is None or is_own_key(issuer.did) or document.names(account)

    def claim_state(self, issuer: Issuer) -> Claim:
        """Raises NotFoundError if no document is known here."""
        found = document_hash(self._identities.document(issuer))
        with self._context.database.read() as connection:
            claimed_at = self._identities.claimed_at(connection, issuer, found)
            waiting = [
                operation
                for operation in self._under_way(connection, issuer, operations.SET_DID)
                if isinstance(operation.call, SetDid) and operation.call.document_hash == found
            ]
        return Claim(found, claimed_at, bool(waiting), waiting[-1].note if waiting else None)

    def rotate(self, issuer: Issuer, *, compromised: bool = False) -> Rotation:
        """Replaces the key that signs credentials. The former one counts for what it signed and is not anchored yet.

        ``compromised``: the former key ends at once, and what is open is signed again. After a crash in between, doing
        it once more does the rest, with another key. Raises ConflictError, RegistryError (no password).
        """
        if issuer.signs != SIGNS_HERE:
            raise ConflictError("not_signed_here", f"{issuer.name} signs its credentials itself; there is no key here.")
        if issuer.did.startswith(f"{DID_KEY}:"):
            raise ConflictError(
                "did_key", f"{issuer.name} is named by its key, which cannot change. Make a new issuer."
            )
        if self._context.clock() <= self._context.keys.ring(issuer.name).current.valid_from:
            raise ConflictError("just_rotated", "The current key became valid this very second; do it a moment later.")
        # What was signed last is judged at an anchor that is still to come.
        overlap = 0 if compromised else 2 * self._context.rules.promise_seconds
        ring = self._context.keys.rotate(
            issuer.name, self._context.clock(), overlap_seconds=overlap, compromised=compromised
        )
        with self._context.database.write() as connection:
            self._identities.keep(connection, issuer)
            resigned = resign_open(connection, self._context, issuer) if compromised else 0
        try:
            self.claim(issuer)
        except (InputError, ChainError) as error:  # the controller's key is elsewhere, as it should be; or no node
            return Rotation(ring.current.name, False, resigned, str(error))
        return Rotation(ring.current.name, True, resigned)

    def _check_new(self, name: str, did: str | None) -> None:
        """Before keys are made for it."""
        self._issuers.check_name(name)
        if did != DID_KEY:  # the DID is not there yet
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
        if signs == SIGNS_HERE and not _is_made_here(did):
            message = "Keys that are made here can be published under a did:web, or be a did:key of their own."
            raise InvalidError("signs", message, "/signs")

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


def _is_made_here(did: str) -> bool:
    """Whether a DID can name keys that are made here; a did:key that exists already is somebody's."""
    return did == DID_KEY or did.startswith("did:web:")
