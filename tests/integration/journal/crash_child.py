"""A writer that dies: after N acknowledged commits it kills itself at statement K of the next.

Usage: crash_child.py FILE COMMITS STATEMENT. Every acknowledged number is printed first.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from holdfast.journal.port import Group
from holdfast.journal.sqlite_file import SqliteFile

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.journal_facts import acked, armed, decided


def main(path: Path, commits: int, statement: int) -> None:
    file = SqliteFile(path)
    head = file.acquire("main", "child")
    seen = 0

    def die_in_time(_sql: str) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    for number in range(1, commits + 2):
        if number == commits + 1:
            file.connection().set_trace_callback(die_in_time)
        groups = [Group((decided(number), armed(number))), Group((acked(number),))]
        head, _ = file.commit(head, groups, number)
        if number <= commits:
            print(number, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)  # after the commit, before anyone was told


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
