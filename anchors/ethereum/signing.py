"""EIP-712 signatures over contract calls: what is hashed, and who signed it. No keys here."""

from typing import Any

from anchors.base import ContractCall, Signature
from anchors.ethereum.calls import form_of, typed_fields
from anchors.imports import recursion_limit_kept

__all__ = ["recover_signer", "signed_by", "typed_message"]

DOMAIN_NAME = "CredentialRegistry"
DOMAIN_VERSION = "1"
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def typed_message(*, chain_id: int, contract: bytes, call: ContractCall, signer: bytes, deadline: int) -> Any:
    """The EIP-712 message of a call, as eth-account's ``SignableMessage``."""
    with recursion_limit_kept():
        from eth_account.messages import encode_typed_data

    members = typed_fields(call, signer, deadline)
    return encode_typed_data(
        domain_data={
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        message_types={form_of(call).struct: [{"name": name, "type": kind} for name, kind, _ in members]},
        message_data={name: value for name, _, value in members},
    )


def recover_signer(signature: Signature, call: ContractCall, *, chain_id: int, contract: bytes) -> bytes | None:
    """The address whose key made this signature; None if it is no ECDSA signature of 65 bytes in the canonical form.

    A contract wallet's signature (EIP-1271) can be of any shape: only the chain can judge it, by simulating the call.
    """
    with recursion_limit_kept():
        from eth_account import Account
        from eth_keys.exceptions import BadSignature
        from eth_utils.exceptions import ValidationError

    raw = signature.signature
    if len(raw) != 65 or int.from_bytes(raw[32:64], "big") > _HALF_ORDER or raw[64] not in {27, 28}:
        return None
    message = typed_message(
        chain_id=chain_id, contract=contract, call=call, signer=signature.signer, deadline=signature.deadline
    )
    try:
        return bytes.fromhex(str(Account.recover_message(message, signature=raw))[2:])
    except (BadSignature, ValidationError, ValueError, TypeError):
        return None


def signed_by(signature: Signature, call: ContractCall, *, chain_id: int, contract: bytes) -> bool:
    """Whether the signer that the signature names made it himself, with an ordinary key."""
    return recover_signer(signature, call, chain_id=chain_id, contract=contract) == signature.signer
