"""Writing files that are there as a whole or not at all."""

import os
import tempfile
from pathlib import Path

__all__ = ["write_if_changed"]


def write_if_changed(path: Path, content: bytes, *, mode: int = 0o600) -> bool:
    """Writes ``content`` unless the file already says the same; returns whether it wrote.

    Killed at any line, the old file or the new one is there. Bundles are personal data: others may not read them.
    """
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and not error.filename:  # writing itself does not say which file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    return True
