"""A journal that was restored from a dump: gone on from, or refused when it is behind.

Not here: going on from one that is behind all the same (acceptance/test_restore).
"""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.app.live.opening import open_stream
from holdfast.errors import CorruptionError, exit_code
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.verify import Report, verify
from holdfast.ledger.fold import apply
from tests.support.journal_facts import armed
from tests.support.postgres import database, server
from tests.support.postgres_servers import MAIN, OWN_SERVERS, cids

pytestmark = OWN_SERVERS


def test_a_restored_dump_is_gone_on_from_if_nothing_was_written_since_and_refused_otherwise(
    tmp_path: Path,
) -> None:
    """As docs/on-call/disaster.md has it, with PostgreSQL's own programs."""
    with database() as url:
        dump = str(tmp_path / "dump")

        async def go_on(*numbers: int) -> None:
            journal = PostgresDatabase(url, tmp_path)
            stream = await open_stream(journal, account=MAIN, deployment="x", reporting="USDT")
            for number in numbers:
                outcome = await stream.writer.append(armed(number))
                assert isinstance(outcome, tuple)
                for record in outcome:
                    apply(stream.account, record.seq, record.epoch, record.at_ns, record.fact)
            await stream.close()

        def restored() -> Report:
            run_client("pg_restore", "--dbname", url, "--clean", "--if-exists", "-1", dump)
            with closing(PostgresDatabase(url)) as journal:
                return verify(journal)

        asyncio.run(go_on(1, 2))
        run_client("pg_dump", "--dbname", url, "--format", "custom", "--file", dump)
        proved = restored()
        assert (proved.ok, proved.records) == (True, 4), proved
        asyncio.run(go_on(3))
        assert cids(url) == {armed(number).cid for number in (1, 2, 3)}
        assert restored().ok, "what it has is whole"
        with pytest.raises(CorruptionError, match="journal behind: main ends at 4") as caught:
            asyncio.run(go_on(4))
        assert exit_code(caught.value) == 1


def run_client(program: str, *words: str) -> None:
    """A program of PostgreSQL's, of the same version as the server."""
    command = [str(server().binaries / program), *words]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
