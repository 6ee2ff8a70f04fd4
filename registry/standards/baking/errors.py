"""Why an image could not be baked or read."""

from registry.core.errors import InputError

__all__ = ["BakingError"]


class BakingError(InputError):
    """An image, or what is baked into it, cannot be used; ``code`` is stable, for programs.

    not_an_image, too_large, png_malformed, png_checksum, svg_malformed, svg_entities, svg_encoding, no_credential,
    open_badges_2, several_credentials, ambiguous_credential, not_a_credential, several_companions, not_a_companion
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
