"""The errors of the whole project; every one that crosses a module's edge is one of these.

    RegistryError
    ├── InputError              what somebody handed in cannot be used
    │   ├── JsonError           not strict JSON (RFC 8259 and RFC 8785's limits)
    │   ├── ShapeError          JSON, but not what it should be; says where
    │   │   ├── BundleError     not a bundle
    │   │   └── PolicyError     not a policy
    │   └── ProofError          an inclusion proof that does not prove
    ├── ChainError              an anchoring chain could not do what was asked (anchors.base)
    │   ├── ChainUnreachable    no answer, or none that makes sense: nothing was learnt
    │   ├── WrongChain          the node answers for another chain
    │   ├── WrongContract       no contract there, or another code
    │   ├── CallReverted        the contract refuses the call; carries its error's name
    │   └── TransactionRefused  the node did not take the transaction; carries why
    └── ServiceError            the service cannot do what was asked, in its present state (registry.service.errors)

A verdict is data, never an exception: an exception means that no verdict could be formed.
"""

__all__ = ["BundleError", "InputError", "JsonError", "PolicyError", "ProofError", "RegistryError", "ShapeError"]


class RegistryError(Exception):
    """Root of all errors. The message says what was wrong, where, and what to do; never a secret."""


class InputError(RegistryError):
    """What was handed in cannot be used."""


class JsonError(InputError):
    """Not strict JSON, or JSON that RFC 8785 cannot represent."""


class ShapeError(InputError):
    """JSON of the wrong shape; ``pointer`` is the JSON pointer (RFC 6901) of the fault."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(f"{message} (at {pointer})" if pointer else message)
        self.pointer = pointer


class BundleError(ShapeError):
    """Not a bundle."""


class PolicyError(ShapeError):
    """Not a verification policy."""


class ProofError(InputError):
    """An inclusion proof of the wrong shape, or one that leads to another root."""
