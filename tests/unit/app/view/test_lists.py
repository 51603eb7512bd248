"""Lists over a written journal: pages join to the whole, and nobody reads what is not his."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from holdfast.api.ports import Mark, NotThereError, Part, Which
from holdfast.api.shapes.trading import EquitySeries, Fill, Order, OrderCondition
from holdfast.app.reports.projector import fill
from holdfast.app.view import fills, lists
from holdfast.app.view.candles import Candles
from holdfast.app.view.history import History
from holdfast.app.view.journals import BUSY_POLL_S, BUSY_S, POLL_S, Journals
from holdfast.app.view.model import Model
from holdfast.app.view.reads import ViewReads
from holdfast.app.view.recent import Recent
from holdfast.app.view.sentence import Situation, Tone, say
from holdfast.config import Config
from holdfast.config.database import ReportPolicy
from holdfast.domain.fact import Filled
from holdfast.domain.guard import HaltLevel
from holdfast.journal.database import SqliteDatabase
from holdfast.ledger import fold
from holdfast.platform.identity.values import Grant, Principal, Role
from tests.support.exchange import on_loop
from tests.support.report_stream import (
    ACCOUNT,
    BEGIN,
    DAY,
    ns,
    save_snapshot,
    stream,
    trade,
    write,
)

T = TypeVar("T")

ADMIN = Principal(user_id="1", name="ada", role=Role.ADMIN, scopes=Role.ADMIN.scopes)
OF_ONE = Principal(
    user_id="2", name="vera", role=Role.VIEWER, scopes=Role.VIEWER.scopes,
    grants=(Grant(ACCOUNT, "one"),),
)  # fmt: skip
TRADES = 12


@asynccontextmanager
async def reads(folder: Path, unreported: int) -> AsyncIterator[ViewReads]:
    """A journal of `TRADES` trades, of which the last ones are not in the tables yet."""
    async with followed_reads(folder, unreported) as (made, _):
        yield made


@asynccontextmanager
async def followed_reads(
    folder: Path, unreported: int, unheard: int = 0
) -> AsyncIterator[tuple[ViewReads, Journals]]:
    """The same, with what follows the journal when it is asked to look.

    Args:
        unheard: trades at the beginning that are in the snapshot from which it is followed.
    """
    journal = SqliteDatabase(folder / "journal.db")
    tables = journal.reports(ReportPolicy())

    def prepare() -> None:
        write(journal, stream(TRADES - unreported))
        tables.make(ns(BEGIN + 150 * DAY))
        fill(journal, tables, ACCOUNT)
        for number in range(TRADES - unreported + 1, TRADES + 1):
            write(journal, trade(number))
        if unheard:
            last_ns = stream(unheard)[-1][0]
            seqs = [one.seq for one in journal.read(ACCOUNT) if one.at_ns <= last_ns]
            save_snapshot(journal, seqs[-1])

    await asyncio.to_thread(prepare)
    model = Model(Config(database_url=f"sqlite:///{journal.name}"), journal)
    await model.journals.look()
    history, charts = History(journal, ReportPolicy(), model.journals), Candles()
    try:
        yield ViewReads(model, history, Recent(model), charts, folder), model.journals
    finally:
        model.journals.close()
        tables.close()
        await history.close()
        await charts.close()


async def paged(made: ViewReads, who: Principal, which: Which, limit: int) -> list[Order]:
    return await joined(lambda after: made.orders(who, which, after, limit))


async def paged_fills(made: ViewReads, which: Which, limit: int) -> list[Fill]:
    return await joined(lambda after: made.fills(ADMIN, which, after, limit))


async def joined(page: Callable[[Mark | None], Awaitable[Part[T]]]) -> list[T]:
    """All pages, each asked for with the end of the one before."""
    found: list[T] = []
    after: Mark | None = None
    while True:
        part = await page(after)
        found += part.items
        if part.end is None:
            return found
        after = part.end


@pytest.mark.parametrize("unreported", [0, 3, TRADES])
@pytest.mark.parametrize("most", [1, 5, 9, 512])
@on_loop
async def test_pages_join_to_every_order_once_whatever_the_tables_have(
    tmp_path: Path, unreported: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some the fold remembers, some only the tables have, most both."""
    monkeypatch.setattr(fold, "REMEMBERED", max(most, 2 * unreported))
    async with reads(tmp_path, unreported) as made:
        for which in (Which(), Which(bot="one"), Which(condition=OrderCondition.FILLED)):
            whole = (await made.orders(ADMIN, which, None, 500)).items
            seqs = [one.seq for one in whole]
            assert seqs == sorted(set(seqs), reverse=True)
            for limit in (1, 5, 7):
                assert await paged(made, ADMIN, which, limit) == list(whole)
        assert len(await paged(made, ADMIN, Which(), 500)) == 2 * TRADES
        since = Which(since=BEGIN + 10 * DAY, until=BEGIN + 20 * DAY)
        assert len(await paged(made, ADMIN, since, 3)) == 10


