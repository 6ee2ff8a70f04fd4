"""What stands in paths. What cannot name anything is not found, whatever is wrong with it; no database is asked."""

import re
from typing import Annotated

from fastapi import Depends, Path

from registry.service.errors import NotFoundError

__all__ = ["BatchKey", "CredentialId", "KeyId", "RequestId"]

_CREDENTIAL_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ROOT = re.compile(r"(?:0x)?([0-9a-f]{64})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


def _credential_id(id: Annotated[str, Path(description="the registry's own id of the credential")]) -> str:  # noqa: A002
    if not _CREDENTIAL_ID.fullmatch(id):
        raise NotFoundError("no_such_credential", "This registry has no credential with this id.")
    return id


def _key_id(id: Annotated[str, Path(description="the number of the API key")]) -> int:  # noqa: A002
    if not _NUMBER.fullmatch(id):
        raise NotFoundError("no_such_key", "There is no such API key, or it was already ended.")
    return int(id)


def _request_id(id: Annotated[str, Path(description="the number of the signing request")]) -> int:  # noqa: A002
    if not _NUMBER.fullmatch(id):
        raise NotFoundError("no_such_request", "There is no such signing request.")
    return int(id)


def _batch_key(
    root: Annotated[str, Path(description="Merkle root, 64 lower-case hex digits")],
    first: Annotated[str, Path(description="index of the first credential, decimal")],
) -> tuple[bytes, int]:
    match = _ROOT.fullmatch(root)
    if match is None or not _NUMBER.fullmatch(first):
        raise NotFoundError("no_such_batch", "This registry has no batch with that root and first index.")
    return bytes.fromhex(match[1]), int(first)


CredentialId = Annotated[str, Depends(_credential_id)]
KeyId = Annotated[int, Depends(_key_id)]
RequestId = Annotated[int, Depends(_request_id)]
BatchKey = Annotated[tuple[bytes, int], Depends(_batch_key)]
