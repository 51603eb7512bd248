"""A journal in SQLite copied while it is there, and the copy put in its place.

As an operator does it. Not here: what a node says of it (acceptance tests).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.support.node import Node


def backup(node: Node) -> bytes:
    """A whole copy of a node's journal, also of one that is being written.

    The file alone is none: the last records may still be beside it, in its write-ahead log.
    """
    path = node.folder / "backup.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(node.journal)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path.read_bytes()


def put_back(node: Node, copy: bytes) -> None:
    """Put a copy in the place of a dead node's journal, with none of what was beside it."""
    for beside in ("wal", "shm"):
        node.journal.with_name(f"{node.journal.name}-{beside}").unlink(missing_ok=True)
    node.journal.write_bytes(copy)
    node.forget_what_was_read()
