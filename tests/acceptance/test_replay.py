"""A shipped strategy trades on recorded markets, over the exchange's protocol: a green ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from holdfast.app.markets.local_exchange import LocalExchange, market
from holdfast.exchange.server import serve
from tests.support.exchange import open_account
from tests.support.ledger_check import Judgement, judge
from tests.support.node import BotLine, Node, until_node
from tests.support.recordings import recording

SMA = BotLine("trend", "BTC/USDT", "sma_cross", {"fast": "2", "slow": "3"})
ORDERS = 4


@pytest.mark.parametrize(
    ("file", "symbol", "speed"),
    [
        # Real prints, three seconds of the market in each second: two minutes of them.
        ("ticks/binance-raw-ws/spot_btcusdt_20240808.gz", "BTC/USDT", 3.0),
        # A recorded minute candle in each second.
        ("ohlcv/binance-spot-2021-04-05/BTC_USDT-1m.json", "BTC/USDT", 60.0),
    ],
    ids=["trades", "candles"],
)
def test_a_bot_trades_on_a_recording_and_the_ledgers_agree(
    file: str, symbol: str, speed: float, tmp_path: Path
) -> None:
    choice = LocalExchange(data=(recording(file),), symbols=(symbol,), speed=speed)

    async def trade() -> tuple[int, Judgement]:
        async with serve(market(choice, 0.0), port=0, speed=speed) as running:
            account = open_account(running, {"USDT": "100000"})
            node = Node(tmp_path, running, (account.api_key, account.secret), (SMA,))
            await node.start()
            try:
                await until_node(node, lambda: node.state().counters.fills >= ORDERS, "fills")
                assert await node.stop() == 0, node.said()
            finally:
                await node.end()
            async with aiohttp.ClientSession(running.url) as http:
                ledger = await (await http.get("/admin/ledger")).read()
                requests = await (await http.get("/admin/requests")).read()
            found = judge(ledger, requests, node.key, node.records())
            return node.state().counters.fills, found

    fills, found = asyncio.run(trade())
    assert fills >= ORDERS
    assert found.faults == []


def test_a_restarted_node_goes_on_with_the_indicators_that_it_had(tmp_path: Path) -> None:
    choice = LocalExchange(symbols=("BTC/USDT",))
    bot = BotLine("trend", "BTC/USDT", "macd_trend", {"fast": "2", "slow": "3", "signal": "2"})

    async def trade() -> list[dict[str, object]]:
        async with serve(market(choice, 0.0), port=0) as running:
            account = open_account(running, {"USDT": "100000"})
            node = Node(tmp_path, running, (account.api_key, account.secret), (bot,))
            await node.start()
            try:
                await until_node(node, lambda: node.state().counters.fills >= 1, "a fill")
                assert node.logged("go_on") == []
                assert await node.stop() == 0, node.said()
                await node.start()
                fills = node.state().counters.fills
                await until_node(node, lambda: node.state().counters.fills > fills, "another")
                assert await node.stop() == 0, node.said()
            finally:
                await node.end()
            return node.logged("go_on")

    (told,) = asyncio.run(trade())
    assert told["bot"] == "trend"
