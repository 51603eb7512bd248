"""What is noticed without a record: doubts that last, days that end, a journal that is set back."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.app.notify.claim import Claim
from holdfast.app.notify.watch import DAMAGED, Watch
from holdfast.app.view.journals import Journals
from holdfast.domain.fact import AttemptMoved
from holdfast.domain.order import AttemptState
from holdfast.operations.notify import rows
from tests.support.journal_facts import acked, armed
from tests.support.notify_world import TOKEN, World, fill, world
from tests.support.report_stream import BEGIN, DAY, spoil, stream, write
from tests.support.waiting import PATIENCE_S

S = 1_000_000_000


@asynccontextmanager
async def watching(made: World) -> AsyncIterator[tuple[Watch, Journals]]:
    """One who looks when he is told to, and the journals that he looks at."""
    claim, journals = Claim(made.store), Journals(made.database)
    await claim.acquire()
    try:
        yield Watch(made.config, made.database, made.store, claim, journals), journals
    finally:
        journals.close()
        await claim.release()


async def waiting(made: World, name: str = "all", who: str = "tom") -> list[str]:
    """What is still to be told, in order."""
    to = await made.subscription(who, name)
    found = made.store.look(lambda look: rows.messages(look, to.subscription_id))
    return [one.told for one in found]


def test_a_doubt_that_lasts_is_told_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("tom", "all")
            cid = armed(1).cid
            await made.write("main", armed(1), AttemptMoved(cid=cid, state=AttemptState.IN_DOUBT))
            now_ns = time.time_ns()
            async with watching(made) as (watch, journals):
                assert await journals.look()
                await watch.look_for_doubts(now_ns + 20 * S)
                assert await waiting(made) == []
                for _ in range(3):
                    await watch.look_for_doubts(now_ns + 31 * S)
            (told,) = await waiting(made)
            assert told.startswith(f"main/sma: Order {cid} has been in doubt for 3")
            async with watching(made) as (watch, journals):  # another process goes on
                await watch.look_for_doubts(now_ns + 32 * S)  # before it has read any journal
                assert await journals.look()
                await watch.look_for_doubts(now_ns + 33 * S)
                assert len(await waiting(made)) == 1
                await made.write("main", acked(1))
                assert await journals.look()
                for _ in range(2):
                    await watch.look_for_doubts(now_ns + 34 * S)
            assert (await waiting(made))[1:] == [f"main/sma: Order {cid} is in doubt no more."]

    asyncio.run(run())


def test_a_day_is_told_once_when_its_hour_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("ada", "all")
            await asyncio.to_thread(write, made.database, stream(4), "old")
            day = BEGIN + 3 * DAY
            hour = _hour_of(day)
            async with watching(made) as (watch, _):
                await watch.look_for_days(hour - DAY)  # it runs for the first time
                assert await waiting(made, who="ada") == []
                await watch.look_for_days(hour - timedelta(seconds=1))
                assert await waiting(made, who="ada") == []
                for _ in range(2):
                    await watch.look_for_days(hour)
            told = await waiting(made, who="ada")
            assert len(told) == 3, "one of each account"
            (old,) = [one for one in told if one.startswith("old: ")]
            assert old.startswith(f"old: {day.date().isoformat()}. Equity ")
            assert " fills, largest fall " in old
            assert " By bot: " in old

    asyncio.run(run())


def test_a_journal_that_does_not_hold_keeps_no_other_account_s_day_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("ada", "all")
            await asyncio.to_thread(write, made.database, stream(4), "bad")
            await asyncio.to_thread(spoil, made.database, 20, "bad")
            hour = _hour_of(BEGIN + 3 * DAY)
            async with watching(made) as (watch, _):
                await watch.look_for_days(hour - DAY)
                await watch.look_for_days(hour)
            bad, *others = await waiting(made, who="ada")
            assert bad.startswith("bad: seen: ")
            assert "Nothing is told of its 2026-01-08." in bad
            assert len(others) == 2, "one of each other account"

    asyncio.run(run())


def test_tables_of_reports_that_are_damaged_end_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("ada", "all")
            tables = Path(f"{made.database.name}.reports")
            tables.write_bytes(b"of no database " * 1000)
            hour = _hour_of(BEGIN + 3 * DAY)
            async with watching(made) as (watch, _):
                await watch.look_for_days(hour - DAY)
                await watch.look_for_days(hour)
                tables.unlink()
                await watch.look_for_days(hour + DAMAGED / 2)
                assert await waiting(made, who="ada") == []
                await watch.look_for_days(hour + DAMAGED)
            assert len(await waiting(made, who="ada")) == 2, "one of each account"

    asyncio.run(run())


def _hour_of(day: datetime) -> datetime:
    """When that day is told."""
    return datetime(day.year, day.month, day.day, 0, 5, tzinfo=UTC) + DAY


def test_a_journal_that_was_set_back_is_said_and_followed_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("tom", "all")
            hook = made.hooks["hook"]
            async with made.telling():
                await made.until(lambda: made.told_upto("main") > 0, "it began")
                await made.write("main", fill(1, value="101"))
                await made.until(lambda: "at 101" in hook.said, "it tells")
            made.store.change(lambda change: rows.move(change, "main", 99, bytes(32)))
            async with made.telling():
                await made.until(lambda: "What happened meanwhile" in hook.said, "it is said")
                await made.write("main", fill(2, value="102"))
                await made.until(lambda: "at 102" in hook.said, "it goes on")
            assert hook.taken[1]["title"] == "holdfast: Journal at fault"
            assert sum("What happened meanwhile" in one["message"] for one in hook.taken) == 1

    asyncio.run(run())


def test_who_was_paused_for_too_long_stops_and_stands_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("tom", "all")
            hook = made.hooks["hook"]
            async with made.telling():
                await made.until(lambda: made.told_upto("main") > 0, "it began")
                # Another process has taken over, and ends soon.
                soon_ns = time.time_ns() + S // 2
                made.store.change(lambda change: change.run(
                    "UPDATE notify_claim SET holder = 'other', until_ns = ?", soon_ns
                ))  # fmt: skip
                await made.write("main", fill(1, value="101"))
                await made.until(lambda: "at 101" in hook.said, "it is told when it is over")
                assert time.time_ns() > soon_ns
            assert hook.said.count("at 101") == 1

    asyncio.run(run())


def test_its_own_process_tells_until_it_is_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with world("sqlite", tmp_path, monkeypatch) as made:
            await made.add("tom", "all")
            file = tmp_path / "holdfast.toml"
            file.write_text(
                f'database_url = "sqlite:///{tmp_path}/journal.db"\nstate_dir = "{tmp_path}"\n'
                '[account.venue]\nrest_url = "http://127.0.0.1:9"\n'
                'ws_api_url = "ws://127.0.0.1:9/ws"\nstream_url = "ws://127.0.0.1:9"\n'
                '[[notify.channels]]\nname = "hook"\nto = "env:NOTIFY_HOOK"\n'
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "holdfast", "notify", "serve", "--config", str(file),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert process.stdout is not None
                assert process.stderr is not None
                said = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
                assert said == b"tells by hook\n"
                await made.until(lambda: made.told_upto("main") > 0, "it began")
                await made.write("main", fill(1, value="101"))
                await made.until(lambda: "at 101" in made.hooks["hook"].said, "it tells")
                process.terminate()
                logged = await asyncio.wait_for(process.stderr.read(), PATIENCE_S)
                assert await process.wait() == 0, logged
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            assert TOKEN.encode() not in logged

    asyncio.run(run())
