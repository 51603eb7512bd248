"""Each fault kind on the order routes over a node that trades, then lifted: 0 doubled, 0 lost,
0 unresolved, and balances that equal the exchange's exactly.

Real processes, the exchange's own protocol over loopback. The ordeals of one test run side by side,
each with an exchange of its own. Not here: what single replies prove (`tests/unit/venues`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.domain.fact import AttemptMoved, CashFlow, Halted
from holdfast.domain.order import AttemptState
from tests.support.ledger_check import Judgement
from tests.support.node import (
    QUOTER,
    Answered,
    BotLine,
    Node,
    Scene,
    flips,
    scene,
    until_armed,
    until_node,
)
from tests.support.pulse import PRICES, SYMBOLS
from tests.support.waiting import PATIENCE_S

FLIPS = flips(SYMBOLS[1:])
STRUCK_S = 4.0
BEGIN_ORDERS = 8
# A bot's orders and cancels of one bar, for all bots at once, and the questions beside them: what
# may be on its way when the exchange begins to refuse. Knocking on, they make as many each second.
ON_THE_WAY = 16
ORDER = "/api/v3/order"


class Strike(msgspec.Struct, frozen=True):
    """A fault, as `Scene.fault` takes it."""

    kind: str
    options: dict[str, Any] = {}
    path: str | None = ORDER


class Ordeal(msgspec.Struct, frozen=True):
    """What one node goes through.

    Attributes:
        for_s: how long the faults are in force at least; longer, until each has struck.
        lasts: they are in force until the end: the node must agree with the exchange all the same.
        goes_on: it orders again before it is judged.
    """

    name: str
    strikes: tuple[Strike, ...]
    bots: tuple[BotLine, ...] = (*FLIPS, QUOTER)
    for_s: float = STRUCK_S
    lasts: bool = False
    goes_on: bool = True


def _on_post(kind: str, count: int = 2, probability: float = 0.5, **params: Any) -> Strike:
    return Strike(kind, {"method": "POST", "count": count, "probability": probability, **params})


def _on_delete(kind: str, count: int = 2, **params: Any) -> Strike:
    return Strike(kind, {"method": "DELETE", "count": count, "probability": 0.5, **params})


def _anywhere(kind: str, **options: Any) -> Strike:
    return Strike(kind, options, None)


def _executed_or_not(kind: str, **params: Any) -> tuple[Strike, Strike]:
    return tuple(  # type: ignore[return-value]
        _on_post(kind, 1, executed=executed, **params) for executed in (True, False)
    )


QUOTERS = tuple(
    BotLine(f"quoter-{base.lower()}", f"{base}/USDT", "Quoter", {"middle": f"{price - 0.5}"})
    for base, price in PRICES.items()
    if price > 1000
)

# Far below the market: an id is unique for as long as its order is open, and these stay open.
RESTING = tuple(
    BotLine(f"far-{base.lower()}", f"{base}/USDT", "Quoter", {"middle": f"{price / 2}"})
    for base, price in PRICES.items()
    if price > 1000
)

REQUESTS_AND_REPLIES = (
    Ordeal("lost", (
        _on_post("drop_request", 3), _on_post("drop_reply", 3),
        _on_post("reset", when="before"), _on_post("reset", when="after"),
    )),
    Ordeal("late", (
        _on_post("delay_request", delay_ms=1200), _on_post("delay_request", delay_ms=2600),
        _on_post("delay_reply", 3, delay_ms=4000), _on_post("gateway_delay", delay_ms=900),
        _on_post("broker_delay", delay_ms=900), _on_post("engine_delay", delay_ms=4000),
    )),
    Ordeal("doubled", (
        _on_post("duplicate_request", 3, reply="first"),
        _on_post("duplicate_request", 3, reply="second"),
        _on_post("duplicate_request", 3, reply="second", delay_ms=2600),
        _on_post("duplicate_request", 3, reply="first", delay_ms=2600),
    ), bots=RESTING),
    Ordeal("garbled", (_on_post("truncate_body", 4), _on_post("garbage_json", 4))),
    Ordeal("statuses", tuple(
        strike for status in (500, 502, 503, 504)
        for strike in _executed_or_not("http_status", status=status)
    )),
    Ordeal("unknown codes", tuple(
        strike for code in (-1000, -1006, -1007, -1008)
        for strike in _executed_or_not("error_code", code=code)
    )),
    Ordeal("refusals", tuple(
        strike for code in (-2010, -1021, -1013, -2015)
        for strike in _executed_or_not("error_code", code=code)
    )),
    # Told so without a time, it stays away from orders for a minute.
    Ordeal("too many orders", _executed_or_not("error_code", code=-1015), goes_on=False),
    Ordeal("cancels", (
        _on_delete("drop_request"), _on_delete("drop_reply"), _on_delete("reset", when="after"),
        _on_delete("duplicate_request", reply="second"), _on_delete("garbage_json"),
        _on_delete("http_status", status=502, executed=True),
        _on_delete("error_code", code=-1007, executed=False),
    ), bots=QUOTERS, for_s=8.0),
    Ordeal("questions", (
        Strike("drop_reply", {"method": "GET", "probability": 0.3}, "/api/v3/*"),
        Strike("garbage_json", {"method": "GET", "probability": 0.3}, "/api/v3/*"),
        Strike("http_status", {"method": "GET", "probability": 0.3, "status": 502}, "/api/v3/*"),
        _on_post("drop_reply", 4),
    )),
)  # fmt: skip

STREAMS_AND_STATES = (
    Ordeal("lag", (
        _anywhere("visibility_lag", ms=3000, min_ms=0, probability=0.5),
        _on_post("engine_delay", 4, delay_ms=3000), _on_post("drop_reply", 3),
    )),
    Ordeal("streams", (
        _anywhere("stream_drop", probability=0.3), _anywhere("stream_duplicate", probability=0.5),
        _anywhere("stream_reorder", probability=0.3, delay_ms=400),
        _anywhere("stream_disconnect", probability=0.05, count=3),
    )),
    Ordeal("silence", (
        _anywhere("stream_silence", door="user"), _on_post("drop_reply", 3),
    ), lasts=True),
    Ordeal("limits", (_anywhere("rate_limit", probability=0.1, count=4, retry_after_s=1),)),
    Ordeal("ban", (_anywhere("ban", for_s=2),)),
    Ordeal("maintenance", (_anywhere("maintenance", for_ms=2500),)),
    Ordeal("clocks", (
        _anywhere("clock_offset", ms=700, probability=0.3, count=10),
        _anywhere("clock_offset", ms=-700, probability=0.3, count=10),
    )),
    Ordeal("symbols", (
        _anywhere("halt_symbol", symbol="ETHUSDT"),
        _anywhere("change_filters", symbol="SOLUSDT", stepSize="1", minQty="1"),
    )),
    Ordeal("key", (_anywhere("revoke_key"),), for_s=3.0),
)  # fmt: skip


async def _undergo(ordeal: Ordeal, folder: Path) -> Judgement:
    """One node through one ordeal; what it leaves behind."""
    async with scene(folder / ordeal.name.replace(" ", "-")) as at:
        node = at.node(ordeal.bots)
        await node.start()
        await until_armed(node, BEGIN_ORDERS)
        for strike in ordeal.strikes:
            await at.fault(strike.kind, strike.path, **strike.options)
        await asyncio.sleep(ordeal.for_s)
        await _all_struck(at)
        if not ordeal.lasts:
            await at.admin("DELETE", "faults")
        before = len(node.armed())
        found = await at.agreed(node)
        if not found.faults:
            if ordeal.goes_on:
                await until_armed(node, before + 1)
            found = await at.ended_well(node)
    return found


async def _all_struck(at: Scene) -> None:
    """An ordeal that did not happen proves nothing."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        rows = msgspec.json.decode(await at.admin("GET", "faults"))["faults"]
        spared = [(row["kind"], row["params"]) for row in rows if not row["struck"]]
        if not spared:
            return
        assert time.monotonic() < deadline, f"never struck: {spared}"
        await asyncio.sleep(0.2)


