"""What one order costs between the decision to send it and its digested reply, on Binance's wire.

The exchange is another process that answers at once, so that only our side is counted. Not here:
journal and engine.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from decimal import Decimal

from benchmarks.row import Row
from holdfast.domain.order import OrderSpec, OrderType, Side
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.signing import Key
from holdfast.venues.budget import LimitKind, RateLimit
from holdfast.venues.port import Answer, Placement, Purpose

ORDERS = 2_000
ROUNDS = 4
CID = "0123456789abcdef0123456789abcdef"
LAVISH = (RateLimit(LimitKind.WEIGHT, 60_000, 10**9), RateLimit(LimitKind.ORDERS, 10_000, 10**9))
BODY = (
    b'{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"%s",'
    b'"transactTime":1507725176595,"price":"0.00000000","origQty":"10.00000000",'
    b'"executedQty":"10.00000000","cummulativeQuoteQty":"10.00000000","status":"FILLED",'
    b'"timeInForce":"GTC","type":"MARKET","side":"SELL","workingTime":1507725176595,'
    b'"selfTradePreventionMode":"NONE","fills":[{"price":"4000.00000000","qty":"10.00000000",'
    b'"commission":"4.00000000","commissionAsset":"USDT","tradeId":56}]}' % CID.encode()
)
HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
    f"Content-Length: {len(BODY)}\r\nX-MBX-USED-WEIGHT-1M: 7\r\nX-MBX-ORDER-COUNT-10S: 3\r\n\r\n"
).encode()


class _AnswersAtOnce(asyncio.Protocol):
    """Every packet is taken for one order, and filled."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, _: bytes) -> None:
        self._transport.write(HEAD + BODY)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_AnswersAtOnce, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run() -> list[Row]:
    """CPU per order and time to its first byte; the best of several rounds, as in a quiet hour."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.order_entry"], stdout=subprocess.PIPE, text=True
    ) as stub:
        assert stub.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(stub.stdout.readline())}"
            cpu_ms, first_byte_ms = asyncio.run(_measure(url))
        finally:
            stub.terminate()
    return [
        Row(what="Binance: CPU per order", unit="ms", measured=cpu_ms, at_most=0.3),
        Row(what="Binance: placing to first byte, p50", unit="ms", measured=first_byte_ms),
    ]


async def _measure(url: str) -> tuple[float, float]:
    venue = BinanceVenue(Key("k" * 64, "s" * 64), Endpoints(rest_url=url))
    venue.gate.learn(LAVISH)
    spec = OrderSpec(
        symbol="BTC/USDT", side=Side.SELL, type=OrderType.MARKET, quantity=Decimal(10)
    )
    placement = Placement(CID, spec, 1507725176595, 2_000, Purpose.ENTER)
    rounds = [await _round(venue, placement) for _ in range(ROUNDS)]
    await venue.close()
    return min(cpu for cpu, _ in rounds), min(wait for _, wait in rounds)


async def _round(venue: BinanceVenue, placement: Placement) -> tuple[float, float]:
    waits: list[float] = []
    started = time.process_time()
    for _ in range(ORDERS):
        asked = time.perf_counter()
        verdict = await venue.place(
            placement,
            lambda: waits.append(time.perf_counter() - asked),  # noqa: B023 - runs inside
        )
        assert verdict.answer is Answer.ACKED
    cpu_ms = (time.process_time() - started) / ORDERS * 1_000
    return cpu_ms, statistics.median(waits) * 1_000


if __name__ == "__main__":
    asyncio.run(_serve())
