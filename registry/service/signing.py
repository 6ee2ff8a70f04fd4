"""Issuers that sign for themselves: what waits for their signature, and taking it in.

The key stays with the issuer; the operator pays. A signature is good for an hour at most, and for exactly one call.
"""

from collections.abc import Callable
from dataclasses import dataclass

from anchors.base import CallReverted, ChainUnreachable, ContractCall, Signature
from registry.service import operations
from registry.service.context import Context
from registry.service.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from registry.service.issuers import SELF, Issuer, Issuers

__all__ = ["RecoverSigner", "Signing", "SigningRequest"]

_LONGEST_SECONDS = 3_600
_LONGEST_SIGNATURE = 16 * 1024  # EIP-1271 wallets may send several signatures in one

_REFUSED = frozenset({"InvalidSignature", "NotEntitled", "NotController", "NotCandidate"})

# (chain id, contract, call, signature) -> the address that made the ECDSA signature, None if it is none
RecoverSigner = Callable[[int, bytes, ContractCall, Signature], bytes | None]


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """One call that an issuer is asked to sign (EIP-712), and where it is meant for."""

    id: int
    issuer: Issuer
    kind: str
    call: ContractCall
    chain_id: int
    contract: bytes
    note: str | None


class Signing:
    """Exchanges signing requests and signatures."""

    def __init__(self, context: Context, issuers: Issuers, recover: RecoverSigner) -> None:
        self._context = context
        self._issuers = issuers
        self._recover = recover

    def requests(self, issuer: Issuer | None = None) -> list[SigningRequest]:
        """What waits for a signature, oldest first; of one issuer, or of all."""
        table = operations.table
        conditions = [table.c.state == "PENDING", table.c.signature.is_(None)]
        if issuer is not None:
            conditions.append(table.c.issuer_id == issuer.id)
        with self._context.database.read() as connection:
            found = operations.load(connection, *conditions)
        by_id = {item.id: item for item in self._issuers.all()}
        return [
            SigningRequest(
                operation.id,
                by_id[operation.issuer_id],
                operation.kind,
                operation.call,
                self._context.chain.chain_id,
                self._context.chain.contract,
                operation.note,
            )
            for operation in found
            if by_id[operation.issuer_id].mode == SELF
        ]

    def submit(self, request_id: int, authority: Signature, issuer: Issuer | None = None) -> None:
        """Takes a signature; the worker sends the call. ``issuer``: whose request it must be.

        The contract is asked at once whether it would take it. While no node answers, a plain ECDSA signature is taken
        if it is by the signer that it names; the contract decides before anything is sent. Raises NotFoundError,
        InvalidError, ConflictError, ForbiddenError, and ChainUnreachable for the signature of a contract wallet.
        """
        now = self._context.clock()
        if not now < authority.deadline <= now + _LONGEST_SECONDS:
            raise InvalidError("deadline", "deadline must be in the future, and at most an hour ahead.", "/deadline")
        if len(authority.signer) != 20 or not any(authority.signer):
            raise InvalidError("signer", "signer must be an address of 20 bytes.", "/signer")
        if not 0 < len(authority.signature) <= _LONGEST_SIGNATURE:
            raise InvalidError("signature", "signature must have 1 to 16,384 bytes.", "/signature")
        table = operations.table
        with self._context.database.read() as connection:
            found = operations.load(connection, table.c.id == request_id)
        if not found or (issuer is not None and found[0].issuer_id != issuer.id):
            raise NotFoundError("no_such_request", "There is no such signing request.")
        self._check(found[0].call, authority)
        with self._context.database.write() as connection:
            if not operations.set_authority(connection, found[0], authority):
                raise ConflictError("not_waiting", "This call does not wait for a signature (any more).")

    def _check(self, call: ContractCall, authority: Signature) -> None:
        chain = self._context.chain
        genuine = self._recover(chain.chain_id, chain.contract, call, authority) == authority.signer
        try:
            chain.estimate_gas(self._context.payer.address, chain.encode(call, authority))
        except CallReverted as reverted:
            if reverted.error in _REFUSED:
                raise ForbiddenError(
                    "signature_refused",
                    f"The contract refuses the signature ({reverted.error}): it must be by a key that the issuer "
                    "entitled, over exactly this call, chain and contract. Fetch the request again and sign it as it "
                    "is.",
                ) from reverted
        except ChainUnreachable:
            if not genuine:
                raise
