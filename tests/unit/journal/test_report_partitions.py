"""Tables of reports by month in PostgreSQL: made ahead, healed, retired; apart from the journal."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from holdfast.app.reports.projector import fill
from holdfast.config.database import ReportPolicy
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.report_months import Month
from holdfast.journal.report_schema import BY_MONTH
from holdfast.journal.reports import Condition, Progress, Reports
from holdfast.journal.schema import metadata
from tests.support.postgres import database
from tests.support.report_stream import ACCOUNT, BEGIN, DAY, ns, stream, write

NOW_NS = ns(BEGIN + 150 * DAY)
KEEP_ALL = ReportPolicy()


@pytest.fixture
def journal() -> Iterator[PostgresDatabase]:
    with database() as url, closing(PostgresDatabase(url)) as found:
        yield found


@pytest.fixture
def beside(journal: PostgresDatabase) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(journal.url, autocommit=True) as connection:
        yield connection


def made(journal: PostgresDatabase, now: datetime, policy: ReportPolicy = KEEP_ALL) -> Reports:
    reports = journal.reports(policy)
    reports.make(ns(now))
    return reports


def put(reports: Reports, at: datetime, seq: int) -> None:
    before = reports.begin(ACCOUNT)
    row = {"account": ACCOUNT, "at": ns(at), "seq": seq, "equity": Decimal(seq), "unit": Decimal(1)}
    reports.write(ACCOUNT, before, Progress(before.seq + 1, b"x"), {"report_equity": [row]})


def stored_in(beside: psycopg.Connection[Any]) -> dict[int, str]:
    """The partition of each sample of equity."""
    rows = beside.execute("SELECT seq, tableoid::regclass::text FROM report_equity").fetchall()
    return dict(rows)


def test_the_tables_are_what_the_documents_correct_to(
    journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    """Section 2, row 23: the key has the moment, moments know their zone, text has no length."""
    made(journal, BEGIN)
    keys = beside.execute(
        "SELECT c.relname, pg_get_partkeydef(c.oid), pg_get_constraintdef(k.oid) "
        "FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid "
        "JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'"
    ).fetchall()
    assert sorted(name for name, _, _ in keys) == sorted(table.name for table in BY_MONTH)
    for name, by, key in keys:
        moment = next(table.info["moment"] for table in BY_MONTH if table.name == name)
        assert by == f"RANGE ({moment})"
        assert key.startswith(f"PRIMARY KEY (account, {moment}, seq")
    types = beside.execute(
        "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_name LIKE 'report%'"
    ).fetchall()
    assert {kind for (kind,) in types} == {
        "text", "bigint", "integer", "numeric", "timestamp with time zone", "boolean", "bytea",
    }  # fmt: skip


def test_what_must_be_unique_is_in_no_partition(
    journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    made(journal, BEGIN)
    partitioned = beside.execute("SELECT partrelid::regclass::text FROM pg_partitioned_table")
    assert metadata.tables.keys().isdisjoint({name for (name,) in partitioned})


def test_partitions_are_there_before_they_are_needed_and_as_months_go_by(
    journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    reports = made(journal, datetime(2026, 11, 30, tzinfo=UTC))
    assert reports.condition() == Condition(("2026-11", "2026-12", "2027-01"), 0)
    put(reports, datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC), 1)
    put(reports, datetime(2026, 12, 1, tzinfo=UTC), 2)
    assert stored_in(beside) == {1: "report_equity_2026_11", 2: "report_equity_2026_12"}
    made(journal, datetime(2026, 12, 1, tzinfo=UTC))
    assert reports.condition().months[-1] == "2027-02"
    put(reports, datetime(2024, 2, 29, tzinfo=UTC), 3)
    assert stored_in(beside)[3] == "report_equity_2024_02", "of the past when they come"


@pytest.mark.parametrize(
    "at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)]
)
def test_a_moment_that_cannot_be_is_kept_and_told(
    at: datetime, journal: PostgresDatabase, beside: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    reports = made(journal, BEGIN)
    put(reports, at, 1)
    assert stored_in(beside) == {1: "report_equity_default"}
    assert reports.condition().in_default == 1
    assert "report_default" in caplog.text


def test_rows_in_the_default_partition_move_when_their_month_is_made(
    journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    """As when nobody had made partitions for long, or a clock was wrong."""
    reports = made(journal, BEGIN)
    put(reports, datetime(2026, 6, 15, tzinfo=UTC), 1)
    put(reports, datetime(2026, 7, 15, tzinfo=UTC), 2)
    assert reports.condition().in_default == 2
    made(journal, datetime(2026, 4, 1, tzinfo=UTC))
    assert stored_in(beside) == {1: "report_equity_2026_06", 2: "report_equity_default"}
    again = made(journal, datetime(2026, 7, 1, tzinfo=UTC))
    assert stored_in(beside) == {1: "report_equity_2026_06", 2: "report_equity_2026_07"}
    assert again.condition().in_default == 0


@pytest.mark.parametrize("drop", [True, False])
def test_old_months_are_detached_or_dropped(
    drop: bool, journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    reports = made(journal, datetime(2026, 1, 1, tzinfo=UTC))
    for month in range(1, 4):
        put(reports, datetime(2026, month, 10, tzinfo=UTC), month)
    policy = ReportPolicy(keep_months=2, drop=drop)
    few = made(journal, datetime(2026, 4, 30, tzinfo=UTC), policy)
    assert stored_in(beside) == {3: "report_equity_2026_03"}
    assert few.condition().months[0] == "2026-03"
    kept = beside.execute("SELECT to_regclass('report_equity_2026_01_detached')::text").fetchone()
    assert kept == ((None,) if drop else ("report_equity_2026_01_detached",))
    put(few, datetime(2026, 1, 10, tzinfo=UTC), 9)
    assert stored_in(beside) == {3: "report_equity_2026_03"}, "it does not come back"
    everything = made(journal, datetime(2026, 4, 30, tzinfo=UTC))
    put(everything, datetime(2026, 1, 10, tzinfo=UTC), 9)
    assert stored_in(beside)[9] == "report_equity_2026_01"


@pytest.mark.skipif(
    "HOLDFAST_TEST_DATABASE_URL" in os.environ, reason="a server whose roles are not ours to make"
)
def test_who_may_not_make_tables_is_told(journal: PostgresDatabase) -> None:
    with psycopg.connect(journal.url, autocommit=True) as beside:
        beside.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN")
        beside.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    poor = PostgresDatabase(journal.url.replace("user=postgres", "user=reader"))
    try:
        with pytest.raises(ConfigError, match=r"permission denied.*grant it"):
            poor.reports(KEEP_ALL).make(NOW_NS)
    finally:
        poor.close()
        with psycopg.connect(journal.url, autocommit=True) as beside:
            beside.execute("DROP OWNED BY reader; DROP ROLE reader")


def test_a_lock_on_the_tables_is_not_waited_for_long_and_changes_nothing(
    journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    write(journal, stream(3))
    reports = made(journal, BEGIN)
    with beside.transaction():
        beside.execute("LOCK TABLE report_equity IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RetryableError, match="lock timeout"):
            fill(journal, reports, ACCOUNT)
    assert reports.begin(ACCOUNT).seq == 0
    assert fill(journal, reports, ACCOUNT).seq == 31


# -- apart from the journal ------------------------------------------------------------------------


def test_who_reports_holds_no_lock_that_a_writer_in_a_file_needs(tmp_path: Path) -> None:
    """Neither the other way round: the reports are read and filled while the journal is locked."""
    journal = SqliteDatabase(tmp_path / "journal.db")
    write(journal, stream(3))
    reports = journal.reports(KEEP_ALL)
    reports.make(NOW_NS)
    with reports._transaction():
        write(journal, stream(3)[:1], "another")
    with closing(sqlite3.connect(journal.name, isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        assert fill(journal, reports, ACCOUNT).seq == 31
        assert len(reports.read("report_fill", ACCOUNT)) == 6
        locking.execute("ROLLBACK")
    reports.close()


def test_who_reports_holds_no_lock_that_a_writer_in_postgresql_needs(
    journal: PostgresDatabase, beside: psycopg.Connection[Any]
) -> None:
    write(journal, stream(3))
    reports = made(journal, BEGIN)
    with reports._transaction(makes=True):
        write(journal, stream(3)[:1], "another")
    with beside.transaction():
        beside.execute("SELECT 1 FROM head FOR UPDATE")
        assert fill(journal, reports, ACCOUNT).seq == 31


@pytest.mark.parametrize(
    ("month", "months", "then"),
    [
        (Month(2026, 1), -1, Month(2025, 12)),
        (Month(2026, 12), 1, Month(2027, 1)),
        (Month(2026, 5), -29, Month(2023, 12)),
    ],
)
def test_months_are_counted_over_years(month: Month, months: int, then: Month) -> None:
    assert month.plus(months) == then
    assert then.plus(-months) == month
