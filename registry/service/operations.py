"""Contract calls that the registry wants to have happened, as rows. What became of a call is asked of the contract."""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from anchors import base
from anchors.base import ContractCall, Signature
from registry.store.database import AnyRow
from registry.store.tables import operations as table

__all__ = [
    "ANCHOR",
    "REVOKE",
    "SET_DID",
    "SET_KEY",
    "SUSPEND",
    "Operation",
    "call_from_json",
    "call_to_json",
    "create",
    "load",
    "set_authority",
    "set_nonce",
    "set_state",
    "table",
    "take",
]

ANCHOR = "anchor"
REVOKE = "revoke"
SUSPEND = "suspend"
SET_KEY = "set_key"
SET_DID = "set_did"

_CALLS: dict[str, type[Any]] = {
    call.__name__: call
    for call in (
        base.AnchorBatch,
        base.Revoke,
        base.RevokeBatch,
        base.SetSuspension,
        base.SetKey,
        base.ProposeController,
        base.AcceptController,
        base.SetDid,
    )
}


@dataclass(frozen=True, slots=True)
class Operation:
    """``state``: PENDING (not in the outbox), SENT (the outbox has it), DONE, CANCELLED."""

    id: int
    issuer_id: int
    batch_id: int | None
    kind: str
    call: ContractCall
    state: str
    note: str | None
    created_at: int
    authority: Signature | None


def create(
    connection: Connection,
    *,
    issuer_id: int,
    kind: str,
    call: ContractCall,
    now: int,
    batch_id: int | None = None,
    authority: Signature | None = None,
) -> int:
    """Stores a wanted call; returns its id."""
    statement = insert(table).values(
        issuer_id=issuer_id,
        batch_id=batch_id,
        kind=kind,
        call=_text(call),
        state="PENDING",
        created_at=now,
        **_authority_columns(authority),
    )
    identifier: int = connection.execute(statement.returning(table.c.id)).scalar_one()
    return identifier


def load(connection: Connection, *conditions: Any) -> list[Operation]:
    """The operations that meet the conditions, oldest first."""
    rows = connection.execute(select(table).where(*conditions).order_by(table.c.id))
    return [_operation(row) for row in rows]


def set_state(connection: Connection, operation_id: int, state: str, note: str | None = None) -> None:
    connection.execute(update(table).where(table.c.id == operation_id).values(state=state, note=note))


def take(connection: Connection, operation: Operation) -> bool:
    """PENDING -> SENT; False if it is not PENDING any more, or its call or signature changed since it was read."""
    taken = connection.execute(
        update(table)
        .where(
            _unchanged(operation),
            table.c.signature.is_not_distinct_from(_authority_columns(operation.authority)["signature"]),
        )
        .values(state="SENT", note=None)
    )
    return taken.rowcount == 1


def set_authority(connection: Connection, operation: Operation, authority: Signature | None) -> bool:
    """Stores (or takes away) the issuer's signature; False if the call does not wait, or changed since it was read."""
    stored = connection.execute(update(table).where(_unchanged(operation)).values(_authority_columns(authority)))
    return stored.rowcount == 1


def set_nonce(connection: Connection, operation: Operation, nonce: int) -> Operation:
    """Renews the issuer's counter in a call that carries it; a signature over the old one is worth nothing now."""
    if isinstance(operation.call, base.AnchorBatch | base.Revoke):
        raise TypeError(f"{operation.kind} carries no nonce")
    call = replace(operation.call, nonce=nonce)
    connection.execute(
        update(table).where(table.c.id == operation.id).values(call=_text(call), **_authority_columns(None))
    )
    return replace(operation, call=call, authority=None)


def call_to_json(call: ContractCall) -> dict[str, Any]:
    """A call as JSON: bytes as 0x-hex, integers as decimal strings (masks have 256 bits)."""
    result: dict[str, Any] = {"call": type(call).__name__}
    for field in fields(call):
        result[field.name] = _to_json(getattr(call, field.name))
    return result


def call_from_json(value: dict[str, Any]) -> ContractCall:
    """The inverse of ``call_to_json``, for what this registry wrote itself."""
    kind = _CALLS[value["call"]]
    call: ContractCall = kind(**{field.name: _from_json(value[field.name], field.name) for field in fields(kind)})
    return call


def _text(call: ContractCall) -> str:
    return json.dumps(call_to_json(call), separators=(",", ":"))


def _unchanged(operation: Operation) -> ColumnElement[bool]:
    """One statement checks and writes: people and the worker meet here without a lock."""
    return (table.c.id == operation.id) & (table.c.state == "PENDING") & (table.c.call == _text(operation.call))


def _to_json(value: bytes | int | str | tuple[int, ...]) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if isinstance(value, str) else str(value)


def _from_json(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return tuple(int(item) for item in value)
    if name == "did":
        return value
    return bytes.fromhex(value[2:]) if value.startswith("0x") else int(value)


def _operation(row: AnyRow) -> Operation:
    authority = Signature(row.signer, row.deadline, row.signature) if row.signature is not None else None
    return Operation(
        id=row.id,
        issuer_id=row.issuer_id,
        batch_id=row.batch_id,
        kind=row.kind,
        call=call_from_json(json.loads(row.call)),
        state=row.state,
        note=row.note,
        created_at=row.created_at,
        authority=authority,
    )


def _authority_columns(authority: Signature | None) -> dict[str, Any]:
    if authority is None:
        return {"signer": None, "deadline": None, "signature": None}
    return {"signer": authority.signer, "deadline": authority.deadline, "signature": authority.signature}
