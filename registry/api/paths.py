"""What stands in paths. What cannot name anything is not found, whatever is wrong with it; no database is asked."""

import re
from typing import Annotated

from fastapi import Depends, Path

from registry.service.errors import NotFoundError

__all__ = ["BatchKey", "CredentialId", "KeyId", "ListNumber", "RequestId", "TemplateKey"]

_CREDENTIAL_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ROOT = re.compile(r"(?:0x)?([0-9a-f]{64})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_LIST = re.compile(r"0|[1-9][0-9]{0,10}")


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


def _template_key(
    template: Annotated[str, Path(description="the template's name")],
    sha256: Annotated[str, Path(description="SHA-256 of its RFC 8785 form, 64 lower-case hex digits")],
) -> tuple[str, bytes]:
    if not _NAME.fullmatch(template) or not _DIGEST.fullmatch(sha256):
        raise NotFoundError("no_such_template", "This registry has no template at this address.")
    return template, bytes.fromhex(sha256)


def _list_number(list: Annotated[str, Path(description="number of the status list, decimal")]) -> int:  # noqa: A002
    if not _LIST.fullmatch(list):
        raise NotFoundError("no_such_list", "Status lists are numbered from 0.")
    return int(list)


CredentialId = Annotated[str, Depends(_credential_id)]
KeyId = Annotated[int, Depends(_key_id)]
ListNumber = Annotated[int, Depends(_list_number)]
RequestId = Annotated[int, Depends(_request_id)]
BatchKey = Annotated[tuple[bytes, int], Depends(_batch_key)]
TemplateKey = Annotated[tuple[str, bytes], Depends(_template_key)]
