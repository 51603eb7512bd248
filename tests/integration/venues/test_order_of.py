"""Whose an execution was: the trade list names no client order id, the exchange is asked for it."""

from __future__ import annotations

import pytest

from holdfast.domain.order import OrderState
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.signing import Key
from holdfast.venues.port import ArchivedError, Purpose
from tests.support.exchange import local_exchange, on_loop


@on_loop
async def test_the_order_of_an_execution_carries_the_client_order_id() -> None:
    async with local_exchange() as (running, client):
        venue = BinanceVenue(Key(client.api_key, client.secret), Endpoints(rest_url=running.url))
        try:
            await client.order(newClientOrderId="mine")
            (fill,) = await venue.fills("BTC/USDT", Purpose.RESOLVE)

            report = await venue.order_by_id(fill.symbol, fill.venue_order_id, Purpose.RESOLVE)

            assert fill.cid == ""
            assert report is not None
            assert (report.cid, report.state) == ("mine", OrderState.FILLED)
            assert await venue.order_by_id("BTC/USDT", "999999", Purpose.RESOLVE) is None
        finally:
            await venue.close()


@on_loop
async def test_an_archived_order_is_told_from_one_that_nobody_knows() -> None:
    async with local_exchange() as (running, client):
        running.desk.exchange.archive_after_s = -1.0  # as soon as it has ended
        venue = BinanceVenue(Key(client.api_key, client.secret), Endpoints(rest_url=running.url))
        try:
            order = {"newClientOrderId": "mine", "quantity": "0.01"}
            _, placed = await client.order(type="LIMIT", price="50000", **order)
            await client.call(
                "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine"
            )
            with pytest.raises(ArchivedError):
                await venue.order("BTC/USDT", "mine", Purpose.RESOLVE)
            with pytest.raises(ArchivedError):
                await venue.order_by_id("BTC/USDT", str(placed["orderId"]), Purpose.RESOLVE)
            assert await venue.order("BTC/USDT", "nobody-s", Purpose.RESOLVE) is None
        finally:
            await venue.close()
