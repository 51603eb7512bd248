"""Every reply that the exchange is known to give, and what it proves about an order."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.order import OrderState
from holdfast.venues.binance.verdict import REFUSALS, digest_cancel, digest_placement
from holdfast.venues.port import Answer, Verdict

NAMES = {"BTCUSDT": "BTC/USDT"}
CID = "0123456789abcdef0123456789abcdef"
ORDER = {
    "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": CID,
    "transactTime": 1507725176595, "price": "0.00000000", "origQty": "10.00000000",
    "executedQty": "10.00000000", "cummulativeQuoteQty": "10.00000000", "status": "FILLED",
    "timeInForce": "GTC", "type": "MARKET", "side": "SELL",
    "fills": [{"price": "1", "qty": "10", "commission": "0.1", "commissionAsset": "USDT",
               "tradeId": 56}],
}  # fmt: skip


def placed(status: int, body: bytes) -> Verdict:
    return digest_placement(status, body, cid=CID, symbol="BTC/USDT", names=NAMES)


def cancelled(status: int, body: bytes) -> Verdict:
    return digest_cancel(status, body, target=CID, symbol="BTC/USDT", names=NAMES)


def error(code: int, msg: str = "") -> bytes:
    return msgspec.json.encode({"code": code, "msg": msg})


def order(**changes: object) -> bytes:
    return msgspec.json.encode({**ORDER, **changes})


# The table of the wire, row by row: status, body, what it proves, whether it is final.
ROWS: dict[str, tuple[int, bytes, Answer, bool]] = {
    "acked": (200, order(), Answer.ACKED, False),
    "acked_expired": (200, order(status="EXPIRED", executedQty="0"), Answer.ACKED, False),
    "duplicate": (400, error(-2010, "Duplicate order sent."), Answer.EXISTS, False),
    "insufficient_balance": (
        400,
        error(-2010, "Account has insufficient balance for requested action."),
        Answer.REJECTED,
        False,
    ),
    "disabled": (
        400, error(-2010, "This action is disabled on this account."), Answer.REJECTED, False,
    ),
    "would_take": (
        400, error(-2010, "Order would immediately match and take."), Answer.REJECTED, False,
    ),
    "price_filter": (400, error(-1013, "Filter failure: PRICE_FILTER"), Answer.REJECTED, False),
    "notional": (400, error(-1013, "Filter failure: NOTIONAL"), Answer.REJECTED, False),
    "late": (400, error(-1021, "Timestamp … outside of the recvWindow."), Answer.REJECTED, False),
    "signature": (400, error(-1022, "Signature … not valid."), Answer.REJECTED, True),
    "key_format": (401, error(-2014, "API-key format invalid."), Answer.REJECTED, True),
    "malformed": (400, error(-1100, "Illegal characters found."), Answer.REJECTED, True),
    "missing": (400, error(-1102, "Mandatory parameter …"), Answer.REJECTED, True),
    "precision": (400, error(-1111, "Parameter … has too much precision."), Answer.REJECTED, False),
    "revoked": (401, error(-2015, "Invalid API-key, IP, or permissions."), Answer.REJECTED, False),
    "weight": (429, error(-1003, "Too much request weight used."), Answer.REJECTED, False),
    "order_count": (429, error(-1015, "Too many new orders."), Answer.REJECTED, False),
    "banned": (418, error(-1003, "Way too much request weight used."), Answer.REJECTED, False),
    "overloaded": (503, error(-1008, "Server is currently overloaded."), Answer.UNKNOWN, False),
    "unknown_500": (500, error(-1000, "An unknown error occurred."), Answer.UNKNOWN, False),
    "unknown_400": (400, error(-1000, "An unknown error occurred."), Answer.UNKNOWN, False),
    "disconnected": (500, error(-1001, "Internal error."), Answer.UNKNOWN, False),
    "unexpected": (400, error(-1006, "Execution status unknown."), Answer.UNKNOWN, False),
    "engine_timeout": (408, error(-1007, "Timeout waiting for …"), Answer.UNKNOWN, False),
    "engine_timeout_504": (504, error(-1007, "Timeout waiting for …"), Answer.UNKNOWN, False),
    "a_definite_code_under_5xx": (502, error(-1022), Answer.UNKNOWN, False),
    "a_new_code": (400, error(-9999, "Something new."), Answer.UNKNOWN, False),
    "gateway_html": (502, b"<html>Bad Gateway</html>", Answer.UNKNOWN, False),
    "firewall": (403, b"<html>Forbidden</html>", Answer.UNKNOWN, False),
    "bad_request_html": (400, b"<html>Bad Request</html>", Answer.UNKNOWN, False),
    "limited_html": (429, b"slow down", Answer.UNKNOWN, False),
    "partial_replace": (409, error(-2021, "Order cancel-replace partial"), Answer.UNKNOWN, False),
    "redirect": (307, b"", Answer.UNKNOWN, False),
    "truncated": (200, order()[:-20], Answer.UNKNOWN, False),
    "broken_json": (200, b"{" + order(), Answer.UNKNOWN, False),
    "empty": (200, b"", Answer.UNKNOWN, False),
    "no_order": (200, b"{}", Answer.UNKNOWN, False),
    "not_utf8": (200, order().replace(b"SELL", b"\xff\xfe"), Answer.UNKNOWN, False),
    "null_id": (200, order(orderId=None), Answer.UNKNOWN, False),
    "another_order": (200, order(clientOrderId="somebody-else"), Answer.UNKNOWN, False),
    "another_market": (200, order(symbol="ETHUSDT"), Answer.UNKNOWN, False),
    "unknown_status": (200, order(status="DREAMT"), Answer.UNKNOWN, False),
    "quantity_is_none": (200, order(executedQty="NaN"), Answer.UNKNOWN, False),
    "an_error_with_200": (200, error(-1022), Answer.UNKNOWN, False),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "answer", "final"), ROWS.values(), ids=ROWS)
def test_each_reply_to_a_new_order_proves_just_this(
    status: int, body: bytes, answer: Answer, final: bool
) -> None:
    verdict = placed(status, body)
    assert (verdict.answer, verdict.final) == (answer, final)
    assert verdict.evidence
    assert (verdict.report is not None) == (answer is Answer.ACKED)


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (
            200,
            order(origClientOrderId=CID, clientOrderId="the-cancels", status="CANCELED", fills=[]),
            Answer.ACKED,
        ),
        (200, order(origClientOrderId="other", status="CANCELED"), Answer.UNKNOWN),
        (400, error(-2011, "Unknown order sent."), Answer.ABSENT),
        (400, error(-2011, "Order was not canceled due to restrictions."), Answer.REJECTED),
        (400, error(-1021), Answer.REJECTED),
        (401, error(-2015), Answer.REJECTED),
        (429, error(-1003), Answer.REJECTED),
        (504, error(-1007), Answer.UNKNOWN),
        (502, error(-2011, "Unknown order sent."), Answer.UNKNOWN),
        (400, error(-1000), Answer.UNKNOWN),
    ],
)
def test_each_reply_to_a_cancel_proves_just_this(status: int, body: bytes, answer: Answer) -> None:
    verdict = cancelled(status, body)
    assert verdict.answer is answer
    if verdict.report is not None:
        assert (verdict.report.cid, verdict.report.state) == (CID, OrderState.CANCELLED)


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_noise_is_never_proof(status: int, body: bytes) -> None:
    assert placed(status, body).answer is Answer.UNKNOWN
    assert cancelled(status, body).answer is Answer.UNKNOWN


@given(status=st.integers(100, 599), code=st.integers(-3000, 0), msg=st.text(max_size=40))
def test_only_a_listed_code_under_a_speaking_status_is_a_refusal(
    status: int, code: int, msg: str
) -> None:
    verdict = placed(status, error(code, msg))
    listed = status in {400, 401, 418, 429} and code in REFUSALS
    assert (verdict.answer is Answer.REJECTED) == listed
    assert verdict.final == (listed and REFUSALS[code])


@given(cut=st.integers(0, len(order()) - 1))
def test_no_beginning_of_a_good_reply_is_taken_for_it(cut: int) -> None:
    assert placed(200, order()[:cut]).answer is Answer.UNKNOWN
