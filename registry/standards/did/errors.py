"""What can go wrong with a DID.

InputError
└── DidError
    ├── DidUnsupported       a method that is not resolved here
    ├── DidUnreachable       nothing was learnt: no answer, or none that may be used
    └── DidDocumentError     there is a document, and it is not one
"""

from registry.core.errors import InputError

__all__ = ["DidDocumentError", "DidError", "DidUnreachable", "DidUnsupported"]


class DidError(InputError):
    """A DID that cannot be used."""


class DidUnsupported(DidError):
    """Not a DID of the methods did:key and did:web, or one that breaks its method's rules."""


class DidUnreachable(DidError):
    """The DID's document could not be had; nothing was learnt about it."""


class DidDocumentError(DidError):
    """What was served is no DID document, or another DID's."""
