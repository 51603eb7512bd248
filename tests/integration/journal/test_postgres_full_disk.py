"""A server whose disk is full: no order is lost, and it goes on with space."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from holdfast.app.chaos.postgres import database_named
from holdfast.errors import RetryableError, exit_code
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed
from tests.support.postgres import server
from tests.support.postgres_servers import MAIN, OWN_SERVERS, cids

pytestmark = OWN_SERVERS


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 24 MiB that the server may write."""
    place = Path(server().folder) / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "none", str(place)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        place.rmdir()
        pytest.skip(f"a small file system needs root ({done.stderr.strip()}): run as root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def test_a_full_disk_of_the_server_stops_orders_loses_none_and_goes_on_with_space(
    small_disk: Path,
) -> None:
    """The tables are on a small disk of their own; the server's log is not."""
    space = small_disk / "space"
    space.mkdir()
    shutil.chown(space, server()._user or os.getuid())
    with psycopg.connect(server().url, autocommit=True) as beside:
        beside.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
        beside.execute("CREATE DATABASE full_disk TABLESPACE small TEMPLATE template0")
    url = database_named(server().url, "full_disk")
    answered: set[str] = set()
    refused: set[str] = set()

    async def run() -> None:
        store = PostgresStore(url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        ballast = small_disk / "ballast"
        room = shutil.disk_usage(small_disk).free - 256 * 1024
        ballast.write_bytes(bytes(room))
        for number in range(1, 10**6):
            try:
                await writer.append(armed(number))
            except RetryableError as error:
                assert "No space left on device" in str(error), error  # noqa: PT017
                assert exit_code(error) == 4  # noqa: PT017
                refused.add(armed(number).cid)
            else:
                answered.add(armed(number).cid)
            if len(refused) == 5:
                break
        ballast.unlink()
        await writer.append(armed(0))
        answered.add(armed(0).cid)
        await store.close()

    try:
        asyncio.run(run())
        assert cids(url) == answered
        assert answered.isdisjoint(refused)
    finally:
        with psycopg.connect(server().url, autocommit=True) as beside:
            beside.execute("DROP DATABASE full_disk WITH (FORCE)")
            beside.execute("DROP TABLESPACE small")
