"""Issuers and their API keys."""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from registry.core.model import IssuerPin
from registry.service.context import Context
from registry.service.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnauthorizedError
from registry.store.database import AnyRow
from registry.store.tables import api_keys, issuers

__all__ = [
    "HOSTED", "SCOPES", "SELF", "SIGNS_ELSEWHERE", "SIGNS_HERE", "ApiKey", "Caller", "Issuer", "Issuers", "is_did",
    "is_name", "lock_issuer",
]  # fmt: skip

SCOPES = ("issue", "status")
OPERATOR_SCOPE = "operator"
HOSTED = "hosted"
SELF = "self"
SIGNS_HERE = "hosted"
SIGNS_ELSEWHERE = "none"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A DID, or another absolute URI: published Open Badges name their issuers by https addresses, too.
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,400}")
_URI = re.compile(r"(?!did:)[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,800}")

_COLUMNS = [column for column in issuers.c if column.name != "document"]


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer: a name in URLs, a DID (or other URI), an address on chain.

    ``mode``: who authorises its calls; ``signs``: who signs its credentials, see tables.
    """

    id: int
    name: str
    did: str
    address: bytes
    mode: str
    status_base: str
    next_index: int
    halted: str | None
    created_at: int
    signs: str = SIGNS_ELSEWHERE

    @property
    def pin(self) -> IssuerPin:
        return IssuerPin(self.did, self.address, self.status_base)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A new API key. ``secret`` is shown once and stored nowhere."""

    id: int
    secret: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ApiKey(id={self.id}, scopes={self.scopes})"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: an issuer, or the operator (``issuer_id`` None), and what the key is for."""

    issuer_id: int | None
    scopes: frozenset[str]

    def require(self, scope: str, issuer_id: int | None = None) -> None:
        """Raises ForbiddenError unless the key has the scope and, if one is named, belongs to that issuer."""
        if scope not in self.scopes:
            raise ForbiddenError("scope", f"This API key has no scope {scope!r}. Ask the operator for one that has.")
        if issuer_id is not None and self.issuer_id != issuer_id:
            raise ForbiddenError("other_issuer", "This API key belongs to another issuer.")


