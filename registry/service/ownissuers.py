"""What this registry would publish of its issuers now, for its audits of itself, from where its answers come from.

Lists come without their proofs: those take the keys' password, and what matters is which key would make them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from anchors.base import ChainUnreachable
from registry.core.errors import InputError
from registry.service.auditrows import FAULTS, Unreadable
from registry.service.context import Context
from registry.service.errors import BusyError, NotFoundError
from registry.service.identities import Identities
from registry.service.issuers import SIGNS_HERE, Issuer
from registry.service.published import MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import ListSigner, PublishedIssuer, PublishedIssuers, PublishedTemplate
from registry.service.statuslists import StatusLists
from registry.store.database import unreadable

__all__ = ["OwnIssuers", "made_of_tables"]


class OwnIssuers:
    """An ``IssuerMaterial``, and ``UnsignedLists``."""

    name = "this registry"
    live = True

    def __init__(self, context: Context, issuers: Iterable[Issuer], identities: Identities, lists: StatusLists) -> None:
        self._context = context
        self._identities = identities
        self._lists = lists
        self._issuers = {issuer.address: issuer for issuer in issuers}

    def issuers(self) -> PublishedIssuers:
        return PublishedIssuers(tuple(_published(issuer) for issuer in self._issuers.values()), {}, {})

    def document(self, issuer: PublishedIssuer) -> bytes | None:
        try:
            with made_of_tables(f"the DID document of {issuer.name}"):
                return self._identities.published(self._issuers[issuer.address])
        except NotFoundError:
            return None  # it publishes its document itself
        except BusyError as error:
            raise MaterialUnavailable(f"The DID document of {issuer.name} was not audited: {error}") from error

    def status_list(self, issuer: PublishedIssuer, purpose: str, number: int) -> bytes | None:
        try:
            with made_of_tables(f"the {purpose} list {number} of {issuer.name}"):
                return self._lists.unsigned(self._issuers[issuer.address], purpose, number)
        except NotFoundError:
            return None
        except ChainUnreachable as error:
            message = f"The {purpose} list {number} of {issuer.name} was not audited: {error}"
            raise MaterialUnavailable(message) from error

    def templates(self, issuer: PublishedIssuer) -> tuple[PublishedTemplate, ...] | None:
        """Nothing is said of them: those that are stored are audited with the tables."""
        return None

    def template(self, issuer: PublishedIssuer, template: PublishedTemplate) -> bytes | None:
        return None

    def list_signer(self, issuer: PublishedIssuer) -> ListSigner:
        try:
            ring = self._context.keys.ring(self._issuers[issuer.address].name)
        except InputError as error:
            raise MaterialUnavailable(f"The keys of {issuer.name} were not audited: {error}") from error
        return ListSigner(ring.verification_method, ring.current.public_key, ring.current.valid_from)


@contextmanager
def made_of_tables(what: str) -> Iterator[None]:
    """The tables may hold anything: what cannot be made of them is malformed, and hides nothing of the rest."""
    try:
        yield
    except DBAPIError as error:
        reason = unreadable(error)
        if reason is None:
            raise
        raise MaterialMalformed(f"{what} cannot be made: {reason}") from error
    except (Unreadable, *FAULTS) as error:
        raise MaterialMalformed(f"{what} cannot be made: the tables hold something else than they can") from error


def _published(issuer: Issuer) -> PublishedIssuer:
    base = issuer.status_base if issuer.signs == SIGNS_HERE else None
    return PublishedIssuer(issuer.address, issuer.did, base, None, issuer.name)
