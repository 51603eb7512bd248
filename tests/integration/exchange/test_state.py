"""An exchange that is killed goes on where it was: keys, money, orders, executions, ids."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from holdfast.domain.instrument import Instrument
from holdfast.errors import ConfigError, CorruptionError
from holdfast.exchange.core import Exchange
from holdfast.exchange.flow import FlowEvent
from holdfast.exchange.server import kept_state, serve
from holdfast.exchange.statelog import FILE_NAME, StateLog
from tests.support.exchange import BTC_USDT, Client, LadderFlow, local_exchange, on_loop
from tests.support.waiting import until

# An exchange of its own process, to be killed: it says its address and runs until then.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from holdfast.exchange.server import serve
from tests.support.exchange import LadderFlow

async def main():
    state = Path(sys.argv[1])
    async with serve(LadderFlow(), speed=0, warm_up_s=1, state_dir=state) as running:
        print(running.url, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def restored(directory: Path) -> Any:
    return serve(LadderFlow(), speed=0, warm_up_s=1, state_dir=directory)


def comparable(ledger: dict[str, Any]) -> dict[str, Any]:
    """The ledger without the time it was read at."""
    return {name: rows for name, rows in ledger.items() if name != "at_ns"}


async def as_client(running: Any, http: aiohttp.ClientSession, client: Client) -> Client:
    return Client(http, running.url, client.api_key, client.secret)


@on_loop
async def test_kill_9_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(tmp_path),
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as http:
        anybody = Client(http, url, "", "")
        keys = await anybody.admin("POST", "accounts", {"balances": {"USDT": "10000"}})
        client = Client(http, url, keys["apiKey"], keys["secret"])
        await client.order(newClientOrderId="filled")
        await client.order(type="LIMIT", price="50000", quantity="0.01", newClientOrderId="open")
        await client.order(type="LIMIT", price="40000", quantity="0.01", newClientOrderId="gone")
        await client.call(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="gone"
        )
        before = await client.ledger()
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        async with restored(tmp_path) as running:
            again = await as_client(running, http, client)
            assert comparable(await again.ledger()) == comparable(before)
            _, is_open = await again.call("GET", "/api/v3/openOrders", symbol="BTCUSDT")
            assert [row["clientOrderId"] for row in is_open] == ["open"]
            status, order = await again.call(
                "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="filled"
            )
            assert (status, order["status"]) == (200, "FILLED")
            _, trades = await again.call("GET", "/api/v3/myTrades", symbol="BTCUSDT")
            assert len(trades) == 1
            _, body = await again.order()
            assert body["orderId"] == 4
            assert body["fills"][0]["tradeId"] > trades[0]["id"]


@on_loop
async def test_a_restored_order_rests_trades_and_cancels_as_before(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await client.order(type="LIMIT", price="50000", quantity="1", newClientOrderId="rests")
        await client.order(
            type="STOP_LOSS", side="SELL", quantity="1", stopPrice="55000", timeInForce=None,
            newClientOrderId="waits",
        )
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = await as_client(running, http, client)
        _, is_open = await again.call("GET", "/api/v3/openOrders", symbol="BTCUSDT")
        assert {row["clientOrderId"]: row["isWorking"] for row in is_open} == {
            "rests": True, "waits": False,
        }
        sale = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "20.5"}
        await again.admin("POST", "orders", sale)
        ledger = {row["clientOrderId"]: row for row in (await again.ledger())["orders"]}
        assert ledger["rests"]["executedQty"] != "0"
        assert ledger["waits"]["status"] != "NEW"


@on_loop
async def test_the_market_may_have_reached_an_order_meanwhile(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (running, client):
        running.desk.exchange.engine.listings["BTC/USDT"].last_price = None
        await client.admin(
            "POST", "orders",
            {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "20"},
        )
        status, body = await client.order(
            type="LIMIT", price="60000", quantity="0.5", newClientOrderId="mine"
        )
        assert (status, body["status"]) == (200, "NEW")
    async with aiohttp.ClientSession() as http, restored(tmp_path) as again:
        other = await as_client(again, http, client)
        (order,) = (await other.ledger())["orders"]
        assert (order["status"], order["executedQty"]) == ("FILLED", "0.5")
        book = again.desk.exchange.engine.listings["BTC/USDT"].book
        assert book.bids.best is not None
        assert book.asks.best is not None
        assert book.bids.best.price < book.asks.best.price
    async with aiohttp.ClientSession() as http, restored(tmp_path) as third:
        assert (await (await as_client(third, http, client)).ledger())["orders"] == [order]


@on_loop
async def test_a_line_cut_short_by_a_crash_is_forgotten(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await client.order(newClientOrderId="kept")
        before = await client.ledger()
        await client.order(newClientOrderId="cut")
    path = tmp_path / FILE_NAME
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = await as_client(running, http, client)
        assert comparable(await again.ledger()) == comparable(before)
        await again.order(newClientOrderId="next")
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        ledger = await (await as_client(running, http, client)).ledger()
        assert [row["clientOrderId"] for row in ledger["orders"]] == ["kept", "next"]


@on_loop
async def test_a_broken_line_elsewhere_is_refused_with_its_number(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await client.order()
    path = tmp_path / FILE_NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{broken\n", *lines[1:]]))
    with pytest.raises(CorruptionError, match="line 2"):
        async with restored(tmp_path):
            pass
    path.write_bytes(b"".join(lines))
    async with restored(tmp_path):
        pass  # and the refusal has let go of the file


class BitcoinOnly(LadderFlow):
    """A market without ether."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """One."""
        return (BTC_USDT,)

    def events(self) -> Iterator[FlowEvent]:
        """It stands still."""
        return iter(())


@on_loop
async def test_orders_of_a_market_that_is_not_offered_any_more_are_told(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await client.order(symbol="ETHUSDT", quantity="0.1")
    with pytest.raises(ConfigError, match="orders of ETH/USDT"):
        async with serve(BitcoinOnly(), state_dir=tmp_path):
            pass


@on_loop
async def test_two_exchanges_do_not_share_a_state(tmp_path: Path) -> None:
    async with restored(tmp_path):
        with pytest.raises(ConfigError, match="in use by another exchange"):
            async with restored(tmp_path):
                pass


@on_loop
async def test_a_new_account_never_gets_the_keys_of_an_old_one(tmp_path: Path) -> None:
    keys = set()
    for _run in range(3):
        async with local_exchange(state_dir=tmp_path) as (_, client):
            keys.add(client.api_key)
    assert len(keys) == 3


@on_loop
async def test_a_port_in_use_is_said_in_words() -> None:
    async with local_exchange() as (running, _client):
        port = int(running.url.rsplit(":", 1)[1])
        with pytest.raises(ConfigError, match=f"port {port}"):
            async with serve(LadderFlow(), port=port):
                pass


@on_loop
async def test_a_start_leaves_of_the_past_only_what_still_matters(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    async with local_exchange(state_dir=tmp_path) as (_, client):
        for number in range(40):
            await client.order(
                type="LIMIT", price="40000", quantity="0.01", newClientOrderId=f"n{number}"
            )
            await client.call(
                "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=f"n{number}"
            )
        await client.order(newClientOrderId="filled")
        before = await client.ledger()
    grown = path.read_bytes()
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        assert path.stat().st_size < 0.6 * len(grown)
        again = await as_client(running, http, client)
        assert comparable(await again.ledger()) == comparable(before)
        await again.order(newClientOrderId="after")
    assert path.read_bytes().count(b"\n") < grown.count(b"\n") / 10
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        ledger = await (await as_client(running, http, client)).ledger()
        assert [row["clientOrderId"] for row in ledger["orders"]][-2:] == ["filled", "after"]


@on_loop
async def test_a_start_that_died_while_it_wrote_the_file_anew_costs_nothing(
    tmp_path: Path,
) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await client.order(newClientOrderId="kept")
        before = await client.ledger()
    (tmp_path / f"{FILE_NAME}.new").write_bytes(b'{"accounts":[{"num')
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = await as_client(running, http, client)
        assert comparable(await again.ledger()) == comparable(before)
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


def test_a_file_that_was_replaced_while_it_was_waited_for_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens the file just before another start replaces it would hold a lock on nothing."""
    lock = fcntl.flock

    def replaced_meanwhile(file: int, operation: int) -> None:
        (tmp_path / FILE_NAME).unlink()
        (tmp_path / FILE_NAME).touch()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    with pytest.raises(ConfigError, match="in use by another exchange"):
        StateLog(tmp_path)


@on_loop
async def test_what_was_answered_is_on_the_disk_soon_after(tmp_path: Path) -> None:
    """`kill -9` costs nothing at all; this bounds what a crash of the machine may cost."""
    exchange = Exchange([BTC_USDT])
    async with kept_state(exchange, tmp_path):
        log = exchange.recorder
        assert isinstance(log, StateLog)
        exchange.open_account({"USDT": Decimal(10)})
        assert log.unsynced_bytes > 0
        await until(lambda: not log.unsynced_bytes, "a sync")


def test_nothing_more_is_answered_when_the_disk_does_not_keep_it(tmp_path: Path) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    log, exchange = StateLog(tmp_path, fsync=fail), Exchange([BTC_USDT])
    log.attach(exchange)
    exchange.open_account({"USDT": Decimal(10)})
    with pytest.raises(OSError, match="Input/output error"):
        log.sync()
    with pytest.raises(OSError, match="start the exchange again"):
        exchange.open_account({"USDT": Decimal(10)})
    log.close()
