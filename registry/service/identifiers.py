"""The registry's own ids: unguessable, since knowing one gives the bundle."""

import base64
from collections.abc import Callable

__all__ = ["new_id"]


def new_id(random: Callable[[int], bytes]) -> str:
    """128 random bits as base64url. None begins with a hyphen: on a command line that would be an option."""
    while True:
        identifier = base64.urlsafe_b64encode(random(16)).rstrip(b"=").decode()
        if not identifier.startswith("-"):
            return identifier
