"""Pages of candles from exchanges that answer with a window of time, whatever lies in it.

The local exchange answers as Binance does, with the next candles there are, and ccxt's exchanges
of the other kind are not on this machine: a scripted one stands in for them.
"""

from __future__ import annotations

import asyncio

import pytest

from holdfast.venues.ccxt.archive import Archive

MINUTE_MS = 60_000
DAY_MS = 86_400_000
NOW_MS = 400 * DAY_MS
MAXIMUM = 300


class Windowed:
    """Answers with the candles of the window that begins where it is asked, up to its limit."""

    id = "windowed"

    def __init__(self, opens_ms: list[int], timeframes: dict[str, int]) -> None:
        self.has = {"fetchTime": False}
        self.features = {"spot": {"fetchOHLCV": {"limit": MAXIMUM}}}
        self.opens_ms = opens_ms
        self.timeframes = timeframes
        self.asked: list[tuple[str, int]] = []

    def parse_timeframe(self, name: str) -> int:
        return self.timeframes[name]

    def milliseconds(self) -> int:
        return NOW_MS

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[list[object]]:
        assert limit <= MAXIMUM, "the real one would refuse"
        self.asked.append((timeframe, since_ms))
        span_ms = self.timeframes[timeframe] * 1000
        until_ms = since_ms + limit * span_ms
        opens = sorted({at - at % span_ms for at in self.opens_ms})
        return [
            [at, "1", "2", "0.5", "1.5", "3"] for at in opens if since_ms <= at < until_ms
        ]


def fetched(exchange: Windowed, since_ms: int = 0, until_ms: int | None = None) -> list[int]:
    async def scenario() -> list[int]:
        until_ns = None if until_ms is None else until_ms * 10**6
        pages = Archive(exchange).pages("A/B", 60, since_ms * 10**6, until_ns)
        return [bar.open_ns // 10**6 for page in [page async for page in pages] for bar in page]

    return asyncio.run(scenario())


LATE = [300 * DAY_MS + minute * MINUTE_MS for minute in (5, 6, 7, 4000, 4001)]


@pytest.mark.parametrize("timeframes", [{"1m": 60}, {"1m": 60, "1d": 86_400}])
def test_candles_behind_empty_windows_are_found(timeframes: dict[str, int]) -> None:
    assert fetched(Windowed(LATE, timeframes), 290 * DAY_MS) == LATE


def test_days_find_the_first_candle_without_asking_for_every_window() -> None:
    exchange = Windowed(LATE, {"1m": 60, "1d": 86_400})
    assert fetched(exchange) == LATE
    # 1,440 windows of three hundred minutes lie before the first one.
    assert len(exchange.asked) < 50


def test_an_end_is_not_asked_beyond() -> None:
    exchange = Windowed(LATE, {"1m": 60, "1d": 86_400})
    assert fetched(exchange, LATE[0], LATE[1]) == LATE[:1]
    assert exchange.asked == [("1m", LATE[0])]


def test_nothing_at_all_is_nothing() -> None:
    exchange = Windowed([], {"1m": 60, "1d": 86_400})
    assert fetched(exchange) == []
    assert len(exchange.asked) < 5
