"""Circuit breakers: what opens and closes them, what they hold back, and what they never touch.

The mistakes that others make with them have a test each: counters that stick, wall clocks, races,
refusals counted as failures, cancels held back, one breaker for everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from holdfast.domain.action import Approved, Arm, CancelOrder, Proposed
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BreakerMoved,
    BreakerState,
    Maintenance,
)
from holdfast.domain.order import AttemptState, OrderSpec, OrderState, OrderType, Side
from holdfast.errors import RetryableError
from holdfast.execution import breaker
from holdfast.execution.breaker import (
    FAILURES_TO_OPEN,
    OPEN_S,
    Breakers,
    CircuitBreaker,
    Endpoint,
    Outcome,
)
from holdfast.execution.guarded import outcome_of
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, from_bytes, to_bytes
from holdfast.venues.port import (
    Answer,
    MaintenanceError,
    Placement,
    Purpose,
    ThrottledError,
    Verdict,
)
from tests.support.exchange import on_loop
from tests.support.execution_world import ONE, ExecutionWorld, world

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
UNKNOWN = Verdict(answer=Answer.UNKNOWN, code="504", evidence="scripted")


class Clock:
    """A monotonic clock by hand."""

    def __init__(self) -> None:
        self.now_ns = 7

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


def times(count: int, what: Callable[[], None]) -> None:
    for _ in range(count):
        what()


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    times(FAILURES_TO_OPEN, breaker.fail)
    assert breaker.state is OPEN
    return breaker


def half_open(clock: Clock) -> CircuitBreaker:
    breaker = opened(clock)
    clock.pass_s(OPEN_S)
    assert breaker.state is HALF_OPEN
    return breaker


# -- one breaker -----------------------------------------------------------------------------------


def test_five_failures_in_a_row_open_it_and_an_answer_between_them_starts_anew() -> None:
    breaker = CircuitBreaker(Clock())
    times(4, breaker.fail)
    breaker.succeed()
    times(4, breaker.fail)
    assert breaker.state is CLOSED
    breaker.fail()
    assert breaker.state is OPEN


def test_it_is_half_open_after_sixty_seconds_of_the_monotonic_clock_and_closes_after_two() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.pass_s(OPEN_S - 0.001)
    breaker.succeed()
    breaker.succeed()
    assert breaker.state is OPEN, "answers do not shorten it"
    clock.pass_s(0.001)
    assert breaker.state is HALF_OPEN
    breaker.succeed()
    assert breaker.state is HALF_OPEN
    breaker.succeed()
    assert breaker.state is CLOSED


def test_successes_of_an_earlier_probe_do_not_count_for_a_later_one() -> None:
    clock = Clock()
    breaker = half_open(clock)
    breaker.succeed()
    breaker.fail()
    assert breaker.state is OPEN, "one failed probe is enough"
    clock.pass_s(OPEN_S)
    breaker.succeed()
    assert breaker.state is HALF_OPEN
    breaker.succeed()
    assert breaker.state is CLOSED


def test_failures_from_before_it_closed_do_not_count_afterwards() -> None:
    clock = Clock()
    breaker = half_open(clock)
    times(2, breaker.succeed)
    times(4, breaker.fail)
    assert breaker.state is CLOSED


def test_failures_while_it_is_open_do_not_make_it_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.pass_s(OPEN_S - 1)
    times(20, breaker.fail)
    clock.pass_s(1)
    assert breaker.state is HALF_OPEN


# -- outcomes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict(answer=Answer.ACKED), Outcome.ANSWERED),
        (Verdict(answer=Answer.EXISTS), Outcome.ANSWERED),
        (Verdict(answer=Answer.ABSENT), Outcome.ANSWERED),
        (Verdict(answer=Answer.REJECTED, code="-2010"), Outcome.ANSWERED),
        (Verdict(answer=Answer.REJECTED, code="-1003", is_throttled=True), Outcome.THROTTLED),
        (Verdict(answer=Answer.NOT_SENT, code="rate", is_throttled=True), Outcome.THROTTLED),
        (Verdict(answer=Answer.NOT_SENT, code="refused"), Outcome.FAILED),
        (UNKNOWN, Outcome.FAILED),
        (Verdict(answer=Answer.UNKNOWN, in_maintenance=True), Outcome.CLOSED),
    ],
)
def test_refusals_are_answers_and_rate_limits_are_nobodys_failure(
    verdict: Verdict, outcome: Outcome
) -> None:
    assert outcome_of(verdict) is outcome


# -- all breakers of an account --------------------------------------------------------------------


class Kept:
    """Breakers whose facts are folded at once, as the journal would."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.account = AccountState()
        self.facts: list[AnyFact] = []
        self.breakers = self.made()

    def made(self) -> Breakers:
        return Breakers("binance", self.account, self.clock, self._take)

    def _take(self, fact: AnyFact) -> None:
        self.facts.append(fact)
        apply(self.account, self.account.seq + 1, 1, 0, fact)

    def note(self, endpoint: Endpoint, outcome: Outcome, count: int = 1) -> None:
        times(count, lambda: self.breakers.note(endpoint, outcome, "scripted"))

    def told(self) -> list[tuple[str, BreakerState]]:
        return [(f.endpoint, f.state) for f in self.facts if isinstance(f, BreakerMoved)]