async def _told(ordeal: Ordeal, folder: Path) -> list[str]:
    """What is wrong after an ordeal; one that fails otherwise must not hide the others."""
    try:
        return (await _undergo(ordeal, folder)).faults
    except AssertionError as error:
        return [f"{type(error).__name__}: {error}"]


def _run(ordeals: Sequence[Ordeal], folder: Path) -> str:
    """All that is wrong after these ordeals, a line each; empty when nothing is."""

    async def every() -> list[list[str]]:
        return await asyncio.gather(*(_told(ordeal, folder) for ordeal in ordeals))

    found = zip(ordeals, asyncio.run(every()), strict=True)
    return "\n".join(f"{ordeal.name}: {fault}" for ordeal, faults in found for fault in faults)


def test_faults_of_requests_and_replies_double_nothing_and_lose_nothing(tmp_path: Path) -> None:
    assert _run(REQUESTS_AND_REPLIES, tmp_path) == ""


def test_faults_of_streams_and_states_double_nothing_and_lose_nothing(tmp_path: Path) -> None:
    assert _run(STREAMS_AND_STATES, tmp_path) == ""


def test_money_that_is_moved_by_hand_is_booked_once_while_bots_trade(tmp_path: Path) -> None:
    """Deposits and withdrawals, each told twice by the stream."""

    async def run() -> tuple[Node, Judgement]:
        async with scene(tmp_path) as at:
            node = at.node((*FLIPS, QUOTER))
            await node.start()
            await until_armed(node, BEGIN_ORDERS)
            await at.fault("stream_duplicate", "balanceUpdate")
            for asset, delta in (("USDT", "250.5"), ("USDT", "-100"), ("BNB", "3")):
                moved = {"apiKey": node.key, "asset": asset, "delta": delta}
                await at.admin("POST", "balances", moved)
            found = await at.ended_well(node)
            return node, found

    node, found = asyncio.run(run())

    assert found.faults == []
    flows = [r.fact for r in node.records() if isinstance(r.fact, CashFlow)]
    booked = [(flow.asset, flow.amount, flow.reason) for flow in flows if flow.reason != "opening"]
    assert booked == [
        ("USDT", Decimal("250.5"), "deposit"),
        ("USDT", Decimal(-100), "withdrawal"),
        ("BNB", Decimal(3), "deposit"),
    ]
    assert node.state().halted == ""


