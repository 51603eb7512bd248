"""Order lists on the wire: the bytes that ask for one, and what a reply proves about its orders."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side, TimeInForce
from holdfast.venues.binance import decode
from holdfast.venues.binance.request import list_path, list_query
from holdfast.venues.binance.verdict import digest_cancel, digest_list
from holdfast.venues.budget import Cost, LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Answer, ListedOrder, ListPlacement, ListReport, Purpose, Verdict

NAMES = {"BTCUSDT": "BTC/USDT"}
ABOVE, BELOW, LIST = "a" * 32, "b" * 32, "c" * 32
PAIR = (
    ListedOrder(
        ABOVE,
        OrderSpec(
            symbol="BTC/USDT",
            side=Side.SELL,
            type=OrderType.LIMIT_MAKER,
            quantity=Decimal("0.5"),
            price=Decimal(110),
        ),
    ),
    ListedOrder(
        BELOW,
        OrderSpec(
            symbol="BTC/USDT",
            side=Side.SELL,
            type=OrderType.STOP_LOSS,
            quantity=Decimal("0.5"),
            stop_price=Decimal(90),
        ),
    ),
)


def row(cid: str, order_id: int, **changes: object) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT", "orderId": order_id, "orderListId": 3, "clientOrderId": cid,
        "transactTime": 7, "price": "110", "origQty": "0.5", "executedQty": "0", "status": "NEW",
        "side": "SELL", **changes,
    }  # fmt: skip


def listed(*rows: dict[str, object], **changes: object) -> bytes:
    return msgspec.json.encode({
        "orderListId": 3, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED",
        "listOrderStatus": "EXECUTING", "listClientOrderId": LIST, "transactionTime": 7,
        "symbol": "BTCUSDT",
        "orders": [{"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": ABOVE}],
        "orderReports": list(rows), **changes,
    })  # fmt: skip


BOTH = listed(row(BELOW, 2), row(ABOVE, 1))


def placed(status: int, body: bytes) -> Verdict:
    return digest_list(status, body, cids=(ABOVE, BELOW), symbol="BTC/USDT", names=NAMES)


def cancelled(status: int, body: bytes) -> Verdict:
    return digest_cancel(status, body, target=ABOVE, symbol="BTC/USDT", names=NAMES)


def asked(orders: tuple[ListedOrder, ...]) -> tuple[str, dict[str, str]]:
    placement = ListPlacement(LIST, orders, 1_700_000_000_000, 2000, Purpose.REDUCE)
    found = parse_qs(list_query(placement), strict_parsing=True)
    return list_path(placement), {name: value for name, (value,) in found.items()}


def test_a_pair_is_asked_for_with_an_id_for_the_list_and_for_each_order() -> None:
    path, params = asked(PAIR)
    assert path == "/api/v3/orderList/oco"
    assert params == {
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5",
        "aboveType": "LIMIT_MAKER", "abovePrice": "110", "aboveClientOrderId": ABOVE,
        "belowType": "STOP_LOSS", "belowStopPrice": "90", "belowClientOrderId": BELOW,
        "listClientOrderId": LIST, "newOrderRespType": "FULL",
        "recvWindow": "2000", "timestamp": "1700000000000",
    }  # fmt: skip


def test_a_pair_behind_an_order_is_asked_for_with_both_quantities() -> None:
    entry = OrderSpec(
        symbol="BTC/USDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(1),
        price=Decimal(100),
        time_in_force=TimeInForce.GTC,
    )
    path, params = asked((ListedOrder("entry", entry), *PAIR))
    assert path == "/api/v3/orderList/otoco"
    wanted = {
        "workingSide": "BUY", "workingType": "LIMIT", "workingQuantity": "1", "workingPrice": "100",
        "workingTimeInForce": "GTC", "workingClientOrderId": "entry",
        "pendingSide": "SELL", "pendingQuantity": "0.5", "pendingAboveType": "LIMIT_MAKER",
        "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "90",
    }  # fmt: skip
    assert wanted.items() <= params.items()
    assert not {"side", "quantity"} & params.keys()


def test_an_acceptance_tells_of_both_in_the_order_asked() -> None:
    verdict = placed(200, BOTH)
    assert verdict.answer is Answer.ACKED
    assert [(r.cid, r.order_id, r.state) for r in verdict.reports] == [
        (ABOVE, "1", OrderState.NEW), (BELOW, "2", OrderState.NEW),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        listed(row(ABOVE, 1)),
        listed(row(ABOVE, 1), row("d" * 32, 2)),
        listed(row(ABOVE, 1), row(BELOW, 2, symbol="ETHUSDT")),
        listed(),
        listed(orderReports=None),
        listed(row(ABOVE, 1), row(BELOW, 2, status="STRANGE")),
        msgspec.json.encode(row(ABOVE, 1)),
        b"{}",
        b"",
    ],
)
def test_a_reply_that_does_not_tell_of_both_proves_nothing_of_either(body: bytes) -> None:
    verdict = placed(200, body)
    assert (verdict.answer, verdict.reports) == (Answer.UNKNOWN, ())
    assert verdict.evidence


@given(st.integers(0, len(BOTH) - 1))
def test_no_beginning_of_a_good_reply_is_taken_for_it(cut: int) -> None:
    assert placed(200, BOTH[:cut]).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "msg", "answer", "final"),
    [
        (400, -2010, "Duplicate order sent.", Answer.EXISTS, False),
        (400, -2010, "The relationship of the prices for the orders is not correct.",
         Answer.REJECTED, False),
        (400, -1013, "Filter failure: MAX_NUM_ORDER_LISTS", Answer.REJECTED, False),
        (400, -1158, "This order type is not allowed.", Answer.REJECTED, True),
        (400, -1166, "A limit order in a sell OCO must be above.", Answer.REJECTED, True),
        (400, -1197, "A stop loss order in a sell OCO must be below.", Answer.REJECTED, True),
        (504, -1007, "Timeout waiting for response from backend server.", Answer.UNKNOWN, False),
        (500, -1158, "whatever", Answer.UNKNOWN, False),
    ],
)  # fmt: skip
def test_a_refusal_is_one_for_the_whole_list(
    status: int, code: int, msg: str, answer: Answer, final: bool
) -> None:
    verdict = placed(status, msgspec.json.encode({"code": code, "msg": msg}))
    assert (verdict.answer, verdict.final, verdict.reports) == (answer, final, ())


def test_a_cancel_of_one_order_of_a_list_tells_of_the_others_as_well() -> None:
    body = listed(
        row("cancel", 2, origClientOrderId=BELOW, status="CANCELED"),
        row("cancel", 1, origClientOrderId=ABOVE, status="CANCELED"),
        listOrderStatus="ALL_DONE",
    )
    verdict = cancelled(200, body)
    assert verdict.answer is Answer.ACKED
    assert [report.cid for report in verdict.reports] == [ABOVE, BELOW]
    assert {report.state for report in verdict.reports} == {OrderState.CANCELLED}


def test_a_cancel_answered_for_its_order_alone_is_as_good() -> None:
    body = msgspec.json.encode(row("cancel", 1, origClientOrderId=ABOVE, status="CANCELED"))
    verdict = cancelled(200, body)
    assert (verdict.answer, len(verdict.reports)) == (Answer.ACKED, 1)


def test_a_cancel_that_names_only_other_orders_proves_nothing() -> None:
    body = listed(row("cancel", 2, origClientOrderId=BELOW, status="CANCELED"))
    assert cancelled(200, body).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("state", "is_over"), [("EXECUTING", False), ("ALL_DONE", True), ("REJECT", True)]
)
def test_the_stream_and_the_query_tell_alike_whether_a_list_is_over(
    state: str, is_over: bool
) -> None:
    orders = [{"s": "BTCUSDT", "i": 1, "c": ABOVE}, {"s": "BTCUSDT", "i": 2, "c": BELOW}]
    event = msgspec.json.encode({
        "e": "listStatus", "E": 8, "s": "BTCUSDT", "g": 3, "c": "OCO", "l": "ALL_DONE", "L": state,
        "r": "NONE", "C": LIST, "T": 7, "O": orders,
    })  # fmt: skip
    told = decode.user_event(event, NAMES)
    assert told == ListReport("BTC/USDT", LIST, "3", is_over, (ABOVE, BELOW), 7_000_000)
    asked_for = decode.order_list(listed(listOrderStatus=state), NAMES)
    assert (asked_for.list_cid, asked_for.is_over) == (LIST, is_over)


def test_the_orders_of_a_list_are_under_way_together_and_land_together() -> None:
    """What a reply says is used need not include an order beside it; its own it does."""
    limit = RateLimit(LimitKind.ORDERS, 10_000, 10)
    budget = RateBudget((limit,))
    pair = Cost(weight=1, orders=2)
    first = budget.spend(pair, 1_000)
    assert first is not None
    assert (first.number, first.beside, first.count) == (2, 0, 2)
    second = budget.spend(pair, 1_000)
    assert second is not None
    assert (second.number, second.beside) == (4, 2)
    budget.observe(LimitKind.ORDERS, 10_000, 2, 1_000, first)
    third = budget.spend(Cost(weight=1, orders=1), 1_000)
    assert third is not None
    assert third.beside == 2
