"""Metadata and history by way of ccxt, from the local exchange: exact numbers, closed bars only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise

import pytest

from holdfast.domain.instrument import TradingStatus
from holdfast.errors import ConfigError, RejectedError, RetryableError
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.exchange.server import Running
from holdfast.venues.ccxt.archive import Archive, open_archive
from tests.support.ccxt_clients import Flavour, make
from tests.support.exchange import BTC_USDT, local_exchange

SECOND_NS = 10**9


@asynccontextmanager
async def local_archive() -> AsyncIterator[tuple[Archive, Running]]:
    """ccxt's Binance, led to the local exchange."""
    async with local_exchange() as (running, _):
        archive = Archive(make(Flavour.ASYNC, running.url))
        try:
            yield archive, running
        finally:
            await archive.close()


def test_instruments_carry_the_exact_grid() -> None:
    async def scenario() -> None:
        async with local_archive() as (archive, _):
            listed = {each.symbol: each for each in await archive.instruments()}
            market = listed["BTC/USDT"]
            assert market.venue_symbol == "BTCUSDT"
            assert market.price_tick == BTC_USDT.price_tick
            assert market.quantity_step == BTC_USDT.quantity_step
            assert market.min_notional == BTC_USDT.min_notional
            assert market.market_max_quantity == BTC_USDT.market_max_quantity
            assert market.status is TradingStatus.TRADING

    asyncio.run(scenario())


def test_bars_are_closed_joined_and_exact() -> None:
    async def scenario() -> None:
        async with local_archive() as (archive, _):
            await asyncio.sleep(1.1)
            asked_ns = time.time_ns()
            bars = await archive.bars("BTC/USDT", 1, asked_ns - 10 * SECOND_NS)
            assert bars
            assert all(bar.close_ns - bar.open_ns == SECOND_NS for bar in bars)
            assert all(earlier.close_ns <= later.open_ns for earlier, later in pairwise(bars))
            assert bars[-1].close_ns <= time.time_ns()
            assert bars[-1].close == Decimal(60_000)

    asyncio.run(scenario())


def test_what_the_exchange_lacks_is_said_plainly() -> None:
    async def scenario() -> None:
        async with local_archive() as (archive, _):
            with pytest.raises(ConfigError, match="bars of 61 s"):
                await archive.bars("BTC/USDT", 61, 0)
            with pytest.raises(RejectedError, match="NO/SUCH"):
                await archive.bars("NO/SUCH", 60, time.time_ns() - 3_600 * SECOND_NS)

    asyncio.run(scenario())


def test_an_exchange_that_does_not_answer_can_be_asked_again() -> None:
    async def scenario() -> None:
        async with local_archive() as (archive, running):
            running.desk.admin.inject(
                Fault(FaultKind.HTTP_STATUS, Match(method="GET"), count=1, params={"status": 502})
            )
            with pytest.raises(RetryableError):
                await archive.instruments()
            assert await archive.instruments()

    asyncio.run(scenario())


def test_an_exchange_that_ccxt_does_not_know_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        open_archive("nowhere")


def test_an_archive_is_opened_by_name() -> None:
    async def scenario() -> None:
        archive = open_archive("kraken")
        with pytest.raises(ConfigError, match="bars of 7 s"):
            await archive.bars("BTC/EUR", 7, 0)
        await archive.close()
        await archive.close()

    asyncio.run(scenario())
