"""What replies say of limits, and what it does to the requests that follow."""

from __future__ import annotations

import pytest

from holdfast.venues.binance import gate
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.gate import Gate
from holdfast.venues.binance.wire import Reply
from holdfast.venues.budget import Flight, LimitKind, RateLimit
from holdfast.venues.port import Purpose, TimeSample

SECOND_NS = 10**9


class Hands:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 50 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def opened(hands: Hands) -> Gate:
    """A gate on a clock that stands half-way through a minute and a ten-second window."""
    clock = ServerClock(hands, lambda: 0)
    clock.note(TimeSample(1_000_000_020_000 + 15_000, hands.now_ns, hands.now_ns))
    return Gate(clock)


def reply(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, headers or {}, body)


def observe(opened: Gate, told: Reply) -> None:
    """As of the reply to a question that left a moment ago."""
    opened.observe(told, Flight(number=0, beside=0, sent_ms=opened.clock.now_ms(), count=0))


def test_used_weight_in_a_header_is_believed(opened: Gate) -> None:
    assert opened.delay_s(Purpose.ENTER) == 0
    observe(opened, reply(200, headers={"x-mbx-used-weight-1m": "5990"}))
    assert opened.delay_s(Purpose.ENTER) > 0
    assert opened.delay_s(Purpose.CANCEL) == 0


@pytest.mark.parametrize("said", ["9" * 5_000, "9" * 400, "-1", "1e3", "", "\xb2"])
def test_a_count_that_is_none_is_passed_over(opened: Gate, said: str) -> None:
    """Python refuses to read a number of more than 4300 digits, and an order's reply with it."""
    observe(opened, reply(200, headers={"x-mbx-used-weight-1m": said}))
    assert opened.delay_s(Purpose.ENTER) == 0
    observe(opened, reply(429, headers={"retry-after": said}))
    assert opened.delay_s(Purpose.CANCEL) == pytest.approx(60)


def test_the_order_count_in_a_header_holds_orders_back_only(opened: Gate) -> None:
    observe(opened, reply(200, headers={"x-mbx-order-count-10s": "50"}))
    assert 0 < opened.delay_s(Purpose.REDUCE) < 10
    assert opened.delay_s(Purpose.RESOLVE) == 0


def test_a_ban_is_told_to_whoever_else_asks_from_this_address(opened: Gate) -> None:
    told: list[float] = []
    opened.on_away = told.append
    observe(opened, reply(418, headers={"retry-after": "30"}))
    observe(opened, reply(429))
    observe(opened, reply(429, b'{"code":-1015,"msg":"x"}', {"retry-after": "5"}))
    assert told == [30, 60], "too many orders are of one account alone"


def test_what_others_at_this_address_were_told_holds_everything_back(
    opened: Gate, hands: Hands
) -> None:
    news = [7.0]
    opened.away_s = lambda: news.pop() if news else 0.0
    assert opened.delay_s(Purpose.CANCEL) == pytest.approx(7)
    assert opened.pass_through(Purpose.RESOLVE, gate.TIME) == pytest.approx(7)
    hands.now_ns += 7 * SECOND_NS
    assert opened.delay_s(Purpose.CANCEL) == 0


def test_a_refusal_that_is_no_ban_keeps_nobody_away(opened: Gate) -> None:
    opened.refused(503, 30.0)
    assert opened.delay_s(Purpose.CANCEL) == 0
    opened.refused(418, float("inf"))
    assert opened.delay_s(Purpose.CANCEL) == pytest.approx(120)


@pytest.mark.parametrize(
    ("status", "for_s", "held_s"),
    [(429, None, 0), (429, 30.0, 30), (418, None, 120), (403, 9.0, 0)],
)
def test_too_many_connections_hold_back_nothing_else_unless_they_say_so(
    opened: Gate, status: int, for_s: float | None, held_s: float
) -> None:
    """An exit that waits for the end of a limit on WebSockets is a loss for nothing."""
    opened.connection_refused(status, for_s)
    assert opened.delay_s(Purpose.CANCEL) == pytest.approx(held_s)


def test_published_limits_replace_the_documented_ones_with_their_headers(opened: Gate) -> None:
    opened.learn((RateLimit(LimitKind.WEIGHT, 3_600_000, 10),))
    observe(opened, reply(200, headers={"x-mbx-used-weight-1m": "9999"}))
    assert opened.delay_s(Purpose.ENTER) == 0
    observe(opened, reply(200, headers={"x-mbx-used-weight-1h": "10"}))
    assert opened.delay_s(Purpose.ENTER) > 0


def test_a_listing_without_limits_changes_none(opened: Gate) -> None:
    opened.learn(())
    observe(opened, reply(200, headers={"x-mbx-used-weight-1m": "6000"}))
    assert opened.delay_s(Purpose.CANCEL) > 0


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (429, {"retry-after": "3"}, 3),
        (418, {"retry-after": "300"}, 300),
        (429, {}, 60),
        (418, {"retry-after": "soon"}, 120),
    ],
)
def test_being_told_to_stay_away_stops_everything_for_that_long(
    opened: Gate, hands: Hands, status: int, headers: dict[str, str], wait_s: float
) -> None:
    observe(opened, reply(status, b'{"code":-1003,"msg":"Too much."}', headers))
    assert opened.delay_s(Purpose.CANCEL) == pytest.approx(wait_s)
    hands.now_ns += int(wait_s * SECOND_NS)
    assert opened.delay_s(Purpose.CANCEL) == 0


def test_too_many_orders_stops_orders_only(opened: Gate) -> None:
    body = b'{"code":-1015,"msg":"Too many new orders."}'
    observe(opened, reply(429, body, {"retry-after": "8"}))
    assert opened.delay_s(Purpose.ENTER) == pytest.approx(8)
    assert opened.delay_s(Purpose.CANCEL) == 0


def test_a_request_that_has_to_wait_is_not_counted(opened: Gate) -> None:
    opened.learn((RateLimit(LimitKind.WEIGHT, 60_000, 100),))
    assert [opened.pass_through(Purpose.READ, gate.ACCOUNT) == 0 for _ in range(5)] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert opened.delay_s(Purpose.RESOLVE, gate.ACCOUNT) == 0


def test_a_jump_of_the_exchanges_clock_does_not_shorten_a_ban(opened: Gate, hands: Hands) -> None:
    observe(opened, reply(418, b"", {"retry-after": "100"}))
    opened.clock.note(TimeSample(2_000_000_000_000, hands.now_ns, hands.now_ns))
    assert opened.delay_s(Purpose.CANCEL) == pytest.approx(100)
