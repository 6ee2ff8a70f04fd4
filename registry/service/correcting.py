"""Corrections: a revocation, and a new credential that names the one it supersedes.

Open Badges 3.0 has no field for this. The credential's ``evidence`` names the earlier one, with the genre "supersedes":
an entry that every reader of badges shows, under the signature (docs/adr/092).
"""

import hashlib
from dataclasses import replace
from typing import Any

from sqlalchemy import or_, select

from registry.core import canonical
from registry.core.errors import JsonError
from registry.service.context import Context
from registry.service.errors import ConflictError, InvalidError, NotFoundError
from registry.service.intake import Submission
from registry.service.issuers import Issuer
from registry.service.issuing import Accepted, Issuing
from registry.service.status import StatusService, check_reason
from registry.store.tables import credentials

__all__ = ["Correcting"]

GENRE = "supersedes"


class Correcting:
    """Safe to use from several threads. A crash between the two steps is mended by sending the same request again."""

    def __init__(self, context: Context, issuing: Issuing, status: StatusService) -> None:
        self._context = context
        self._issuing = issuing
        self._status = status

    def supersede(self, issuer: Issuer, former: str, submission: Submission, reason: str | None = None) -> Accepted:
        """Takes the new credential, and wants the former one (the registry's id, or its own) to be revoked.

        Raises as ``Issuing.take`` and ``StatusService.request``.
        """
        check_reason(reason)
        request, key = _digest(submission.document, former), submission.idempotency_key
        before = None if key is None else self._issuing.repeated(issuer, key, request)
        with self._context.database.read() as connection:
            row = connection.execute(
                select(credentials.c.id, credentials.c.external_id).where(
                    credentials.c.issuer_id == issuer.id,
                    or_(credentials.c.id == former, credentials.c.external_id == former),
                )
            ).first()
        if before is not None and (row is None or row.external_id is None):
            return before  # the former one was withdrawn by it, and cannot be named any more
        if row is None:
            raise NotFoundError("no_such_credential", f"{issuer.name} has no credential with the id to be superseded.")
        if row.external_id is None:
            raise ConflictError("nothing_to_name", "The former credential has no id of its own that could be named.")
        named = _naming(submission.document, row.external_id)
        accepted = self._issuing.take(issuer, replace(submission, document=named, request=request))
        self._status.request(issuer, row.id, "revoke", reason or "Superseded by a correction.")
        return accepted


def _digest(document: Any, former: str) -> bytes:
    try:
        return hashlib.sha256(canonical.canonicalize({"credential": document, "supersedes": former})).digest()
    except JsonError as error:
        raise InvalidError("not_json", str(error)) from error


def _naming(document: Any, former: str) -> Any:
    if not isinstance(document, dict):
        raise InvalidError("supersedes", "A correction is a whole credential, as a JSON object.")
    found = document.get("evidence", [])
    evidence = found if isinstance(found, list) else [found]
    if any(isinstance(item, dict) and item.get("id") == former for item in evidence):
        return document
    if "proof" in document or "type" not in document:
        message = f"A credential that is secured already has to name {former} in its evidence itself."
        raise InvalidError("supersedes", message, "/evidence")
    entry = {
        "id": former,
        "type": ["Evidence"],
        "name": "Supersedes an earlier credential",
        "genre": GENRE,
    }
    return {**document, "evidence": [*evidence, entry]}