def test_an_order_by_hand_on_the_account_halts_it_under_the_policy_halt(tmp_path: Path) -> None:
    async def run() -> Node:
        async with scene(tmp_path) as at:
            node = at.node(FLIPS[:2])
            await node.start()
            await until_armed(node, 2)
            by_hand = {
                "apiKey": node.key, "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT",
                "timeInForce": "GTC", "price": "50000", "quantity": "0.1",
                "newClientOrderId": "by-hand",
            }  # fmt: skip
            await at.admin("POST", "orders", by_hand)
            await until_node(node, lambda: bool(node.state().halted), "a halt")
            await node.stop()
            return node

    node = asyncio.run(run())

    assert "by-hand that nobody here made: BTC/USDT BUY 0.1 NEW" in node.state().halted


def test_a_ban_is_waited_out_and_not_knocked_at(tmp_path: Path) -> None:
    """Whichever request meets it first: an order, a question, or one that nobody signs."""

    async def run() -> list[Answered]:
        async with scene(tmp_path) as at:
            node = at.node((*FLIPS, QUOTER))
            await node.start()
            await until_armed(node, BEGIN_ORDERS)
            calls = at.calls()
            await at.fault("ban", None, for_s=4)
            await until_node(node, lambda: _refused(calls) > 0, "a request that meets the ban")
            await until_node(node, lambda: calls[-1].status == 200, "the end of the ban")
            before = len(node.armed())
            await until_armed(node, before + 1)
            return calls

    calls = asyncio.run(run())

    # What was on its way already learns it, and nothing after it.
    assert 1 <= _refused(calls) <= ON_THE_WAY


def _refused(calls: list[Answered]) -> int:
    return sum(call.status == 418 for call in calls)


# Either side of a flip can be carried out once more than was meant: a copy, or a late one.
BOTH_SIDES = {"USDT": "1000000", "ETH": "100"}
# Absence is concluded some 13 s after the sending, on a slow machine later.
LATER_THAN_ABSENT_MS = 19_000


def _only_doubled(found: Judgement) -> bool:
    """Something is doubled, and nothing else is wrong."""
    return bool(found.faults) and all(fault.startswith("duplicate") for fault in found.faults)


def test_a_market_order_that_the_way_doubles_is_booked_alarmed_and_halts(tmp_path: Path) -> None:
    """No client can prevent it: the copy is signed, in time, and its id is free once it filled."""

    async def run() -> tuple[Node, Judgement]:
        async with scene(tmp_path) as at:
            node = at.node(flips(SYMBOLS[1:2]), funds=BOTH_SIDES)
            await node.start()
            await until_armed(node, 2)
            await at.fault("duplicate_request", method="POST", count=1)
            await until_node(node, lambda: bool(node.state().halted), "a halt")
            found = await at.judged(node, _only_doubled)
            await node.stop()
            return node, found

    node, found = asyncio.run(run())

    assert node.state().halted == "ghost"
    assert node.state().counters.ghosts == 1
    # Both executions are booked: the only thing wrong with the books is that it happened.
    assert _only_doubled(found), found.faults


def test_an_engine_slower_than_the_horizon_ends_in_a_ghost_and_a_halt_never_in_silence(
    tmp_path: Path,
) -> None:
    """The one assumption that the exchange may break: what was declared absent executes."""

    async def run() -> tuple[Node, Judgement]:
        async with scene(tmp_path) as at:
            node = at.node(flips(SYMBOLS[1:2]), funds=BOTH_SIDES)
            await node.start()
            await until_armed(node, 2)
            await at.fault("engine_delay", method="POST", count=1, delay_ms=LATER_THAN_ABSENT_MS)
            await until_node(node, lambda: bool(node.state().halted), "a halt")
            found = await at.judged(node, _only_doubled)
            await node.stop()
            return node, found

    node, found = asyncio.run(run())
    facts = [record.fact for record in node.records()]

    halts = [fact for fact in facts if isinstance(fact, Halted)]
    assert [halt.reason for halt in halts] == ["ghost"]
    assert any(
        isinstance(f, AttemptMoved) and f.state is AttemptState.NEVER_EXECUTED for f in facts
    )
    # Booked and alarmed: the only thing wrong with the books is that it happened.
    assert _only_doubled(found), found.faults
    assert '"ghost"' in node.said()
    assert node.state().holdings["USDT"] != Decimal(BOTH_SIDES["USDT"])
