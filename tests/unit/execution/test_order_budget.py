"""The desk and the rate budget: an arming goes as a whole, and what is armed is sent."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from holdfast.domain.action import Approved, Arm, Proposed
from holdfast.domain.fact import Armed, AttemptMoved
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderSpec, OrderType, Side
from holdfast.execution import points
from holdfast.venues.budget import CEILING, LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Answer, Placement, Purpose, Verdict
from tests.support.exchange import on_loop
from tests.support.execution_world import ONE, ExecutionWorld, world
from tests.support.scripted_venue import ORDER, START_MS

LIMIT = 20
FITS = int(LIMIT * CEILING[Purpose.ENTER])


async def _world() -> ExecutionWorld:
    """An account whose orders are refused, so that none is in the way of the next."""
    at = await world()
    at.venue.rates = RateBudget([RateLimit(LimitKind.ORDERS, 10_000, LIMIT)])
    at.venue.on_place = _refused
    return at


async def _refused(_placement: Placement) -> Verdict:
    return Verdict(answer=Answer.REJECTED, final=True)


def _arm(numbers: Iterable[int]) -> Arm:
    return Arm(None, tuple(_approved(number) for number in numbers))


def _approved(number: int, side: Side = Side.BUY) -> Approved:
    proposed = Proposed(
        bot="bot",
        intent_id=f"00000000-0000-5000-8000-{number:012d}",
        n=1,
        leg="BTC/USDT",
        seq=0,
        decision=number,
        spec=OrderSpec(symbol="BTC/USDT", side=side, type=OrderType.MARKET, quantity=ONE),
        reduces=side is Side.SELL,
        price=ONE,
    )
    return Approved(proposed, "USDT", ZERO)


async def _carry(at: ExecutionWorld, *armings: Arm) -> None:
    """Arm all of them in one turn of the loop; returns when each order was sent or given back."""
    due = len(at.venue.placed) + sum(len(arming.orders) for arming in armings)
    for arming in armings:
        at.desk.arm(arming)
    while len(at.venue.placed) + _unsent(at) + _given_back(at) < due:
        await at.drain()


def _given_back(at: ExecutionWorld) -> int:
    return sum(len(failed.intent_ids) for failed in at.failed)


def _unsent(at: ExecutionWorld) -> int:
    return sum(1 for m in at.of_kind(AttemptMoved) if m.state is AttemptState.NOT_SENT)


@on_loop
async def test_an_arming_that_does_not_fit_now_waits_as_a_whole() -> None:
    at = await _world()
    assert at.venue.rates is not None
    at.venue.rates.spend(ORDER.times(FITS - 3), START_MS)

    await _carry(at, _arm(range(4)))

    assert at.of_kind(Armed) == []
    assert [len(failed.intent_ids) for failed in at.failed] == [4]
    assert "rate budget" in at.failed[0].reason


@on_loop
async def test_an_arming_that_just_fits_is_sent_whole() -> None:
    at = await _world()
    assert at.venue.rates is not None
    at.venue.rates.spend(ORDER.times(FITS - 4), START_MS)

    await _carry(at, _arm(range(4)))

    assert (len(at.venue.placed), at.failed) == (4, [])


@on_loop
async def test_what_never_fits_at_once_goes_in_parts_and_the_engine_is_told_of_the_rest() -> None:
    at = await _world()
    count = 2 * FITS + 1

    await _carry(at, _arm(range(count)))

    (rest,) = at.failed
    sent = len(at.venue.placed)
    assert FITS / 2 <= sent <= FITS
    assert rest.intent_ids == tuple(_approved(n).order.intent_id for n in range(sent, count))
    assert _unsent(at) == 0


@on_loop
async def test_armings_of_the_same_moment_count_each_other() -> None:
    """Two bots decide on the same quote: none of the orders was sent when both ask for room."""
    at = await _world()

    await _carry(at, _arm(range(10)), _arm(range(100, 110)))

    assert len(at.of_kind(Armed)) == len(at.venue.placed) == 10
    assert [len(failed.intent_ids) for failed in at.failed] == [10]


@on_loop
async def test_room_that_was_kept_for_an_arming_that_failed_is_free_again() -> None:
    at = await _world()
    await _carry(at, _arm([0]))
    await _carry(at, _arm(range(10)))  # the first of them exists already: none is journaled
    at.failed.clear()

    await _carry(at, _arm(range(1, FITS)))

    assert (len(at.venue.placed), at.failed) == (FITS, [])


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
@on_loop
async def test_what_reduces_goes_when_there_is_no_room_for_the_entries_armed_with_it(
    places: tuple[int, int],
) -> None:
    at = await _world()
    assert at.venue.rates is not None
    at.venue.rates.spend(ORDER.times(FITS), START_MS)
    sell, buy = _approved(1, Side.SELL), _approved(2)

    await _carry(at, Arm(None, tuple((sell, buy)[place] for place in places)))

    assert [armed.intent_id for armed in at.of_kind(Armed)] == [sell.order.intent_id]
    assert len(at.venue.placed) == 1
    (failed,) = at.failed
    assert failed.intent_ids == (buy.order.intent_id,)
    assert "rate budget" in failed.reason


@on_loop
async def test_without_room_for_exits_none_of_them_is_armed() -> None:
    at = await _world()
    assert at.venue.rates is not None
    at.venue.rates.spend(ORDER.times(int(LIMIT * CEILING[Purpose.REDUCE])), START_MS)

    await _carry(at, Arm(None, (_approved(1, Side.SELL), _approved(2))))

    assert at.of_kind(Armed) == []
    assert [len(failed.intent_ids) for failed in at.failed] == [2]


@on_loop
async def test_an_arming_that_breaks_once_it_is_journaled_gives_its_room_back() -> None:
    """Else nothing goes where one order at a time may, or where there is room for no more."""
    at = await _world()

    def short_of_memory(point: str) -> None:
        if point == points.ARMED:
            raise MemoryError

    reach, at.desk._reach = at.desk._reach, short_of_memory
    at.desk.arm(_arm(range(FITS)))
    while not any(m.state is AttemptState.IN_DOUBT for m in at.of_kind(AttemptMoved)):
        await at.drain()
    at.desk._reach = reach
    for attempt in at.of_kind(Armed):
        dead = AttemptMoved(cid=attempt.cid, state=AttemptState.NEVER_EXECUTED)
        while not await at.books.move(dead):
            await at.drain()

    await _carry(at, _arm(range(FITS, 2 * FITS)))

    assert (len(at.venue.placed), at.failed) == (FITS, [])
