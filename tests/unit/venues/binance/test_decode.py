"""Bodies and events of the exchange, recorded ones included, as domain values."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from holdfast.domain.order import OrderState, Side
from holdfast.venues.binance import decode
from holdfast.venues.port import BalanceReport, MoneyMoved, OrderReport
from tests.support.recordings import recording

NAMES = {"ETHUSDT": "ETH/USDT", "BTCUSDT": "BTC/USDT"}
SAMPLES = "payloads/nautilus-binance-samples"


def sample(name: str) -> bytes:
    """The event inside a recorded execution report."""
    body = recording(f"{SAMPLES}/ws/ws_spot_execution_report_{name}.json").read_bytes()
    return msgspec.json.encode(msgspec.json.decode(body)["data"])


def report(name: str) -> OrderReport:
    event = decode.user_event(sample(name), NAMES)
    assert isinstance(event, OrderReport)
    return event


@pytest.mark.parametrize(
    ("name", "state", "executed"),
    [
        ("new", OrderState.NEW, "0"),
        ("trade", OrderState.PARTIALLY_FILLED, "0.5"),
        ("canceled", OrderState.CANCELLED, "0.1"),
        ("expired", OrderState.EXPIRED, "0"),
        ("rejected", OrderState.REJECTED, "0"),
        ("trade_prevention", OrderState.EXPIRED, "0"),
        ("calculated", OrderState.FILLED, "0.01"),
        ("trade_l_zero_canceled", OrderState.CANCELLED, None),
        ("trade_l_zero_expired", OrderState.EXPIRED, None),
        ("trade_l_zero_new", OrderState.NEW, None),
        ("trade_l_zero_partial", OrderState.PARTIALLY_FILLED, None),
    ],
)
def test_each_recorded_report_has_its_state(
    name: str, state: OrderState, executed: str | None
) -> None:
    told = report(name)
    assert told.state is state
    assert executed is None or told.executed == Decimal(executed)


def test_a_recorded_trade_carries_its_fill() -> None:
    (fill,) = report("trade").fills
    assert (fill.symbol, fill.side, fill.trade_id) == ("ETH/USDT", Side.BUY, "98765432")
    assert (fill.quantity, fill.price) == (Decimal("0.5"), Decimal("2499.5"))
    assert (fill.fee, fill.fee_asset, fill.is_maker) == (Decimal("0.0005"), "ETH", True)
    assert fill.at_ns == 1759347763167 * 1_000_000


@pytest.mark.parametrize("name", ["trade_l_zero", "trade_prevention", "calculated", "new"])
def test_what_is_no_priced_trade_books_nothing(name: str) -> None:
    assert report(name).fills == ()


def test_self_trade_prevention_keeps_its_reason() -> None:
    assert report("trade_prevention").reason == "SELF_TRADE_PREVENTION"


def test_every_recorded_execution_report_is_read_or_called_garbled() -> None:
    folder = recording(f"{SAMPLES}/ws")
    read = 0
    for path in sorted(Path(folder).glob("ws_spot_execution_report_*.json")):
        body = msgspec.json.encode(msgspec.json.decode(path.read_bytes())["data"])
        try:
            decode.user_event(body, NAMES)
            read += 1
        except decode.GarbledError:
            continue
    assert read >= 17


def test_recorded_account_becomes_balances() -> None:
    body = recording(f"{SAMPLES}/http/http_spot_wallet_account.json").read_bytes()
    held = decode.balances(body)
    assert held["BTC"].free == Decimal("4723846.89208129")
    assert set(held) == {"BTC", "LTC"}


def test_zero_balances_are_left_out() -> None:
    body = (
        b'{"balances":[{"asset":"A","free":"0.0","locked":"0"},'
        b'{"asset":"B","free":"0","locked":"1"}]}'
    )
    assert set(decode.balances(body)) == {"B"}


def test_a_cancel_names_the_order_by_its_own_id_in_replies_and_events() -> None:
    row = {
        "symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "cancel", "origClientOrderId": "order",
        "side": "BUY", "status": "CANCELED", "origQty": "1", "executedQty": "0.5", "price": "7",
    }  # fmt: skip
    told = decode.order(msgspec.json.encode(row), NAMES)
    assert (told.cid, told.executed, told.price) == ("order", Decimal("0.5"), Decimal(7))


@pytest.mark.parametrize(
    ("status", "executed", "state", "reason"),
    [
        ("PENDING_CANCEL", "0", OrderState.NEW, ""),
        ("PENDING_CANCEL", "0.5", OrderState.PARTIALLY_FILLED, ""),
        ("EXPIRED_IN_MATCH", "0.5", OrderState.EXPIRED, "EXPIRED_IN_MATCH"),
        ("PENDING_NEW", "0", OrderState.PENDING_NEW, ""),
    ],
)
def test_rare_statuses_have_a_place(
    status: str, executed: str, state: OrderState, reason: str
) -> None:
    row = {
        "symbol": "NEWUSDT", "orderId": 1, "clientOrderId": "a", "side": "SELL", "status": status,
        "origQty": "1", "executedQty": executed, "price": "0.00000000",
    }  # fmt: skip
    told = decode.order(msgspec.json.encode(row), NAMES)
    assert (told.state, told.reason, told.price) == (state, reason, None)
    assert told.symbol == "NEWUSDT"  # not listed when names were read: passed through


def test_trades_are_sorted_and_empty_ones_dropped() -> None:
    rows = [
        {
            "symbol": "BTCUSDT", "id": number, "orderId": 9, "price": "5", "qty": quantity,
            "commission": "0.1", "commissionAsset": "BNB", "time": 1, "isBuyer": True,
            "isMaker": False,
        }
        for number, quantity in ((3, "1"), (1, "2"), (2, "0"))
    ]  # fmt: skip
    found = decode.fills(msgspec.json.encode(rows), NAMES)
    assert [(fill.trade_id, fill.quantity) for fill in found] == [
        ("1", Decimal(2)),
        ("3", Decimal(1)),
    ]
    assert found[0].cid == ""


def test_balance_events() -> None:
    position = b'{"e":"outboundAccountPosition","E":5,"u":4,"B":[{"a":"BTC","f":"1","l":"2"}]}'
    told = decode.user_event(position, NAMES)
    assert isinstance(told, BalanceReport)
    assert (told.balances[0].locked, told.at_ns) == (Decimal(2), 5_000_000)
    moved = decode.user_event(b'{"e":"balanceUpdate","E":5,"a":"BTC","d":"-1","T":6}', NAMES)
    assert moved == MoneyMoved("BTC", Decimal(-1), 6_000_000)
    assert decode.user_event(b'{"e":"externalLockUpdate","E":5}', NAMES) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"serverTime":"1"}', b'{"serverTime":1.5}'])
def test_what_is_no_clock_is_garbled(body: bytes) -> None:
    with pytest.raises(decode.GarbledError):
        decode.server_time_ms(body)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "", "1,5", "0x1"])
def test_what_is_no_finite_number_is_garbled(text: str) -> None:
    with pytest.raises(decode.GarbledError):
        decode.number(text)
