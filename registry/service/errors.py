"""Why the service does not do what was asked. Each has a stable ``code`` for programs and an HTTP-like ``status``.

ServiceError
├── BadRequestError    400  it asks for what cannot be
├── NotFoundError      404  no such thing, or not yours to see
├── GoneError          410  it was erased or withdrawn
├── ConflictError      409  it contradicts what is already there
├── NotReadyError      409  not yet: ask again later (a batch that is not final, a chain that must be reconciled)
├── InvalidError       422  understood, and not acceptable; ``pointer`` says where
├── UnauthorizedError  401  no API key, or one that is not known
├── ForbiddenError     403  the API key is not for this
└── BusyError          503  what is needed is not at hand (another worker has it, a key cannot be opened)
"""

from collections.abc import Sequence
from typing import Self

from registry.core.errors import RegistryError

__all__ = [
    "BadRequestError",
    "BusyError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "InvalidError",
    "NotFoundError",
    "NotReadyError",
    "ServiceError",
    "UnauthorizedError",
]

_TOLD = 3  # faults that a message tells; the others are in ``faults``


class ServiceError(RegistryError):
    """The service does not do what was asked."""

    status = 500

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class BadRequestError(ServiceError):
    status = 400


class NotFoundError(ServiceError):
    status = 404


class GoneError(ServiceError):
    status = 410


class ConflictError(ServiceError):
    status = 409


class NotReadyError(ServiceError):
    status = 409


class InvalidError(ServiceError):
    """``pointer`` is the JSON pointer (RFC 6901) of what is wrong, in what was handed in.

    ``faults``: (pointer, message) of everything that is wrong, where it is more than one thing.
    """

    status = 422

    def __init__(self, code: str, message: str, pointer: str = "", faults: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(code, f"{message} (at {pointer})" if pointer else message)
        self.pointer = pointer
        self.faults = tuple(faults)

    @classmethod
    def of(cls, code: str, faults: Sequence[tuple[str, str]]) -> Self:
        """One error for several faults, at least one; the message tells the first ones."""
        pointer, message = faults[0]
        more = [f"{text} (at {place})" if place else text for place, text in faults[1:_TOLD]]
        if len(faults) > _TOLD:
            more.append(f"And {len(faults) - _TOLD} more.")
        found = cls(code, message, pointer, faults if len(faults) > 1 else ())
        found.args = (" ".join([str(found), *more]),)
        return found


class UnauthorizedError(ServiceError):
    status = 401


class ForbiddenError(ServiceError):
    status = 403


class BusyError(ServiceError):
    status = 503
