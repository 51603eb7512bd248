"""The audit finds every planted fault, and nothing where there is none."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.app.demo.audit import Finding, Kind, audit
from holdfast.app.demo.evidence import SignedRequest, read_ledger
from holdfast.app.demo.told import Told
from holdfast.domain.fact import AnyFact, CashFlow, Filled, Ghost, OrderMoved, RejectClosed
from holdfast.domain.order import AttemptState, OrderState, Side
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from tests.support import demo_world as world


def found(kind: Kind, findings: tuple[Finding, ...]) -> list[str]:
    return [finding.what for finding in findings if finding.kind is kind]


def folded(told: list[AnyFact]) -> AccountState:
    state = AccountState()
    for seq, fact in enumerate(told, start=1):
        apply(state, seq, 1, seq, fact)
    return state


def test_a_true_journal_is_settled_and_clean() -> None:
    result = world.audited(world.facts(), world.ledger())
    assert result.findings == ()
    assert (result.orders, result.executions, result.unresolved_orders) == (2, 3, 0)
    assert (result.duplicate_orders, result.lost_orders) == (0, 0)
    assert result.is_settled


def test_the_platform_s_own_fold_agrees_with_its_facts() -> None:
    facts = world.facts()
    state = folded(facts)
    true = read_ledger(msgspec.json.encode(world.ledger()))
    clean = audit(true, Told.of(facts), api_key=world.KEY, state=state)
    state.holdings["BTC"] += 1
    state.bots["trend"].positions["BTC/USDT"].quantity += 1
    bent = audit(true, Told.of(facts), api_key=world.KEY, state=state)

    assert clean.is_settled
    assert found(Kind.DIFFERENCE, bent.findings) == [
        "folded holding of BTC",
        "folded position of trend in BTC/USDT",
    ]


# -- duplicates ------------------------------------------------------------------------------------


def test_two_attempts_at_one_intent_that_executed_are_a_duplicate() -> None:
    facts, true = world.facts(), world.ledger()
    facts += [
        world.armed(2, Side.SELL, "0.1", n=2),
        world.acked(2, OrderState.FILLED, "0.1", n=2),
        world.filled(2, 4, Side.SELL, "0.1", "1001.00", "0.1001", "USDT", n=2),
    ]
    true["orders"].append({**world.order(2, "0.1", n=2), "orderId": 4})
    true["executions"].append(
        world.execution(2, 4, "SELL", "0.1", "1001", "0.1001", "USDT", n=2)
    )
    result = world.audited(facts, true)
    assert world.cid(2) in found(Kind.DUPLICATE, result.findings)
    assert result.duplicate_orders >= 1
    assert result.lost_orders == 0


def test_one_request_that_was_accepted_twice_is_a_duplicate() -> None:
    true = world.ledger()
    true["orders"].append({**world.order(2, "0.1"), "orderId": 5})
    true["executions"].append(world.execution(2, 5, "SELL", "0.1", "1001", "0.1001", "USDT"))
    result = world.audited(world.facts(), true)
    assert set(found(Kind.DUPLICATE, result.findings)) == {world.cid(2)}
    assert result.duplicate_orders == 1


def test_more_executed_than_was_asked_for_is_a_duplicate() -> None:
    facts, true = world.facts(), world.ledger()
    facts.append(world.filled(2, 4, Side.SELL, "0.1", "1001.00", "0", "USDT"))
    true["executions"].append(world.execution(2, 4, "SELL", "0.1", "1001", "0", "USDT"))
    assert world.audited(facts, true).duplicate_orders == 1


@pytest.mark.parametrize(
    "moves",
    [
        [
            world.attempt(4, AttemptState.IN_DOUBT),
            world.attempt(4, AttemptState.NEVER_EXECUTED),
        ],
        [world.attempt(4, AttemptState.NOT_SENT)],
        [
            world.attempt(4, AttemptState.REJECTED),
            RejectClosed(cid=world.cid(4), evidence="asked", server_ms=1),
        ],
    ],
)
def test_what_was_declared_absent_and_executed_is_a_duplicate(moves: list[AnyFact]) -> None:
    facts = [*world.facts(), world.armed(4, Side.BUY, "0.1"), *moves]
    true = world.ledger()
    true["orders"].append(world.order(4, "0.1"))
    true["executions"].append(world.execution(4, 4, "BUY", "0.1", "1000", "0", "BTC"))
    assert found(Kind.DUPLICATE, world.audited(facts, true).findings) == [world.cid(4)]


def test_a_ghost_counts_although_the_journal_booked_it() -> None:
    facts = [*world.facts(), Ghost(cid=world.cid(2), evidence="a trade")]
    assert world.audited(facts, world.ledger()).duplicate_orders == 1


def test_a_request_that_left_twice_is_found_and_a_copy_made_by_the_network_is_not() -> None:
    def sent(intent: int, copy: int = 1) -> SignedRequest:
        params = {"newClientOrderId": world.cid(intent)}
        return SignedRequest("POST", "/api/v3/order", params, world.KEY, copy)

    clean = world.audited(
        world.facts(), world.ledger(), requests=[sent(1), sent(1, copy=2), sent(2)]
    )
    twice = world.audited(world.facts(), world.ledger(), requests=[sent(1), sent(2), sent(1)])
    assert clean.is_clean
    assert found(Kind.RESENT, twice.findings) == [world.cid(1)]


# -- lost ------------------------------------------------------------------------------------------


def test_an_order_without_a_row_is_lost_at_once() -> None:
    true = world.ledger()
    true["orders"].append(world.order(7, "0", status="NEW"))
    result = world.audited(world.facts(), true, patience_ns=10**18)
    assert found(Kind.LOST, result.findings) == [world.cid(7)]


def test_an_execution_that_is_not_booked_is_late_first_and_then_lost() -> None:
    facts = [
        fact
        for fact in world.facts()
        if not (isinstance(fact, Filled) and fact.fill.trade_id == "2")
    ]
    patient = world.audited(facts, world.ledger(), patience_ns=200 * 10**9)
    strict = world.audited(facts, world.ledger())
    assert (patient.late, patient.lost_orders, patient.compared_money) == (1, 0, False)
    assert patient.is_clean
    assert not patient.is_settled
    assert found(Kind.LOST, strict.findings) == [world.cid(1)]


def test_a_fill_that_never_happened_is_found() -> None:
    facts = [*world.facts(), world.filled(2, 8, Side.SELL, "0.1", "1", "0", "USDT")]
    assert found(Kind.LOST, world.audited(facts, world.ledger()).findings) == [world.cid(2)]


def test_a_fill_newer_than_the_ledger_proves_nothing() -> None:
    newer = world.filled(1, 8, Side.BUY, "0.1", "1", "0", "USDT")
    newer = Filled(
        fill=msgspec.structs.replace(newer.fill, at_ns=world.LEDGER_NS), bot=newer.bot
    )
    result = world.audited([*world.facts(), newer], world.ledger(), patience_ns=1)
    assert result.is_settled


def test_an_acknowledged_order_that_the_exchange_does_not_know_is_lost() -> None:
    facts = [
        *world.facts(),
        world.armed(4, Side.BUY, "0.1"),
        world.acked(4, OrderState.NEW, "0"),
    ]
    assert found(Kind.LOST, world.audited(facts, world.ledger()).findings) == [world.cid(4)]


def test_an_order_that_is_over_on_one_side_only_is_lost_once_nothing_moves() -> None:
    facts = [
        *world.facts(),
        world.armed(4, Side.BUY, "0.1"),
        world.acked(4, OrderState.NEW, "0"),
        OrderMoved(cid=world.cid(4), state=OrderState.CANCELLED, executed=Decimal(0)),
    ]
    true = world.ledger()
    true["orders"].append(world.order(4, "0", status="NEW"))
    assert world.audited(facts, true).lost_orders == 1
    assert world.audited(facts, true, patience_ns=1).lost_orders == 0


def test_an_order_declared_absent_that_rests_at_the_exchange_is_lost() -> None:
    facts = [
        *world.facts(),
        world.armed(4, Side.BUY, "0.1"),
        world.attempt(4, AttemptState.NOT_SENT),
    ]
    true = world.ledger()
    true["orders"].append(world.order(4, "0", status="NEW"))
    assert world.audited(facts, true, patience_ns=1).lost_orders == 1


# -- unresolved, amounts ---------------------------------------------------------------------------


@pytest.mark.parametrize("moves", [[], [world.attempt(4, AttemptState.IN_DOUBT)]])
def test_what_nobody_knows_is_unresolved(moves: list[AnyFact]) -> None:
    facts = [*world.facts(), world.armed(4, Side.BUY, "0.1"), *moves]
    result = world.audited(facts, world.ledger())
    assert result.unresolved == (world.cid(4),)
    assert not result.is_settled


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("qty", "0.2000001", "quantity of trade 2 of BTCUSDT"),
        ("price", "1000.11", "price of trade 2 of BTCUSDT"),
        ("commission", "0.0003", "fee of trade 2 of BTCUSDT"),
        ("commissionAsset", "USDT", "fee asset of trade 2 of BTCUSDT"),
        ("side", "SELL", "side of trade 2 of BTCUSDT"),
    ],
)
def test_a_fill_booked_with_another_amount_is_a_difference(
    field: str, value: str, named: str
) -> None:
    true = world.ledger()
    true["executions"][1][field] = value
    assert named in found(Kind.DIFFERENCE, world.audited(world.facts(), true).findings)


@pytest.mark.parametrize(
    ("bot", "cid", "named"),
    [
        ("other", world.cid(1), ["bot of trade 2 of BTCUSDT"]),
        ("", world.cid(1), ["bot of trade 2 of BTCUSDT"]),
        ("", "", ["bot of trade 2 of BTCUSDT", "order of trade 2 of BTCUSDT"]),
    ],
)
def test_a_fill_of_ours_that_is_booked_on_another_bot_or_on_none_is_a_difference(
    bot: str, cid: str, named: list[str]
) -> None:
    facts = world.facts()
    at = next(
        n for n, fact in enumerate(facts) if isinstance(fact, Filled) and fact.fill.trade_id == "2"
    )
    told = facts[at]
    assert isinstance(told, Filled)
    facts[at] = Filled(fill=msgspec.structs.replace(told.fill, cid=cid), bot=bot)
    assert found(Kind.DIFFERENCE, world.audited(facts, world.ledger()).findings) == named


def test_a_fill_of_an_order_that_nobody_here_armed_is_no_bot_s() -> None:
    booked = world.filled(7, 4, Side.SELL, "0.1", "1000", "0", "USDT")
    nameless = msgspec.structs.replace(booked.fill, cid="")
    true = world.ledger()
    true["executions"].append(
        {**world.execution(7, 4, "SELL", "0.1", "1000", "0", "USDT"), "clientOrderId": "web_1"}
    )
    clean = world.audited([*world.facts(), Filled(fill=nameless)], true, patience_ns=1)
    bent = world.audited([*world.facts(), Filled(fill=nameless, bot="trend")], true, patience_ns=1)
    assert "bot of trade 4 of BTCUSDT" not in found(Kind.DIFFERENCE, clean.findings)
    assert "order of trade 4 of BTCUSDT" not in found(Kind.DIFFERENCE, clean.findings)
    assert "bot of trade 4 of BTCUSDT" in found(Kind.DIFFERENCE, bent.findings)


def test_a_balance_that_differs_by_the_last_digit_is_a_difference() -> None:
    true = world.ledger()
    true["balances"][world.KEY]["USDT"]["free"] = "9700.00000001"
    result = world.audited(world.facts(), true)
    assert found(Kind.DIFFERENCE, result.findings) == ["balance of USDT"]


def test_money_is_not_compared_before_the_opening_balances_are_booked() -> None:
    result = world.audited(world.facts()[:2], {**world.ledger(), "orders": [], "executions": []})
    assert not result.compared_money
    assert result.is_clean


def test_money_that_came_without_a_fill_is_counted() -> None:
    deposit = CashFlow(
        asset="USDT", amount=Decimal("0.5"), reason="deposit", evidence="e", at_ns=1
    )
    true = world.ledger()
    true["balances"][world.KEY]["USDT"]["locked"] = "100.4799"
    assert world.audited([*world.facts(), deposit], true).is_settled


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("symbol", "symbol", "ETHUSDT"), ("side", "side", "SELL"), ("type", "type", "LIMIT"),
        ("quantity", "origQty", "0.31"), ("price", "price", "999"),
        ("stop price", "stopPrice", "990"), ("time in force", "timeInForce", "IOC"),
    ],
)  # fmt: skip
def test_an_order_that_the_exchange_took_otherwise_than_it_was_armed_is_a_difference(
    name: str, field: str, value: str
) -> None:
    true = world.ledger()
    true["orders"][0][field] = value
    impossible = world.audited(world.facts(), true).impossible
    found = [one for one in impossible if "of trade" not in one.what]
    assert [(one.kind, one.what) for one in found] == [
        (Kind.DIFFERENCE, f"{name} of {world.cid(1)}")
    ]
