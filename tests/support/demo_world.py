"""A small world for the demo's checks: a journal's facts and the ledger that agrees with them.

One bot bought 0.3, in two fills, and sold 0.1; a third order was refused and is closed. Tests plant
one fault each. Not here: what the checks make of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from holdfast.app.demo.audit import Audit, audit
from holdfast.app.demo.evidence import SignedRequest, read_ledger
from holdfast.app.demo.told import Told
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    CashFlow,
    Decided,
    Filled,
    Opened,
    OrderMoved,
    Reconciled,
    TookOver,
)
from holdfast.domain.fill import Fill
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    client_order_id,
    deployment_tag,
)

KEY = "key-of-the-account"
TAG = deployment_tag("demo")
ASKED = {1: ("BUY", "0.3"), 2: ("SELL", "0.1")}
"""Side and quantity by the number of the intent; of all others a tenth is bought."""
LEDGER_NS = 1_700_000_100_000_000_000
TRADED_NS = 1_700_000_000_000_000_000


def cid(intent: int, n: int = 1) -> str:
    return client_order_id(
        tag=TAG, account="main", generation=1, intent_id=intent_id(intent), n=n
    )


def intent_id(intent: int) -> str:
    return f"00000000-0000-5000-8000-{intent:012d}"


def opening() -> list[AnyFact]:
    return [
        Opened(account="main", deployment=TAG, generation=1, reporting="USDT"),
        took_over(),
        CashFlow(
            asset="USDT", amount=Decimal(10_000), reason="opening", evidence="balances",
            at_ns=1, flow_id="opening USDT",
        ),
        Reconciled(agreed=True),
        BotStarted(
            bot="trend", config_version=1, anchor_ns=0,
            config='{"strategy":"sma_cross","symbol":"BTC/USDT"}',
        ),
    ]  # fmt: skip


def took_over(pid: int = 1234, boot: str = "boot-1") -> TookOver:
    return TookOver(node=f"here:{pid}", boot_id=boot, version="0.1.0")


def decided(number: int) -> Decided:
    return Decided(
        bot="trend", number=number, key=str(number), config_version=1, wish="{}", legs=(), seen_ns=1
    )


def armed(intent: int, side: Side, quantity: str, n: int = 1) -> Armed:
    return Armed(
        cid=cid(intent, n),
        intent_id=intent_id(intent),
        n=n,
        bot="trend",
        leg="BTC/USDT",
        seq=0,
        decision=intent,
        spec=OrderSpec(
            symbol="BTC/USDT", side=side, type=OrderType.MARKET, quantity=Decimal(quantity)
        ),
        boot_id="boot-1",
        timestamp_ms=1,
        window_ms=2000,
        reserve_asset="USDT",
        reserve=Decimal(1),
    )


def attempt(intent: int, state: AttemptState, n: int = 1, **fields: Any) -> AttemptMoved:
    return AttemptMoved(cid=cid(intent, n), state=state, **fields)


def acked(intent: int, order_state: OrderState, executed: str, n: int = 1) -> AttemptMoved:
    return attempt(
        intent, AttemptState.ACKED, n, order_id=str(intent), order_state=order_state,
        executed=Decimal(executed),
    )  # fmt: skip


def filled(
    intent: int, trade: int, side: Side, quantity: str, price: str, fee: str, asset: str, n: int = 1
) -> Filled:
    return Filled(
        fill=Fill(
            symbol="BTC/USDT", side=side, trade_id=str(trade), venue_order_id=str(intent),
            cid=cid(intent, n), quantity=Decimal(quantity), price=Decimal(price),
            fee=Decimal(fee), fee_asset=asset, at_ns=TRADED_NS,
        ),
        bot="trend",
    )  # fmt: skip


def facts() -> list[AnyFact]:
    return [
        *opening(),
        decided(1),
        armed(1, Side.BUY, "0.3"),
        acked(1, OrderState.PARTIALLY_FILLED, "0.1"),
        filled(1, 1, Side.BUY, "0.1", "1000.00", "0.0001", "BTC"),
        filled(1, 2, Side.BUY, "0.2", "1000.10", "0.0002", "BTC"),
        OrderMoved(cid=cid(1), state=OrderState.FILLED, executed=Decimal("0.3")),
        decided(2),
        armed(2, Side.SELL, "0.1"),
        acked(2, OrderState.FILLED, "0.1"),
        filled(2, 3, Side.SELL, "0.1", "1001.00", "0.1001", "USDT"),
        decided(3),
        armed(3, Side.BUY, "0.1"),
        attempt(3, AttemptState.REJECTED, code="-2010", final=True),
    ]


def order(intent: int, executed: str, *, n: int = 1, status: str = "FILLED") -> dict[str, Any]:
    """The exchange's row of an order at market."""
    side, quantity = ASKED.get(intent, ("BUY", "0.1"))
    return {
        "apiKey": KEY, "symbol": "BTCUSDT", "orderId": intent, "clientOrderId": cid(intent, n),
        "side": side, "type": "MARKET", "timeInForce": "GTC", "price": None, "stopPrice": None,
        "origQty": quantity, "status": status, "executedQty": executed, "updated_ns": TRADED_NS,
    }  # fmt: skip


def execution(
    intent: int, trade: int, side: str, quantity: str, price: str, fee: str, asset: str, n: int = 1
) -> dict[str, Any]:
    return {
        "apiKey": KEY, "symbol": "BTCUSDT", "tradeId": trade, "clientOrderId": cid(intent, n),
        "side": side, "price": price, "qty": quantity, "commission": fee,
        "commissionAsset": asset, "at_ns": TRADED_NS,
    }  # fmt: skip


def ledger() -> dict[str, Any]:
    """The truth that `facts` tell, with somebody else's order beside it."""
    other = {**order(9, "1"), "apiKey": "somebody else"}
    return {
        "at_ns": LEDGER_NS,
        "orders": [order(1, "0.3"), order(2, "0.1"), other],
        "executions": [
            execution(1, 1, "BUY", "0.1", "1000", "0.0001", "BTC"),
            execution(1, 2, "BUY", "0.2", "1000.1", "0.0002", "BTC"),
            execution(2, 3, "SELL", "0.1", "1001", "0.1001", "USDT"),
        ],
        "balances": {
            KEY: {
                "BTC": {"free": "0.1997", "locked": "0"},
                "USDT": {"free": "9700", "locked": "99.9799"},
            },
            "somebody else": {"USDT": {"free": "1", "locked": "0"}},
        },
    }


def audited(
    told: list[AnyFact],
    true: dict[str, Any],
    *,
    patience_ns: int = 0,
    requests: list[SignedRequest] | None = None,
) -> Audit:
    return audit(
        read_ledger(msgspec.json.encode(true)),
        Told.of(told),
        api_key=KEY,
        requests=requests or [],
        patience_ns=patience_ns,
    )
