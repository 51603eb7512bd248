"""Downloads with the real ccxt from the local exchange: only what is missing, kept as it comes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.markets.download import Download, Fetched, download
from holdfast.domain.market import Bar, Trade
from holdfast.errors import ConfigError, UnreachableError
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.exchange.replay import RecordedMarket, ReplayFlow
from holdfast.exchange.server import Running, serve
from holdfast.market.bar_table import BarTable
from holdfast.market.candles import CandleBuilder
from holdfast.market.catalogue import Catalogue, Rows
from holdfast.market.stamp import iso, to_ns
from holdfast.venues.ccxt.archive import Archive
from tests.support.ccxt_clients import Flavour, make
from tests.support.exchange import BTC_USDT, ETH_USDT, Clock, on_loop

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
NOW_NS = Clock().ns
START_NS = NOW_NS - 2 * HOUR_NS
SINCE = "2025-12-31T22:00:05"


def prints(symbol: str) -> list[Trade]:
    """A print every second and a half of the last two hours, up and down."""
    return [
        Trade(
            START_NS + number * 3 * SECOND_NS // 2, symbol,
            Decimal(60_000) + Decimal(abs(number % 90 - 45)) / 4,
            Decimal(number % 7 + 1) / 100, bool(number % 2), number + 1,
        )
        for number in range(4800)
    ]  # fmt: skip


@asynccontextmanager
async def exchange() -> AsyncIterator[tuple[Running, Asked]]:
    """A local exchange with two hours of history at a clock that stands, and ccxt led to it."""
    markets = [
        RecordedMarket(item, lambda symbol=item.symbol: prints(symbol))  # type: ignore[misc]
        for item in (BTC_USDT, ETH_USDT)
    ]
    flow = ReplayFlow(markets)
    async with serve(flow, speed=0, warm_up_s=7200, now_ns=Clock()) as running:
        archive = Asked(make(Flavour.ASYNC, running.url))
        try:
            yield running, archive
        finally:
            await archive.close()


class Asked(Archive):
    """The archive, which remembers from when on candles were asked for."""

    def __init__(self, exchange: Any) -> None:
        super().__init__(exchange)
        self.since: list[str] = []
        ask = exchange.fetch_ohlcv

        def fetch(symbol: str, timeframe: str, since_ms: int, limit: int) -> Any:
            self.since.append(iso(since_ms * 10**6)[11:-1])
            return ask(symbol, timeframe, since_ms, limit)

        exchange.fetch_ohlcv = fetch


def wanted(folder: Path, **changes: Any) -> Download:
    choice: dict[str, Any] = {
        "exchange": "binance", "symbols": ("BTC/USDT",), "timeframe": "1m", "since": SINCE,
        "folder": folder, **changes,
    }  # fmt: skip
    return Download(**choice)


async def fetch(archive: Archive, folder: Path, **changes: Any) -> Fetched:
    (fetched,) = await download(
        archive, wanted(folder, **changes), lambda *_: None, pauses_s=(0.01, 0.01)
    )
    return fetched


def stored(folder: Path, timeframe: str = "1m", symbol: str = "BTC/USDT") -> BarTable:
    table = Catalogue(folder).bars("binance", symbol, timeframe)
    assert table is not None
    return table


def built(trades: Iterable[Trade], bar_s: int) -> list[Bar]:
    builder = CandleBuilder("BTC/USDT", bar_s)
    return [bar for trade in trades if (bar := builder.add(trade))]


@on_loop
async def test_what_comes_is_what_the_prints_make_to_the_last_digit(tmp_path: Path) -> None:
    async with exchange() as (_, archive):
        fetched = await fetch(archive, tmp_path)
    expected = [bar for bar in built(prints("BTC/USDT"), 60) if bar.open_ns >= to_ns(SINCE)]
    assert list(stored(tmp_path).bars())[: len(expected)] == expected
    assert len(expected) >= 117
    assert (fetched.complete, fetched.gaps, fetched.bad_rows, fetched.rounded) == (True, [], 0, 0)
    assert (fetched.first, fetched.last) == ("2025-12-31T22:01:00Z", "2025-12-31T23:59:00Z")
    assert fetched.added == fetched.rows == 119


@on_loop
async def test_a_second_run_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    async with exchange() as (_, archive):
        await fetch(archive, tmp_path, since="2025-12-31T22:30", until="2025-12-31T23:00")
        archive.since.clear()
        fetched = await fetch(archive, tmp_path, since="2025-12-31T22:10")
        assert archive.since == ["22:10:00", "23:00:00"]
        assert (fetched.added, fetched.rows) == (80, 110)
        archive.since.clear()
        again = await fetch(archive, tmp_path, since="2025-12-31T22:10")
        assert archive.since == []
        assert (again.added, again.rows, again.sha256) == (0, 110, fetched.sha256)


@on_loop
async def test_imported_candles_need_not_be_fetched(tmp_path: Path) -> None:
    async with exchange() as (_, archive):
        await fetch(archive, tmp_path / "a")
        table = stored(tmp_path / "a").between("2025-12-31T22:20", "2025-12-31T22:40")
        rows = Rows("BTC/USDT", "1m", table.frame)
        Catalogue(tmp_path / "b").put("binance", rows, "mine.csv")
        archive.since.clear()
        fetched = await fetch(archive, tmp_path / "b", until="2025-12-31T23:00")
        assert archive.since == ["22:00:05", "22:40:00"]
        assert fetched.sources == ["mine.csv", "binance, public candles"]
        assert (fetched.added, fetched.gaps) == (39, [])


@on_loop
async def test_many_pages_are_joined_without_a_hole(tmp_path: Path) -> None:
    async with exchange() as (_, archive):
        fetched = await fetch(archive, tmp_path, timeframe="1s")
        assert (fetched.rows, fetched.gaps) == (7199, [])  # the exchange keeps no more seconds
        assert len(archive.since) == 8


@on_loop
async def test_a_stop_in_the_middle_keeps_what_came_and_the_next_run_goes_on(
    tmp_path: Path,
) -> None:
    async with exchange() as (_, archive):
        def stop_after_three_pages(_: str, done_ns: int, __: int) -> None:
            if done_ns > 2500 * SECOND_NS:
                os.kill(os.getpid(), signal.SIGINT)

        choice = wanted(tmp_path, timeframe="1s")
        (half,) = await download(archive, choice, stop_after_three_pages)
        assert not half.complete
        assert 3000 <= half.rows < 6000
        archive.since.clear()
        whole = await fetch(archive, tmp_path, timeframe="1s")
        assert archive.since[0] == iso(to_ns(half.last or "") + SECOND_NS)[11:-1]
        assert (whole.complete, whole.gaps, whole.added) == (True, [], whole.rows - half.rows)


@on_loop
async def test_a_stop_while_the_exchange_is_silent_does_not_wait_for_it(tmp_path: Path) -> None:
    async with exchange() as (running, archive):
        def silence(_: str, done_ns: int, __: int) -> None:
            if done_ns:
                inject(running, FaultKind.DELAY_REPLY, delay_ms=600_000)
                loop.call_later(0.2, os.kill, os.getpid(), signal.SIGTERM)

        loop = asyncio.get_running_loop()
        (half,) = await download(archive, wanted(tmp_path, timeframe="1s"), silence)
        assert (half.complete, half.rows) == (False, 1000)


def inject(running: Running, kind: FaultKind, count: int = 1, **params: Any) -> None:
    where = Match(method="GET", path="/api/v3/klines")
    running.desk.admin.inject(Fault(kind, where, count=count, params=params))


@on_loop
async def test_a_failure_that_passes_is_asked_over(tmp_path: Path) -> None:
    async with exchange() as (running, archive):
        inject(running, FaultKind.HTTP_STATUS, count=2, status=503)
        fetched = await fetch(archive, tmp_path)
        assert (fetched.complete, fetched.rows) == (True, 119)


@on_loop
async def test_a_failure_that_stays_ends_and_keeps_what_came(tmp_path: Path) -> None:
    async with exchange() as (running, archive):
        def fail(_: str, done_ns: int, __: int) -> None:
            if done_ns >= 2000 * SECOND_NS:
                inject(running, FaultKind.HTTP_STATUS, count=99, status=503)

        with pytest.raises(UnreachableError, match=r"again later: what came until .* is kept"):
            await download(archive, wanted(tmp_path, timeframe="1s"), fail, pauses_s=(0.01,))
        assert 2000 <= len(stored(tmp_path, "1s")) < 4000


@on_loop
async def test_an_exchange_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    async with exchange() as (running, archive):
        inject(running, FaultKind.RATE_LIMIT, retry_after_s=1)
        began = asyncio.get_running_loop().time()
        fetched = await fetch(archive, tmp_path)
        assert asyncio.get_running_loop().time() - began >= 1
        assert fetched.complete


@on_loop
async def test_a_ban_is_not_waited_for(tmp_path: Path) -> None:
    async with exchange() as (running, archive):
        def ban(_: str, done_ns: int, __: int) -> None:
            if done_ns:
                running.desk.admin.inject(Fault(FaultKind.BAN, Match(), params={"for_s": 7200}))

        with pytest.raises(UnreachableError, match=r"asks for patience.*what came until .* is kep"):
            await download(archive, wanted(tmp_path, timeframe="1s"), ban)
        assert len(stored(tmp_path, "1s")) == 1000


@on_loop
async def test_two_symbols_become_two_files(tmp_path: Path) -> None:
    async with exchange() as (_, archive):
        both = await download(
            archive, wanted(tmp_path, symbols=("BTCUSDT", "eth-usdt")), lambda *_: None
        )
    assert [entry.symbol for entry in both] == ["BTC/USDT", "ETH/USDT"]
    assert [Path(entry.path).name for entry in both] == [
        "BTC_USDT-1m.parquet", "ETH_USDT-1m.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"symbols": ("BTC/UDST",)}, "symbol BTC/UDST at binance; expected: .*BTC/USDT"),
        ({"since": "tomorrow"}, "time 'tomorrow'"),
        ({"until": "2025-12-31"}, "expected: the first before the second"),
        ({"since": "2999-01-01"}, "expected: the first before the second, and before now"),
        ({"timeframe": "7m"}, "bars of 420 s; expected: one of"),
        ({"timeframe": "often"}, "timeframe 'often'"),
        ({"since": "2025-12-30", "until": "2025-12-31"}, "no candle of 1m for BTC/USDT"),
    ],
)
def test_a_wrong_choice_is_told_and_nothing_is_stored(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    @on_loop
    async def scenario() -> None:
        async with exchange() as (_, archive):
            with pytest.raises(ConfigError, match=told):
                await fetch(archive, tmp_path, **changes)

    scenario()
    assert Catalogue(tmp_path).entries() == []
