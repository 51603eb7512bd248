"""Files that appear whole or not at all: a reader meets the old one or the new, never half of one.

Not here: who may write a file when several want to (journal.high_water, journal.owner).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put a file with `content` in the place of `path`, for this user's eyes only.

    Its folder is made where there is none. Of several that do it at once the last one stays.

    Args:
        durable: it outlives a power cut when this returns; otherwise this never waits for the disk.

    Raises:
        OSError: it cannot be written; what was there still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(content)
            if durable:
                out.flush()
                os.fsync(file)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make durable which files `folder` has, by which names.

    Raises:
        OSError: the disk did not take it.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
