"""Facts as the journal tests write them; what they mean does not matter here."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.fact import (
    Armed,
    AttemptMoved,
    CashFlow,
    CommandTaken,
    Decided,
    Filled,
    Leg,
    OrderMoved,
)
from holdfast.domain.fill import Fill
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
    deployment_tag,
)

TAG = deployment_tag("test")


def armed(number: int, n: int = 1, *, cid: str = "") -> Armed:
    intent_id = f"00000000-0000-5000-8000-{number:012d}"
    return Armed(
        cid=cid or client_order_id(tag=TAG, account="main", generation=1, intent_id=intent_id, n=n),
        intent_id=intent_id,
        n=n,
        bot="sma",
        leg="BTC/USDT",
        seq=0,
        decision=number,
        spec=OrderSpec(
            symbol="BTC/USDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal("0.010"),
            price=Decimal("50000.01"),
            time_in_force=TimeInForce.GTC,
        ),
        boot_id="boot-1",
        timestamp_ms=1_700_000_000_000,
        window_ms=2000,
        reserve_asset="USDT",
        reserve=Decimal("500.0001"),
    )


def listed(number: int, n: int = 1) -> tuple[Armed, Armed]:
    """The two orders of a list, armed together; the first as `armed` makes them."""
    above = armed(number, n)

    def part(place: int) -> Armed:
        cid = client_order_id(
            tag=TAG, account="main", generation=1, intent_id=above.intent_id, n=n, part=place
        )
        return msgspec.structs.replace(above, cid=cid, list_cid=above.cid, part=place)

    return part(1), part(2)


def acked(number: int) -> AttemptMoved:
    return AttemptMoved(cid=armed(number).cid, state=AttemptState.ACKED, order_id=str(number))


def moved(number: int) -> OrderMoved:
    return OrderMoved(cid=armed(number).cid, state=OrderState.NEW, executed=Decimal(0))


def decided(number: int, *, key: str = "", bot: str = "sma") -> Decided:
    return Decided(
        bot=bot,
        number=number,
        key=key or str(number),
        config_version=1,
        wish='{"target": "0.5"}',
        legs=(Leg(leg="BTC/USDT", symbol="BTC/USDT", target=Decimal("0.5")),),
        seen_ns=1,
    )


def filled(trade_id: str, symbol: str = "BTC/USDT") -> Filled:
    return Filled(
        fill=Fill(
            symbol=symbol,
            side=Side.BUY,
            trade_id=trade_id,
            venue_order_id="1",
            cid=armed(1).cid,
            quantity=Decimal("0.010"),
            price=Decimal("50000.01"),
            fee=Decimal("0.00001"),
            fee_asset="BTC",
            at_ns=1,
        )
    )


def flow(flow_id: str = "") -> CashFlow:
    return CashFlow(
        asset="USDT", amount=Decimal(100), reason="deposit", evidence="e", at_ns=1, flow_id=flow_id
    )


def taken(command_id: str) -> CommandTaken:
    return CommandTaken(command_id=command_id, name="halt", by="ana")
