"""Hosted issuers: the operator's account anchors and revokes for them, with a key that their controller gave it.

The controller's key is used once, to sign that gift (`SetKey`); afterwards it belongs on another machine, cold. It can
take the operator's key away at any time, and void batches; losing it is final.
"""

from typing import Protocol

from sqlalchemy import Connection

from anchors.base import Role, SetKey, Signature, Signer
from registry.service import operations
from registry.service.context import Context
from registry.service.errors import ConflictError
from registry.service.issuers import HOSTED, Issuer, Issuers

__all__ = ["ControllerKeys", "Hosting"]

_ALL_ROLES = Role.ANCHOR | Role.REVOKE | Role.SUSPEND
# The contract takes deadlines of at most an hour; half of that leaves room for clocks that differ.
_DEADLINE_SECONDS = 1_800


class ControllerKeys(Protocol):
    """Where controllers' keys lie, encrypted, one for each issuer name."""

    def open_or_create(self, name: str) -> Signer:
        """The controller's signer; made at the first call, so that repeating after a crash finds the same key."""
        ...

    def open(self, name: str) -> Signer:
        """Raises RegistryError if the key is not here (any more)."""
        ...


class Hosting:
    """Creates hosted issuers."""

    def __init__(self, context: Context, issuers: Issuers, keys: ControllerKeys) -> None:
        self._context = context
        self._issuers = issuers
        self._keys = keys

    def create(self, name: str, did: str | None = None) -> Issuer:
        """A new issuer with a controller key of its own, and the wish to entitle the operator's account.

        A crash after the key was made leaves a key without an issuer; creating it again uses that key. Raises
        InvalidError, ConflictError.
        """
        self._issuers.check_name(name)
        if self._issuers.exists(name):
            raise ConflictError("issuer_exists", f"There is already an issuer with the name {name!r}.")
        controller = self._keys.open_or_create(name)
        call = self._gift(controller.address, nonce=0)  # a fresh address: its counter stands at 0
        authority = self._sign(controller, call)
        return self._issuers.create(
            name,
            controller.address,
            HOSTED,
            did,
            lambda connection, issuer: self._want(connection, issuer, call, authority),
        )

    def authorize(self, issuer: Issuer) -> None:
        """Signs the gift of the key again, after the first signature ran out. Raises ConflictError, ChainError."""
        if issuer.mode != HOSTED:
            raise ConflictError("not_hosted", f"{issuer.name} signs for itself; the operator holds no key of it.")
        chain = self._context.chain
        if chain.read_roles(issuer.address, self._context.payer.address) & _ALL_ROLES == _ALL_ROLES:
            raise ConflictError("already_authorized", f"The operator's account already has the key of {issuer.name}.")
        controller = self._keys.open(issuer.name)
        call = self._gift(issuer.address, chain.read_issuer(issuer.address).nonce)
        authority = self._sign(controller, call)
        table = operations.table
        with self._context.database.write() as connection:
            for old in operations.load(
                connection,
                table.c.issuer_id == issuer.id,
                table.c.kind == operations.SET_KEY,
                table.c.state.in_(("PENDING", "SENT")),
            ):
                operations.set_state(connection, old.id, "CANCELLED", "Signed again.")
            self._want(connection, issuer, call, authority)

    def _gift(self, address: bytes, nonce: int) -> SetKey:
        return SetKey(address, self._context.payer.address, int(_ALL_ROLES), nonce)

    def _sign(self, controller: Signer, call: SetKey) -> Signature:
        return controller.sign_call(
            chain_id=self._context.chain.chain_id,
            contract=self._context.chain.contract,
            call=call,
            deadline=self._context.clock() + _DEADLINE_SECONDS,
        )

    def _want(self, connection: Connection, issuer: Issuer, call: SetKey, authority: Signature) -> None:
        operations.create(
            connection,
            issuer_id=issuer.id,
            kind=operations.SET_KEY,
            call=call,
            now=self._context.clock(),
            authority=authority,
        )