class Issuers:
    """The list of issuers, and who may act for them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(
        self,
        name: str,
        address: bytes,
        mode: str,
        did: str | None = None,
        also: Callable[[Connection, Issuer], None] | None = None,
        *,
        signs: str = SIGNS_ELSEWHERE,
        document: bytes | None = None,
    ) -> Issuer:
        """Records an issuer; without a DID it gets the did:web of this installation.

        ``signs`` "hosted": its key ring is there already. ``document``: its DID document, canonical. ``also`` runs in
        the same transaction, with the new issuer. Raises InvalidError, ConflictError.
        """
        self.check_name(name)
        if mode not in (HOSTED, SELF):
            raise InvalidError("mode", f"mode must be {HOSTED!r} or {SELF!r}.", "/mode")
        if len(address) != 20 or not any(address):
            raise InvalidError("address", "address must be 20 bytes and not zero.", "/address")
        self.check_did(did)
        row = {
            "name": name,
            "did": did or self.default_did(name),
            "address": address,
            "mode": mode,
            "status_base": f"{self._context.rules.public_url}/issuers/{name}/status",
            "created_at": self._context.clock(),
            "signs": signs,
            "document": document,
        }
        try:
            with self._context.database.write() as connection:
                issuer = _issuer(connection.execute(insert(issuers).values(row).returning(*_COLUMNS)).one())
                if also is not None:
                    also(connection, issuer)
        except IntegrityError as error:
            raise ConflictError(
                "issuer_exists", f"There is already an issuer with the name {name!r}, this DID or this address."
            ) from error
        return issuer

    def check_name(self, name: str) -> None:
        """Raises InvalidError unless the name can stand in URLs, DIDs and file names."""
        if not is_name(name):
            raise InvalidError(
                "name",
                "A name has 1 to 63 lower-case letters, digits and hyphens, and begins and ends without a hyphen.",
                "/name",
            )

    def check_did(self, did: str | None) -> None:
        """Raises InvalidError unless it is a DID, another absolute URI, or None."""
        if did is not None and not is_did(did):
            raise InvalidError("did", "did must be a DID such as did:web:example.org, or another absolute URI.", "/did")

    def exists(self, name: str) -> bool:
        with self._context.database.read() as connection:
            return connection.execute(select(issuers.c.id).where(issuers.c.name == name)).scalar() is not None

    def default_did(self, name: str) -> str:
        """The did:web under which this installation serves an issuer (did:web method, section 3.1)."""
        url = urlsplit(self._context.rules.public_url)
        path = "".join(f":{quote(part, safe='')}" for part in url.path.split("/") if part)
        return f"did:web:{quote(url.netloc, safe='')}{path}:issuers:{name}"

    def look_up(self, name: str) -> Issuer:
        """Raises NotFoundError."""
        with self._context.database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(issuers.c.name == name)).one_or_none()
        if row is None:
            raise NotFoundError("no_such_issuer", f"There is no issuer named {name!r}.")
        return _issuer(row)

    def by_id(self, issuer_id: int) -> Issuer:
        """Raises NotFoundError."""
        with self._context.database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(issuers.c.id == issuer_id)).one_or_none()
        if row is None:
            raise NotFoundError("no_such_issuer", "There is no such issuer.")
        return _issuer(row)

    def by_did(self, did: str) -> Issuer | None:
        with self._context.database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(issuers.c.did == did)).one_or_none()
        return _issuer(row) if row is not None else None

    def by_status_base(self, base: str) -> Issuer | None:
        with self._context.database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(issuers.c.status_base == base)).first()
        return _issuer(row) if row is not None else None

    def all(self) -> list[Issuer]:
        with self._context.database.read() as connection:
            return [_issuer(row) for row in connection.execute(select(*_COLUMNS).order_by(issuers.c.id))]

    # --- API keys ---

    def create_key(self, issuer: Issuer | None, scopes: Sequence[str], label: str) -> ApiKey:
        """A new key for an issuer, or for the operator (None). Raises InvalidError."""
        allowed = SCOPES if issuer else (OPERATOR_SCOPE,)
        if not scopes or not set(scopes) <= set(allowed):
            raise InvalidError("scopes", f"scopes must be some of: {', '.join(allowed)}.", "/scopes")
        secret = "crk_" + base64.urlsafe_b64encode(self._context.random(32)).rstrip(b"=").decode()
        with self._context.database.write() as connection:
            identifier = connection.execute(
                insert(api_keys)
                .values(
                    issuer_id=issuer.id if issuer else None,
                    label=label,
                    digest=_key_digest(secret),
                    scopes=" ".join(sorted(set(scopes))),
                    created_at=self._context.clock(),
                )
                .returning(api_keys.c.id)
            ).scalar_one()
        return ApiKey(identifier, secret, tuple(sorted(set(scopes))))

    def revoke_key(self, key_id: int, issuer: Issuer | None) -> None:
        """Ends a key at once. Raises NotFoundError if it is not a live key of that issuer (None: the operator's)."""
        with self._context.database.write() as connection:
            ended = connection.execute(
                update(api_keys)
                .where(
                    api_keys.c.id == key_id,
                    api_keys.c.issuer_id.is_not_distinct_from(issuer.id if issuer else None),
                    api_keys.c.revoked_at.is_(None),
                )
                .values(revoked_at=self._context.clock())
            )
        if not ended.rowcount:
            raise NotFoundError("no_such_key", "There is no such API key, or it was already ended.")

    def authenticate(self, secret: str | None) -> Caller:
        """Who this API key belongs to. Raises UnauthorizedError, which never repeats the key."""
        if not secret:
            raise UnauthorizedError("no_api_key", "Send an API key: `Authorization: Bearer crk_…`.")
        with self._context.database.read() as connection:
            # Looked up by digest: how long the comparison takes tells nothing about the key.
            row = connection.execute(
                select(api_keys.c.issuer_id, api_keys.c.scopes).where(
                    api_keys.c.digest == _key_digest(secret), api_keys.c.revoked_at.is_(None)
                )
            ).one_or_none()
        if row is None:
            raise UnauthorizedError("unknown_api_key", "This API key is not known, or was ended.")
        return Caller(row.issuer_id, frozenset(row.scopes.split()))


def is_name(text: str) -> bool:
    """Whether it can stand in URLs, DIDs and file names."""
    return bool(_NAME.fullmatch(text))


def is_did(text: str) -> bool:
    """A DID, or another absolute URI."""
    return bool(_DID.fullmatch(text) or _URI.fullmatch(text))


def lock_issuer(connection: Connection, issuer_id: int) -> Issuer:
    """Reads an issuer inside a write transaction so that nobody else changes its sequence until the commit."""
    return _issuer(connection.execute(select(*_COLUMNS).where(issuers.c.id == issuer_id).with_for_update()).one())


def _issuer(row: AnyRow) -> Issuer:
    return Issuer(**row._mapping)  # noqa: SLF001 - the public name of a row's mapping in SQLAlchemy


def _key_digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
