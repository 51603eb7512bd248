"""Moving a journal from a file to PostgreSQL: all of it, proved record by record, or nothing.

Not here: the command (cli.db), what follows from the move for a node (docs/running.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from holdfast.domain.platform import PLATFORM
from holdfast.errors import ConfigError, CorruptionError, RetryableError
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.platform import platform_head, proved_events
from holdfast.journal.port import Head
from holdfast.journal.postgres_connect import (
    Connection,
    PostgresRows,
    connect,
    raise_translated,
    require_durable,
)
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.reading import Rows, all_heads, proved
from holdfast.journal.row_check import RowCheck
from holdfast.journal.schema import metadata
from holdfast.journal.sqlite_connect import SQLITE_ERRORS
from holdfast.journal.sqlite_connect import connect as connect_file
from holdfast.journal.sqlite_connect import raise_translated as raise_of_file

Progress = Callable[[str, int], None]
"""Told what is being done, and how many rows or records are done."""

_STEP = 10_000
AT_LAST_S: Final = 5.0
"""How long those that read the file may take to let it go, before it gets another name."""
_NEXT_NUMBER = """
    SELECT setval(pg_get_serial_sequence('command', 'number'),
                  coalesce((SELECT max(number) FROM command), 1),
                  EXISTS (SELECT 1 FROM command))
"""


class Moved(msgspec.Struct, frozen=True):
    """What is in the new place now.

    Attributes:
        heads: of all streams, the same as in the old place.
        rows: of all tables; 0 when an earlier move had come so far.
        kept: where the file is now.
    """

    heads: tuple[Head, ...]
    rows: int
    kept: Path


def move(
    source: SqliteDatabase,
    target: PostgresDatabase,
    progress: Progress = lambda _what, _done: None,
    along: Callable[[], None] = lambda: None,
) -> Moved:
    """Copy every row in one transaction, prove the copy, and put the file aside. Blocks.

    After an interruption it can be run again: before the commit there is nothing in the target, and
    after it what is there already is proved to be the same.

    Args:
        along: takes along what else is beside the file, once the copy is proved; may be run again.

    Raises:
        FencedError: a node writes the one or the other.
        ConfigError: there is no journal to move, or the target holds another one.
        CorruptionError: the source does not hold; nothing was moved.
        RetryableError: not now; nothing was moved.
    """
    source.require()
    target.upgrade()
    with ExitStack() as owned:  # until the file has another name, or a node may begin on it
        with source.one_moment() as rows:
            heads, platform = all_heads(source.name, rows), platform_head(source.name, rows)
            still = partial(_require_still, source, [*heads, platform])
            for head in heads:
                for database in (source, target):
                    owned.callback(database.own(head.account).release)
            still()
            moved = _copy(rows, target, (heads, platform), still, progress)
            for head in heads:
                target.high_water(head.account).write(head, anew=True)
        along()
        return Moved(tuple(heads), moved, put_aside(source.name, still))


def _require_still(source: SqliteDatabase, heads: Sequence[Head]) -> None:
    """Nobody wrote since our look at the file; the platform's stream has no owner to ask."""
    with source.one_moment() as rows:
        if [*all_heads(source.name, rows), platform_head(source.name, rows)] != list(heads):
            raise ConfigError(
                f"seen: {source.name} grew meanwhile; expected: no node and no API at work; do: "
                "stop them, and move again"
            )


def _copy(
    rows: Rows,
    target: PostgresDatabase,
    found: tuple[list[Head], Head],
    still: Callable[[], None],
    progress: Progress,
) -> int:
    heads, platform = found
    with closing(connect(target.url)) as connection:
        try:
            require_durable(target.name, connection, may_lose=target.may_lose)
            with connection.transaction():
                there = all_heads(target.name, PostgresRows(connection))
                copied = 0
                if not there and _is_empty(connection):
                    copied = sum(_copy_table(name, rows, connection, progress) for name in _TABLES)
                    connection.execute(_NEXT_NUMBER)
                elif there != heads:
                    raise ConfigError(
                        f"seen: {target.name} holds a journal already "
                        f"({len(there)} streams); expected: an empty one; do: name another database"
                    )
                for head in heads:
                    _prove(target.name, connection, head, progress)
                _prove_platform(target.name, PostgresRows(connection), platform)
                still()
        except psycopg.Error as error:
            raise_translated(target.name, error)
    return copied


_TABLES = {
    table.name: [column.name for column in table.columns]
    for table in metadata.sorted_tables
    if table.name != "compatibility"  # the target says that of itself
}


def _is_empty(connection: Connection) -> bool:
    some = " UNION ALL ".join(f"(SELECT 1 FROM {name} LIMIT 1)" for name in _TABLES)  # noqa: S608
    return connection.execute(some.encode()).fetchone() is None


def _copy_table(name: str, rows: Rows, connection: Connection, progress: Progress) -> int:
    columns = ", ".join(f'"{column}"' for column in _TABLES[name])
    done = 0
    statement = f"COPY {name} ({columns}) FROM STDIN".encode()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        row: tuple[Any, ...]
        for row in rows.execute(f"SELECT {columns} FROM {name}"):  # noqa: S608 - names of ours
            copy.write_row(row)
            done += 1
            if done % _STEP == 0:
                progress(name, done)
    progress(name, done)
    return done


def _prove(name: str, connection: Connection, head: Head, progress: Progress) -> None:
    """Every link of the copy, up to the same head, and every row that it claims."""
    rows = PostgresRows(connection)
    check = RowCheck(name, rows, head.account)
    for record in proved(name, rows, head.account):
        check.take(record)
        if record.seq % _STEP == 0:
            progress(f"proving {head.account}", record.seq)
    check.finish()
    if check.bad_count:
        raise CorruptionError(
            f"seen: {check.bad_count} rows beside the stream of {head.account} that it does not "
            "claim, or claims otherwise; expected: none; nothing was moved; do: run "
            "`holdfast audit verify`, and restore a backup"
        )


def _prove_platform(name: object, rows: Rows, expected: Head) -> None:
    """Every link of the platform's stream too, up to the head that it had."""
    count = sum(1 for _ in proved_events(name, rows))
    if platform_head(name, rows) != expected:
        raise ConfigError(
            f"seen: {name} holds {count} records of {PLATFORM} already, and not {expected.seq}; "
            "expected: the same as in the file; do: name another database"
        )


def put_aside(path: Path, still: Callable[[], None] = lambda: None) -> Path:
    """Rename a file: who starts on it again is told that his journal is behind.

    Nobody writes it meanwhile, and a node that has it open already leads in it no more.

    Args:
        still: raises when it is not what it was; asked when nobody else can write any more.

    Raises:
        RetryableError: somebody reads or writes it, so that its newest pages are still in a file
            beside it.
    """
    kept, log = path.with_name(f"{path.name}.moved"), path.with_name(f"{path.name}-wal")
    with closing(connect_file(path, AT_LAST_S)) as connection:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except SQLITE_ERRORS as error:
            raise_of_file(path, error)
        still()
        if is_busy or (log.exists() and log.stat().st_size):
            raise RetryableError(
                f"seen: somebody still reads or writes {path}; expected: no process that has it "
                "open; do: stop what shows it (an API, `journal tail`), and move again"
            )
        path.rename(kept)
    return kept