def test_each_class_of_endpoints_has_its_own_and_any_that_is_open_holds_entries_back() -> None:
    kept = Kept()
    kept.note(Endpoint.QUERY, Outcome.FAILED, 4)
    kept.note(Endpoint.CANCEL, Outcome.FAILED, 4)
    kept.note(Endpoint.ORDER, Outcome.FAILED, 4)
    assert (kept.breakers.holds(), kept.told()) == ("", [])
    kept.note(Endpoint.CANCEL, Outcome.FAILED)
    assert kept.told() == [("cancel", OPEN)]
    assert "cancel requests failed" in kept.breakers.holds()
    assert kept.account.breakers == {"cancel": OPEN}


def test_the_state_survives_a_restart_and_the_sixty_seconds_start_anew() -> None:
    kept = Kept()
    kept.note(Endpoint.ORDER, Outcome.FAILED, 5)
    kept.clock.pass_s(59)
    restored = from_bytes(to_bytes(kept.account))
    assert restored is not None
    kept.account = restored
    kept.breakers = kept.made()
    kept.clock.pass_s(59)
    assert kept.breakers.holds()
    kept.clock.pass_s(1)
    assert not kept.breakers.holds()
    assert kept.breakers.is_probing


def test_one_that_was_half_open_at_a_restart_is_open_again_and_the_journal_says_so() -> None:
    kept = Kept()
    kept.note(Endpoint.ORDER, Outcome.FAILED, 5)
    kept.clock.pass_s(60)
    kept.note(Endpoint.QUERY, Outcome.ANSWERED)
    assert kept.account.breakers == {"order": HALF_OPEN}
    kept.breakers = kept.made()
    kept.note(Endpoint.QUERY, Outcome.ANSWERED)
    assert kept.account.breakers == {"order": OPEN}
    kept.clock.pass_s(60)
    kept.note(Endpoint.ORDER, Outcome.ANSWERED, 2)
    assert kept.account.breakers == {}


@on_loop
async def test_an_account_that_wants_nothing_notices_that_the_exchange_answers_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "ASK_S", 0.0)
    at = await world()
    at.venue.raised = MaintenanceError("scripted")
    watching = asyncio.ensure_future(at.breakers.run(lambda: _question(at)))
    with pytest.raises(MaintenanceError):
        await _question(at)
    await at.drain()
    assert _is_closed(at)
    at.venue.raised = RetryableError("scripted")
    for _ in range(20):
        await at.drain()
    assert _is_closed(at), "no answer is none"
    at.venue.raised = None
    while _is_closed(at):
        await at.drain()
    assert at.account.breakers == {}
    watching.cancel()


def _is_closed(at: ExecutionWorld) -> bool:
    return at.account.in_maintenance


async def _question(at: ExecutionWorld) -> object:
    return await at.asked.order("BTC/USDT", "x", Purpose.RESOLVE)


@on_loop
async def test_time_alone_makes_it_half_open_in_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "ASK_S", 0.0)
    kept = Kept()

    async def nothing() -> None:
        return

    watching = asyncio.ensure_future(kept.breakers.run(nothing))
    await asyncio.sleep(0)
    kept.note(Endpoint.ORDER, Outcome.FAILED, 5)
    kept.clock.pass_s(60)
    while len(kept.told()) < 2:
        await asyncio.sleep(0)
    assert kept.told() == [("order", OPEN), ("order", HALF_OPEN)]
    watching.cancel()


def test_maintenance_is_one_state_and_no_storm_of_breakers() -> None:
    kept = Kept()
    for _ in range(20):
        for endpoint in Endpoint:
            kept.note(endpoint, Outcome.CLOSED)
            kept.note(endpoint, Outcome.FAILED, 3)
    assert [type(fact) for fact in kept.facts] == [Maintenance]
    assert kept.account.in_maintenance
    assert "maintenance" in kept.breakers.holds()
    kept.breakers = kept.made()
    assert kept.breakers.holds(), "it survives a restart"
    kept.note(Endpoint.QUERY, Outcome.ANSWERED)
    assert (kept.breakers.holds(), kept.account.in_maintenance) == ("", False)
    assert len(kept.facts) == 2


# -- on the path of orders -------------------------------------------------------------------------


