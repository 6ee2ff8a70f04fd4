"""How each ``ContractCall`` is written: its function, its arguments, and its EIP-712 struct. Data, no coding.

A call's arguments are its fields in their order. The signed twin ``<function>WithSignature`` takes the same, then the
issuer's nonce (all but anchor and revoke; setSuspension has it among its own arguments), signer, deadline and
signature. The EIP-712 struct has the same fields as the twin, without the signature.
"""

from dataclasses import dataclass

from anchors.base import (
    AcceptController,
    AnchorBatch,
    ContractCall,
    ProposeController,
    Revoke,
    RevokeBatch,
    SetDid,
    SetKey,
    SetSuspension,
    Signature,
)

__all__ = ["CallForm", "arguments", "form_of", "twin_arguments", "typed_fields"]


@dataclass(frozen=True, slots=True)
class CallForm:
    """``fields``: (name of the dataclass field, name in the struct, Solidity type). ``nonce``: the twin appends one."""

    function: str
    struct: str
    fields: tuple[tuple[str, str, str], ...]
    nonce: bool


_ISSUER = ("issuer", "issuer", "address")

_FORMS: dict[type, CallForm] = {
    AnchorBatch: CallForm(
        "anchor",
        "Anchor",
        (_ISSUER, ("root", "root", "bytes32"), ("first", "first", "uint64"), ("size", "size", "uint32")),
        nonce=False,
    ),
    Revoke: CallForm(
        "revoke", "Revoke", (_ISSUER, ("words", "words", "uint256[]"), ("masks", "masks", "uint256[]")), nonce=False
    ),
    RevokeBatch: CallForm(
        "revokeBatch", "RevokeBatch", (_ISSUER, ("root", "root", "bytes32"), ("first", "first", "uint64")), nonce=True
    ),
    SetSuspension: CallForm(
        "setSuspension",
        "SetSuspension",
        (
            _ISSUER,
            ("nonce", "nonce", "uint64"),
            ("words", "words", "uint256[]"),
            ("set_masks", "setMasks", "uint256[]"),
            ("clear_masks", "clearMasks", "uint256[]"),
        ),
        nonce=False,
    ),
    SetKey: CallForm("setKey", "SetKey", (_ISSUER, ("key", "key", "address"), ("roles", "roles", "uint8")), nonce=True),
    ProposeController: CallForm(
        "proposeController", "ProposeController", (_ISSUER, ("candidate", "candidate", "address")), nonce=True
    ),
    AcceptController: CallForm("acceptController", "AcceptController", (_ISSUER,), nonce=True),
    SetDid: CallForm(
        "setDid",
        "SetDid",
        (_ISSUER, ("did", "did", "string"), ("document_hash", "documentHash", "bytes32")),
        nonce=True,
    ),
}


def form_of(call: ContractCall) -> CallForm:
    """The form of a call."""
    return _FORMS[type(call)]


def arguments(call: ContractCall) -> list[object]:
    """The arguments of the plain function."""
    return [_plain(getattr(call, field)) for field, _, _ in form_of(call).fields]


def twin_arguments(call: ContractCall, signature: Signature) -> list[object]:
    """The arguments of the signed twin."""
    return [
        *arguments(call),
        *([_nonce(call)] if form_of(call).nonce else []),
        signature.signer,
        signature.deadline,
        signature.signature,
    ]


def typed_fields(call: ContractCall, signer: bytes, deadline: int) -> list[tuple[str, str, object]]:
    """(name, type, value) of each member of the EIP-712 struct, in order."""
    form = form_of(call)
    members = [(name, kind, _plain(getattr(call, field))) for field, name, kind in form.fields]
    if form.nonce:
        members.append(("nonce", "uint64", _nonce(call)))
    return [*members, ("signer", "address", signer), ("deadline", "uint256", deadline)]


def _nonce(call: ContractCall) -> int:
    if isinstance(call, AnchorBatch | Revoke):
        msg = f"{type(call).__name__} carries no nonce"
        raise TypeError(msg)
    return call.nonce


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
