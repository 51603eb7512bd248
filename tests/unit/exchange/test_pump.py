"""Market time into exchange time: history before the doors open, then events when they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import Side
from holdfast.exchange.core import Exchange
from holdfast.exchange.flow import FlowEvent, Place
from holdfast.exchange.pump import Pump
from tests.support.exchange import BTC_USDT, Clock, on_loop

SECOND_NS = 1_000_000_000


class Ticks:
    """One trade per second of market time from an odd moment on: a sale, and who takes it."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return (BTC_USDT,)

    def events(self) -> Iterator[FlowEvent]:
        for second in range(self._seconds):
            at_ns = 777_000 + second * SECOND_NS
            price = Decimal(100 + second)
            yield Place(at_ns, "BTC/USDT", Side.SELL, price, Decimal(1), second + 1)
            yield Place(at_ns, "BTC/USDT", Side.BUY, None, Decimal(1))


def made(seconds: int, speed: float, warm_up_s: float) -> tuple[Clock, Exchange, Pump]:
    clock = Clock()
    flow = Ticks(seconds)
    exchange = Exchange(flow.instruments, now_ns=clock)
    return clock, exchange, Pump(exchange, flow, speed=speed, warm_up_s=warm_up_s)


@pytest.mark.parametrize(("speed", "apart_ns"), [(1.0, SECOND_NS), (10.0, SECOND_NS // 10)])
def test_the_warm_up_is_history_that_ends_now(speed: float, apart_ns: int) -> None:
    clock, exchange, pump = made(1000, speed, warm_up_s=20)
    assert pump.warm_up() == 2 * (20 * int(speed) + 1)
    times = [trade.at_ns for trade in exchange.tapes["BTC/USDT"].trades]
    assert times[0] == clock.ns - 20 * SECOND_NS
    assert times[-1] == clock.ns
    assert times[1] - times[0] == apart_ns


def test_the_history_is_there_as_candles() -> None:
    clock, exchange, pump = made(1000, 1.0, warm_up_s=300)
    pump.warm_up()
    candles = exchange.tapes["BTC/USDT"].candles("1m", clock.ns)
    assert len(candles) == 6
    assert [candle.trades for candle in candles[1:-1]] == [60] * 4


@on_loop
async def test_live_events_wait_until_they_are_due() -> None:
    flow = Ticks(4)
    exchange = Exchange(flow.instruments)
    pump = Pump(exchange, flow, speed=50)
    started_s = asyncio.get_running_loop().time()
    await pump.run()
    passed_s = asyncio.get_running_loop().time() - started_s
    assert pump.applied == 8
    assert passed_s >= 0.055


@on_loop
async def test_speed_zero_waits_for_nothing_but_lets_others_in() -> None:
    _clock, exchange, pump = made(500, 0, warm_up_s=0)
    assert pump.warm_up() == 0
    turns = 0

    async def other() -> None:
        nonlocal turns
        while pump.applied < 1000:
            turns += 1
            await asyncio.sleep(0)

    await asyncio.gather(pump.run(), other())
    assert len(exchange.tapes["BTC/USDT"].trades) == 500
    assert turns > 5


def test_a_negative_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="speed -1"):
        made(1, -1, 0)
