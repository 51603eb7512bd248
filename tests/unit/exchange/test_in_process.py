"""The exchange without sockets, on a clock of the caller's: equal seeds give equal histories."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from holdfast.exchange.faults import Fault, FaultKind
from holdfast.exchange.ledger import ledger
from holdfast.exchange.server import Desk
from holdfast.exchange.signing import signature_of
from holdfast.exchange.traffic import Call
from tests.support.exchange import Clock, LadderFlow, on_loop


async def session(seed: int) -> tuple[dict[str, Any], list[tuple[int, bytes]]]:
    """Forty signed orders through the gateway under faults; the ledger and the replies."""
    clock = Clock()
    faults = [
        Fault(FaultKind.ERROR_CODE, probability=0.3, params={"code": -1006, "executed": True}),
        Fault(FaultKind.DUPLICATE_REQUEST, probability=0.3),
        Fault(FaultKind.DROP_REQUEST, probability=0.1),
    ]
    desk = Desk(LadderFlow(), now_ns=clock, seed=seed, speed=0, warm_up_s=1, faults=faults)
    await desk.warm_up()
    account = desk.exchange.open_account({"USDT": Decimal(100_000)})
    replies = []
    for number in range(40):
        clock.move(0.01)
        text = (
            f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=c{number}"
            f"&timestamp={clock.ns // 1_000_000}"
        )
        delivery = await desk.gateway.handle(Call(
            door="rest", method="POST", path="/api/v3/order",
            params=dict(part.split("=", 1) for part in text.split("&")),
            signed_text=text, signature=signature_of(account.secret, text),
            api_key=account.api_key, address="here",
        ))
        if delivery.reply is not None:
            replies.append((delivery.reply.status, delivery.reply.body))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    await desk.close()
    return ledger(desk.exchange), replies


@on_loop
async def test_equal_seeds_give_equal_histories_and_others_do_not() -> None:
    first, second, other = await session(3), await session(3), await session(4)
    assert first == second
    assert first[1] != other[1]
    assert {status for status, _ in first[1]} == {200, 500}
    # Faults executed some orders twice: the ledger is the truth about it.
    ids = [row["clientOrderId"] for row in first[0]["executions"]]
    assert len(ids) > len(set(ids))


@on_loop
async def test_the_exchange_reads_no_clock_but_the_one_it_was_given() -> None:
    history, _ = await session(3)
    first = history["orders"][0]
    assert 1_767_225_605_000 <= first["time"] < 1_767_225_607_000
