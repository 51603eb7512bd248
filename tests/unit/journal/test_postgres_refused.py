"""Which PostgreSQL the journal refuses to stand in, and how that is told."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from holdfast.errors import (
    ConfigError,
    PlatformError,
    RetryableError,
    exit_code,
)
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import connect, meaning
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.ports import refusing_port
from tests.support.postgres import database, server
from tests.support.waiting import PATIENCE_S, until


def optioned(url: str, *settings: str) -> str:
    """The address with server settings for its sessions."""
    return f"{url}&options={quote(' '.join(f'-c {setting}' for setting in settings))}"


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["off", "local"])
def test_commits_that_may_be_lost_are_refused_unless_that_is_accepted(level: str, url: str) -> None:
    weak = optioned(url, f"synchronous_commit={level}")
    with pytest.raises(ConfigError, match=f"synchronous_commit {level}.*may_lose_commits"):
        PostgresStore(weak)
    asyncio.run(PostgresStore(weak, may_lose=True).close())


def test_a_standby_that_follows_asynchronously_is_refused(
    url: str, beside: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """`pg_receivewal` takes the log as a standby does."""
    program = shutil.which("pg_receivewal") or next(
        iter(Path("/usr/lib/postgresql").glob("*/bin/pg_receivewal")), None
    )
    if program is None or "HOLDFAST_TEST_DATABASE_URL" in os.environ:
        pytest.skip("pg_receivewal, or the right to follow the server's log, is not here")

    def states() -> list[Any]:
        return beside.execute("SELECT state FROM pg_stat_replication").fetchall()

    follower = subprocess.Popen([program, "-D", str(tmp_path), "-d", server().url])
    try:
        asyncio.run(until(lambda: states() == [("streaming",)], "it follows"))
        with pytest.raises(ConfigError, match=r"asynchronously.*synchronous_standby_names"):
            PostgresStore(url)
        asyncio.run(PostgresStore(url, may_lose=True).close())
    finally:
        follower.terminate()
        follower.wait(PATIENCE_S)
    asyncio.run(until(lambda: states() == [], "the server let go of it"))


def test_a_server_that_takes_no_writes_is_retryable(url: str) -> None:
    with pytest.raises(RetryableError, match="takes no writes") as caught:
        PostgresStore(optioned(url, "default_transaction_read_only=on"))
    assert exit_code(caught.value) == 4


def test_an_address_without_a_database_is_a_usage_error_and_shows_no_password(url: str) -> None:
    wrong = url.replace("/holdfast_", "/missing_") + "&password=hunter2"
    with pytest.raises(ConfigError, match="does not exist") as caught:
        PostgresDatabase(wrong).version()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="no PostgreSQL address") as caught:
        PostgresDatabase("postgresql://u:hunter2@h/d?no_such=1")
    assert "hunter2" not in str(caught.value)


def test_a_line_beyond_this_machine_is_encrypted_or_not_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of any other name than `localhost` it counts as elsewhere."""
    monkeypatch.delenv("PGSSLMODE", raising=False)

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"N")  # no TLS here
        asked.append(await reader.read(1))
        writer.close()

    async def connects(url: str) -> None:
        with pytest.raises(PlatformError):
            await asyncio.to_thread(PostgresDatabase(url).version)

    async def run() -> None:
        server = await asyncio.start_server(plain, "127.0.0.2", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            await connects(f"postgresql://u@127.0.0.2:{port}/d")
            await until(lambda: bool(asked), "the line ends")
            assert asked == [b""], "no start-up message in plain text"
            await connects(f"postgresql://u@127.0.0.2:{port}/d?sslmode=prefer")
            await until(lambda: len(asked) > 1, "the line goes on, as it was told to")
            assert asked[-1] != b""

    asked: list[bytes] = []
    asyncio.run(run())


def test_a_server_that_does_not_answer_is_retryable(tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        PostgresDatabase(f"postgresql:///db?host={tmp_path}").version()


@pytest.mark.parametrize(
    ("version", "told"), [("0000", "holdfast db upgrade --database postgres"), ("9999", "newer")]
)
def test_another_schema_is_refused_with_what_to_do(version: str, told: str) -> None:
    with database(empty=True) as url:
        PostgresDatabase(url).upgrade()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", (version,))
            connection.execute("UPDATE compatibility SET oldest = %s", (version,))
        with pytest.raises(ConfigError, match=told):
            PostgresStore(url)


def test_another_kind_of_database_is_refused() -> None:
    with database(empty=True) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE customer (id int)")
        with pytest.raises(ConfigError, match="a database with other tables"):
            PostgresStore(url)


def test_a_server_that_is_not_there_is_told_by_why_it_does_not_answer() -> None:
    refused = pytest.raises(RetryableError, match=r"does not answer \(.*: Connection refused\); ")
    with refusing_port() as port, refused:
        connect(f"postgresql://holdfast@127.0.0.1:{port}/holdfast")


def test_a_server_that_stops_is_not_taken_for_a_full_one() -> None:
    told = str(meaning("postgresql://here", "57P01", "terminating connection"))
    assert "start it" in told
    assert "space" not in told
