"""A process that opens a SQLite file of leases, or of a journal, and stops while it writes.

Run as `python -m tests.support.stopped_writer KIND PATH`: it says `inside` on stdout with the write
lock in its hands, and then does nothing. Not here: stopping it (whoever started it).
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

from holdfast.cluster.sqlite_file import LeaseFile
from holdfast.cluster.timing import PROFILES


def hold(connection: sqlite3.Connection) -> None:
    """Say it, and do not come back."""
    assert connection.in_transaction
    sys.stdout.write("inside\n")
    sys.stdout.flush()
    while True:
        time.sleep(3600)


def main(kind: str, path: Path) -> None:
    """Hold the write lock: as who opened the leases, or as anybody at all."""
    if kind == "leases":
        LeaseFile(path, PROFILES["fast"]).transaction(hold, "BEGIN IMMEDIATE")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    hold(connection)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
