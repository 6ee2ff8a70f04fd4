"""What a file system says of a file, packed: as long as that stays the same, so does what the file holds."""

import os
from struct import Struct

__all__ = ["STAMP_BYTES", "stamp_of"]

_PACKED = Struct("<QqqQ")
STAMP_BYTES = _PACKED.size
_YOUNG_NS = 2_000_000_000  # a file system's clock may tick as slowly as that


def stamp_of(status: os.stat_result, now: int) -> bytes | None:
    """Size, times of change of content and of the file's entry, inode. ``status`` was asked for at ``now`` (Unix
    nanoseconds) or later, and before the file was read.

    None for a file that was changed just then: what is done to it within the same tick of the clock would not show.
    """
    if status.st_ctime_ns > now - _YOUNG_NS:
        return None
    return _PACKED.pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
