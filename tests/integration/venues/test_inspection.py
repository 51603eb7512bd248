"""What an account says of itself, asked of a local exchange: a garbled answer is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from holdfast.errors import RetryableError
from holdfast.exchange.faults import Fault, FaultKind
from holdfast.venues.binance import inspection
from holdfast.venues.binance.client import BinanceVenue
from tests.integration.venues.test_binance_venue import trading
from tests.support.exchange import on_loop

QUESTIONS: dict[str, Callable[[BinanceVenue], Awaitable[Any]]] = {
    "rights": inspection.key_rights,
    "uid": inspection.account_uid,
    "rates": partial(inspection.rates, symbol="BTC/USDT"),
    "price": partial(inspection.last_price, symbol="BTC/USDT"),
    "orders": partial(inspection.recent_orders, symbol="BTC/USDT", tag="0"),
}


@pytest.mark.parametrize("what", QUESTIONS)
@on_loop
async def test_a_garbled_answer_is_no_answer_and_no_crash(what: str) -> None:
    async with trading() as (venue, running, _):
        await venue.time()
        before = await QUESTIONS[what](venue)
        running.desk.gateway.faults.add(Fault(kind=FaultKind.GARBAGE_JSON))
        with pytest.raises(RetryableError):
            await QUESTIONS[what](venue)
        running.desk.gateway.faults.clear()
        assert await QUESTIONS[what](venue) == before