def _arm(*numbers: int, side: Side = Side.BUY) -> Arm:
    orders = tuple(
        Approved(
            Proposed(
                bot="bot",
                intent_id=f"00000000-0000-5000-8000-{number:012d}",
                n=1,
                leg="BTC/USDT",
                seq=0,
                decision=number,
                spec=OrderSpec(symbol="BTC/USDT", side=side, type=OrderType.MARKET, quantity=ONE),
                reduces=side is Side.SELL,
                price=ONE,
            ),
            "USDT",
            Decimal(0),
        )
        for number in numbers
    )
    return Arm(None, orders)


async def _settled(at: ExecutionWorld, count: int) -> None:
    """Return when so many attempts were answered or given back."""
    while len(at.of_kind(AttemptMoved)) + sum(len(f.intent_ids) for f in at.failed) < count:
        await at.drain()
    await at.drain()


async def _failing() -> ExecutionWorld:
    """An account whose exchange has not answered five questions."""
    at = await world()
    at.venue.raised = RetryableError("scripted")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(RetryableError):
            await at.asked.order("BTC/USDT", "x", Purpose.RESOLVE)
    at.venue.raised = None
    await at.drain()
    assert at.account.breakers == {"query": OPEN}
    return at


async def _refuse(_placement: Placement) -> Verdict:
    return Verdict(answer=Answer.REJECTED, code="-2010", final=True)


@on_loop
async def test_refusals_of_orders_never_open_it() -> None:
    at = await world()
    at.venue.on_place = _refuse
    for number in range(20):
        at.desk.arm(_arm(number))
    await _settled(at, 20)
    assert len(at.of_kind(Armed)) == 20
    assert at.account.breakers == {}


@on_loop
async def test_an_open_one_keeps_entries_back_and_exits_and_cancels_and_questions_pass() -> None:
    at = await _failing()
    at.venue.on_place = _refuse
    at.desk.arm(_arm(1))
    at.desk.arm(_arm(2, side=Side.SELL))
    await _settled(at, 2)
    assert [a.spec.side for a in at.of_kind(Armed)] == [Side.SELL]
    assert "query requests failed" in at.failed[0].reason
    resting = await at.arm(3, price=ONE)
    await at.recorder.record(
        AttemptMoved(
            cid=resting.cid,
            state=AttemptState.ACKED,
            order_id="3",
            order_state=OrderState.NEW,
            executed=Decimal(0),
        )
    )
    at.desk.cancel(CancelOrder(resting.cid))
    while not at.venue.cancelled:
        await at.drain()
    assert await at.asked.open_orders("BTC/USDT", Purpose.RESOLVE) == []


@on_loop
async def test_of_an_arming_with_both_what_reduces_goes_and_the_rest_is_given_back() -> None:
    at = await _failing()
    at.venue.on_place = _refuse
    both = Arm(None, (*_arm(1, side=Side.SELL).orders, *_arm(2).orders))
    at.desk.arm(both)
    await _settled(at, 2)
    assert [a.spec.side for a in at.of_kind(Armed)] == [Side.SELL]
    assert [failed.intent_ids for failed in at.failed] == [(both.orders[1].order.intent_id,)]


@on_loop
async def test_half_open_it_lets_one_entry_at_a_time_through_however_many_come_at_once() -> None:
    at = await world()
    for _ in range(FAILURES_TO_OPEN):
        at.breakers.note(Endpoint.ORDER, Outcome.FAILED, "scripted")
    at.pass_s(OPEN_S)
    answers: list[asyncio.Future[Verdict]] = []

    async def answer(_placement: Placement) -> Verdict:
        answers.append(asyncio.get_running_loop().create_future())
        return await answers[-1]

    at.venue.on_place = answer
    at.clock.take(at.sample())
    at.desk.arm(_arm(1, 2, 3))
    at.desk.arm(_arm(4))
    while not answers or len(at.failed) < 2:
        await at.drain()
    assert len(at.of_kind(Armed)) == 1
    assert sum(len(failed.intent_ids) for failed in at.failed) == 3
    for number in (5, 6):
        answers[-1].set_result(Verdict(answer=Answer.REJECTED, final=True))
        await _settled(at, number - 1)
        assert at.account.breakers == ({"order": HALF_OPEN} if number == 5 else {})
        at.desk.arm(_arm(number))
        while len(answers) < number - 3:
            await at.drain()
    answers[-1].set_result(Verdict(answer=Answer.REJECTED, final=True))
    await _settled(at, 6)


@pytest.mark.parametrize("error", [ThrottledError("scripted"), MaintenanceError("scripted")])
@on_loop
async def test_rate_limits_and_maintenance_open_none(error: Exception) -> None:
    at = await world()
    at.venue.raised = error
    for _ in range(20):
        with pytest.raises(RetryableError):
            await at.asked.order("BTC/USDT", "x", Purpose.RESOLVE)
    await at.drain()
    assert at.account.breakers == {}
    assert at.account.in_maintenance is isinstance(error, MaintenanceError)
    assert len(at.of_kind(Maintenance)) == int(at.account.in_maintenance)