@on_loop
async def test_a_page_of_what_folds_remember_is_written_as_its_orders_are_by_now(
    tmp_path: Path,
) -> None:
    """Written once per change, so a change must reach what is written."""
    async with followed_reads(tmp_path, 2) as (made, journals):
        journal = SqliteDatabase(tmp_path / "journal.db")
        before = await made.orders(ADMIN, Which(), None, 5)
        *but_last, last = trade(TRADES + 1)
        await asyncio.to_thread(write, journal, but_last)
        await journals.look()
        half = await made.orders(ADMIN, Which(), None, 5)
        await asyncio.to_thread(write, journal, [last])
        await journals.look()
        whole = await made.orders(ADMIN, Which(), None, 5)
        conditions = {one.cid: one.condition for one in whole.items}
        changed = [one.cid for one in half.items if conditions[one.cid] != one.condition]
        assert len(changed) == 1, "filled to its end"
        for part in (before, half, whole):
            written = msgspec.json.decode(msgspec.json.encode(part.written), type=list[Order])
            assert tuple(written) == part.items != ()


@pytest.mark.parametrize("unreported", [0, 3, TRADES])
@pytest.mark.parametrize("most", [1, 5, 512])
@pytest.mark.parametrize("followed", [0, 5, TRADES])
@on_loop
async def test_pages_join_to_every_fill_once_whatever_is_remembered(
    tmp_path: Path, unreported: int, most: int, followed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some were heard, some are learnt from the tables, some only the tables have."""
    for module in (fills, lists):  # what the tables lack is remembered, or it is nowhere
        monkeypatch.setattr(module, "REMEMBERED", max(most, 2 * unreported))
    truth = [fact for _, facts in stream(TRADES) for fact in facts if isinstance(fact, Filled)]
    truth.sort(key=lambda one: one.fill.at_ns, reverse=True)
    # What was neither heard nor reported comes with the tables.
    unknown = range(TRADES - unreported + 1, TRADES - followed + 1)
    known = [one for one in truth if int(one.fill.trade_id.split("-")[0]) not in unknown]
    async with followed_reads(tmp_path, unreported, TRADES - followed) as (made, _):
        for limit in (1, 5, 7, 500):
            found = await paged_fills(made, Which(), limit)
            assert [one.trade_id for one in found] == [one.fill.trade_id for one in known]
        for bot in ("one", "two"):
            found = await paged_fills(made, Which(bot=bot), 3)
            assert [one.trade_id for one in found] == [
                one.fill.trade_id for one in known if one.bot == bot
            ]
        since = Which(since=BEGIN + 10 * DAY, until=BEGIN + 20 * DAY)
        between = await paged_fills(made, since, 3)
        assert all(BEGIN + 10 * DAY <= one.at < BEGIN + 20 * DAY for one in between)


@on_loop
async def test_a_fill_is_shown_alike_whether_it_was_heard_or_read_from_a_table(
    tmp_path: Path,
) -> None:
    (tmp_path / "heard").mkdir()
    (tmp_path / "read").mkdir()
    async with followed_reads(tmp_path / "heard", 0) as (made, _):
        heard = await made.fills(ADMIN, Which(), None, 7)
    async with followed_reads(tmp_path / "read", 0, TRADES) as (made, _):
        read = await made.fills(ADMIN, Which(), None, 7)
    assert heard == read
    assert len(heard.items) == 7
    written = msgspec.json.decode(msgspec.json.encode(heard.written), type=list[Fill])
    assert tuple(written) == heard.items


@on_loop
async def test_of_a_busy_account_the_newest_pages_need_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little time lies between the orders that are remembered."""
    monkeypatch.setattr(fold, "REMEMBERED", 8)
    async with followed_reads(tmp_path, 0) as (made, journals):
        expected = await made.orders(ADMIN, Which(), None, 5), await made.fills(
            ADMIN, Which(), None, 5
        )

        async def unasked(*_: object) -> None:
            raise AssertionError("a table was asked")

        monkeypatch.setattr(History, "ask", unasked)
        assert len(next(iter(journals.accounts.values())).state.recent) == 8
        assert await made.orders(ADMIN, Which(), None, 5) == expected[0]
        assert await made.fills(ADMIN, Which(), None, 5) == expected[1]


@on_loop
async def test_equity_is_read_once_for_all_who_ask_between_two_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ask = History.ask

    async def counted(history: History, question: Any) -> Any:
        asked.append(1)
        return await ask(history, question)

    monkeypatch.setattr(History, "ask", counted)
    async with followed_reads(tmp_path, 0) as (made, journals):

        async def equity(points: int = 10) -> EquitySeries:
            return await made.equity(ADMIN, ACCOUNT, None, points, since=None, until=None)

        found = await asyncio.gather(*(equity() for _ in range(9)))
        assert found == [found[0]] * 9
        assert len(asked) == 1
        await equity(11)
        assert len(asked) == 2
        await asyncio.to_thread(write, SqliteDatabase(tmp_path / "journal.db"), trade(TRADES + 1))
        await journals.look()
        assert (await equity()).as_of_seq != found[0].as_of_seq
        assert len(asked) == 3


@on_loop
async def test_a_journal_is_looked_at_more_often_while_there_is_news(tmp_path: Path) -> None:
    async with followed_reads(tmp_path, 0) as (_, journals):
        (followed,) = journals.accounts.values()
        followed.heard_s = time.monotonic() + BUSY_S
        assert journals.pause_s == BUSY_POLL_S
        followed.heard_s = time.monotonic() - BUSY_S
        assert journals.pause_s == POLL_S


@on_loop
async def test_of_an_account_who_has_one_bot_sees_that_bot_and_nothing_else(
    tmp_path: Path,
) -> None:
    async with reads(tmp_path, 2) as made:
        assert {one.bot for one in await paged(made, OF_ONE, Which(), 4)} == {"one"}
        assert await paged(made, OF_ONE, Which(bot="two"), 4) == []
        found = await made.fills(OF_ONE, Which(), None, 100)
        assert {one.bot for one in found.items} == {"one"}
        assert [bot.name for bot in await made.bots(OF_ONE)] == ["one"]
        assert {p.bot for p in await made.positions(OF_ONE)} <= {"one"}
        assert await made.balances(OF_ONE) == ()
        assert (await made.overview(OF_ONE)).accounts == ()
        other = next(one for one in await paged(made, ADMIN, Which(bot="two"), 5))
        for asked in (
            made.order(OF_ONE, ACCOUNT, other.cid),
            made.bot(OF_ONE, ACCOUNT, "two"),
            made.bot_log(OF_ONE, ACCOUNT, "two", None, 5),
            made.equity(OF_ONE, ACCOUNT, None, 10, since=None, until=None),
            made.equity(OF_ONE, ACCOUNT, "two", 10, since=None, until=None),
            made.account(OF_ONE, ACCOUNT),
        ):
            with pytest.raises(NotThereError):
                await asked
        guessed = await made.equity(OF_ONE, None, "two", 10, since=None, until=None)
        assert guessed.items == (), "nor by leaving the account out"
        own = await made.equity(OF_ONE, ACCOUNT, "one", 10, since=None, until=None)
        assert len(own.items) > 0


@on_loop
async def test_an_order_tells_its_story_from_tables_and_from_what_was_heard_since(
    tmp_path: Path,
) -> None:
    async with reads(tmp_path, 2) as made:
        for one in await paged(made, ADMIN, Which(condition=OrderCondition.FILLED), 50):
            story = await made.order(ADMIN, ACCOUNT, one.cid)
            assert story.order == one
            assert [entry.kind for entry in story.timeline][:3] == ["armed", "attempt", "order"]
            assert [entry.kind for entry in story.timeline].count("filled") == 2
        with pytest.raises(NotThereError):
            await made.order(ADMIN, ACCOUNT, "no-such-order")


@pytest.mark.parametrize(
    ("situation", "sentence", "tone"),
    [
        (
            Situation(bots=2, leaders=["node-1"], price_age_s=0.2),
            "Trading normally. node-1 leads. Prices 0.2 s old. Nothing in doubt.", Tone.GOOD,
        ),
        (
            Situation(bots=2, leaders=["a", "b"], price_age_s=0.2),
            "Trading normally. Prices 0.2 s old. Nothing in doubt.", Tone.GOOD,
        ),
        (
            Situation(bots=2, doubts=2, doubt_s=3.1),
            "2 orders in doubt for 3.1 s. Asking the exchange, never sending again.",
            Tone.ATTENTION,
        ),
        (
            Situation(bots=1, halt=HaltLevel.ENTRIES, why="lunch", price_age_s=0.1),
            "Entries halted (lunch). Exits go on.", Tone.ATTENTION,
        ),
        (
            Situation(bots=1, unled=["main"]),
            "Nobody leads main. Nothing is traded there.", Tone.BAD,
        ),
        (Situation(bots=1, price_age_s=9.0), "Waiting for prices. 9.0 s old.", Tone.ATTENTION),
        (
            Situation(bots=1, running=0), "No bot runs. What they hold stays as it is.",
            Tone.ATTENTION,
        ),
        (
            Situation(bots=2, failed=["grid"], price_age_s=0.1),
            "grid failed. The others trade on.", Tone.BAD,
        ),
    ],
)  # fmt: skip
def test_the_sentence_is_about_what_matters_most(
    situation: Situation, sentence: str, tone: Tone
) -> None:
    assert say(situation) == (sentence, tone)
