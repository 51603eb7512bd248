"""What is Binance's own in the adapter: clocks, budgets, timeouts and the words it sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side
from holdfast.errors import RetryableError
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.exchange.limits import Limits
from holdfast.exchange.server import Running
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints, Patience
from holdfast.venues.binance.signing import Key
from holdfast.venues.budget import Cost
from holdfast.venues.port import (
    Answer,
    Cancellation,
    MaintenanceError,
    OrderReport,
    Placement,
    Purpose,
    StreamDown,
    StreamUp,
    ThrottledError,
    UnaskedError,
    VenueEvent,
)
from tests.support.exchange import Client, Clock, local_exchange
from tests.support.raw_server import Conversation, raw_server
from tests.support.waiting import PATIENCE_S, until

KEY = Key("k" * 64, "s" * 64)
ROOMY_MS = 20_000  # of a window whose end is not the point


@asynccontextmanager
async def trading(
    limits: Limits | None = None, share: float = 1.0
) -> AsyncIterator[tuple[BinanceVenue, Running, Client]]:
    """The adapter on a local exchange."""
    async with local_exchange(limits=limits) as (running, client):
        venue = BinanceVenue(
            Key(client.api_key, client.secret),
            Endpoints(rest_url=running.url, ws_api_url=running.ws_api_url),
            share=share,
        )
        try:
            yield venue, running, client
        finally:
            await venue.close()


def market_order(
    cid: str, *, window_ms: int = ROOMY_MS, at_ns: int = 0, price: Decimal | None = None
) -> Placement:
    """At the market, or a limit order at `price`."""
    spec = OrderSpec(
        symbol="BTC/USDT",
        side=Side.BUY,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal("0.01"),
        price=price,
    )
    at_ms = (at_ns or time.time_ns()) // 1_000_000
    return Placement(cid, spec, at_ms, window_ms, Purpose.ENTER)


def requests_seen(running: Running, method: str) -> int:
    return len([each for each in running.desk.gateway.requests if each.method == method])


def test_the_signed_deadline_is_the_callers_to_the_millisecond() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            placement = market_order("deadline1")
            await venue.place(placement, lambda: None)
            (seen,) = running.desk.gateway.requests
            assert seen.params["timestamp"] == str(placement.timestamp_ms)
            assert seen.params["recvWindow"] == str(ROOMY_MS)
            assert seen.params["newClientOrderId"] == "deadline1"

    asyncio.run(scenario())


def test_an_order_is_one_request_whatever_comes_back() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            faults: list[tuple[FaultKind, dict[str, Any]]] = [
                (FaultKind.RESET, {"when": "after"}),
                (FaultKind.TRUNCATE_BODY, {}),
                (FaultKind.HTTP_STATUS, {"status": 503, "executed": True}),
                (FaultKind.HTTP_STATUS, {"status": 307, "executed": True}),
            ]
            for number, (kind, params) in enumerate(faults, start=1):
                running.desk.admin.inject(
                    Fault(kind, Match(path="/api/v3/order"), count=1, params=params)
                )
                verdict = await venue.place(market_order(f"once{number}"), lambda: None)
                assert verdict.answer is Answer.UNKNOWN
                assert requests_seen(running, "POST") == number

    asyncio.run(scenario())


def test_a_cancel_is_one_request_even_on_a_connection_gone_stale() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            await venue.time()  # a kept-alive connection
            running.desk.admin.inject(
                Fault(FaultKind.RESET, Match(method="DELETE"), count=1, params={"when": "after"})
            )
            cancel = Cancellation("c1", "none1", "BTC/USDT", time.time_ns() // 1_000_000, ROOMY_MS)
            assert (await venue.cancel(cancel)).answer is Answer.UNKNOWN
            assert requests_seen(running, "DELETE") == 1

    asyncio.run(scenario())


def test_no_reply_is_waited_for_longer_than_the_window_and_its_margin() -> None:
    async def scenario() -> None:
        async def tells_the_time_and_no_more(conversation: Conversation) -> None:
            await conversation.request()
            await conversation.reply(b'{"serverTime":1}')
            await conversation.request()
            await asyncio.sleep(10 * PATIENCE_S)

        async with raw_server(tells_the_time_and_no_more) as heard:
            venue = BinanceVenue(
                KEY, Endpoints(rest_url=heard.url), patience=Patience(reply_margin_s=0.1)
            )
            await venue.time()  # a connection: a slow handshake would be NOT_SENT
            started = time.monotonic()
            verdict = await venue.place(market_order("slow1", window_ms=500), lambda: None)
            waited_s = time.monotonic() - started
            await venue.close()
            assert (verdict.answer, verdict.code) == (Answer.UNKNOWN, "TimeoutError")
            assert 0.6 <= waited_s < PATIENCE_S

    asyncio.run(scenario())


def test_a_question_is_stamped_with_the_exchanges_time_and_not_with_ours() -> None:
    async def scenario() -> None:
        async with trading() as (_, running, client):
            wrong = BinanceVenue(
                Key(client.api_key, client.secret),
                Endpoints(rest_url=running.url),
                wall_ns=lambda: 0,
            )
            assert await wrong.open_orders("BTC/USDT", Purpose.RESOLVE) == []
            await wrong.close()

    asyncio.run(scenario())


def test_after_being_told_that_it_is_late_the_clock_is_read_again() -> None:
    async def scenario() -> None:
        async with local_exchange() as (running, client):
            leap_ns = 0
            venue = BinanceVenue(
                Key(client.api_key, client.secret),
                Endpoints(rest_url=running.url),
                mono_ns=lambda: time.monotonic_ns() + leap_ns,
            )
            await venue.time()
            leap_ns = 20 * 10**9  # less than would make the sample too old
            with pytest.raises(RetryableError, match="-1021"):
                await venue.balances(Purpose.RESOLVE)
            assert (await venue.balances(Purpose.RESOLVE))["BTC"].free == 10
            await venue.close()

    asyncio.run(scenario())


@asynccontextmanager
async def few_orders() -> AsyncIterator[tuple[BinanceVenue, Running, Clock]]:
    """A venue that takes eight unfilled orders in ten seconds, on a clock that stands still."""
    limits = Limits(weight_per_minute=100_000, orders_per_10s=8)
    clock = Clock()
    async with local_exchange(limits=limits, now_ns=clock) as (running, client):
        venue = BinanceVenue(
            Key(client.api_key, client.secret),
            Endpoints(rest_url=running.url),
            mono_ns=lambda: 0,
            wall_ns=clock,
        )
        await venue.time()
        await venue.instruments()
        yield venue, running, clock
        await venue.close()


async def answers_to(
    venue: BinanceVenue, clock: Clock, count: int, price: Decimal | None
) -> list[Answer]:
    orders = [market_order(f"many{n}", at_ns=clock.ns, price=price) for n in range(count)]
    return [(await venue.place(order, lambda: None)).answer for order in orders]


def test_the_exchanges_own_limits_are_never_broken_by_us() -> None:
    async def scenario() -> None:
        async with few_orders() as (venue, running, clock):
            answers = await answers_to(venue, clock, 20, Decimal(50_000))
            # Up to three quarters of the window's eight.
            assert answers == [Answer.ACKED] * 6 + [Answer.NOT_SENT] * 14
            assert venue.delay_s(Purpose.ENTER) > 0
            assert venue.delay_s(Purpose.CANCEL) == 0
            assert all(each.status != 429 for each in running.desk.gateway.requests)

    asyncio.run(scenario())


def test_limits_beyond_the_assumed_ones_are_learned_when_those_are_used_up_for_reading() -> None:
    """A process that begins while others ask from its address knows the documented limits only."""

    async def scenario() -> None:
        clock = Clock()
        async with local_exchange(
            limits=Limits(weight_per_minute=60_000), now_ns=clock
        ) as (running, client):
            key = Key(client.api_key, client.secret)
            other, beginning = [
                BinanceVenue(
                    key, Endpoints(rest_url=running.url), mono_ns=lambda: 0, wall_ns=clock
                )
                for _ in range(2)
            ]
            await other.time()
            await other.instruments()
            for _ in range(220):  # of weight 20 each, within a minute that does not end
                await other.balances(Purpose.READ)
            await beginning.time()
            with pytest.raises(ThrottledError):
                await beginning.balances(Purpose.READ)
            await beginning.instruments(("BTC/USDT",))
            assert (await beginning.balances(Purpose.READ))["BTC"].free == 10
            await other.close()
            await beginning.close()

    asyncio.run(scenario())


def use_up(venue: BinanceVenue, purpose: Purpose) -> None:
    """Leave no room at all for a purpose, until its window ends."""
    while venue.gate.pass_through(purpose, Cost(weight=1)) == 0:
        pass


def test_the_time_is_told_although_questions_have_used_up_their_room() -> None:
    """Without it no order could be signed half a minute later, an exit neither."""

    async def scenario() -> None:
        async with few_orders() as (venue, _, clock):
            use_up(venue, Purpose.REDUCE)
            with pytest.raises(UnaskedError):
                await venue.balances(Purpose.RESOLVE)
            assert (await venue.time()).server_ms == clock.ns // 10**6

    asyncio.run(scenario())


def test_a_question_that_there_was_no_room_for_is_told_from_one_that_is_not_wanted() -> None:
    async def scenario() -> None:
        async with few_orders() as (venue, _, _clock):
            use_up(venue, Purpose.CANCEL)
            with pytest.raises(UnaskedError):
                await venue.time()
            venue.gate.refused(418, 60)
            with pytest.raises(ThrottledError) as caught:
                await venue.time()
            assert not isinstance(caught.value, UnaskedError)

    asyncio.run(scenario())


def test_orders_that_fill_do_not_count_against_the_limit_of_orders() -> None:
    async def scenario() -> None:
        async with few_orders() as (venue, running, clock):
            assert await answers_to(venue, clock, 20, None) == [Answer.ACKED] * 20
            assert all(each.status != 429 for each in running.desk.gateway.requests)

    asyncio.run(scenario())


def test_a_query_that_shows_the_cancels_id_is_given_under_the_orders() -> None:
    async def scenario() -> None:
        async def shows_the_cancels_id(conversation: Conversation) -> None:
            while line := await conversation.request():
                row = {
                    "symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "the-cancels",
                    "side": "BUY", "status": "CANCELED", "origQty": "1", "executedQty": "0",
                    "price": "7",
                } if "order" in line else {"serverTime": 1}  # fmt: skip
                await conversation.reply(msgspec.json.encode(row))

        async with raw_server(shows_the_cancels_id) as heard:
            venue = BinanceVenue(KEY, Endpoints(rest_url=heard.url))
            report = await venue.order("BTC/USDT", "order1", Purpose.RESOLVE)
            await venue.close()
            assert report is not None
            assert (report.cid, report.state) == ("order1", OrderState.CANCELLED)

    asyncio.run(scenario())


def test_a_query_answered_with_another_live_order_is_no_answer() -> None:
    async def scenario() -> None:
        async def another(conversation: Conversation) -> None:
            while line := await conversation.request():
                row = {
                    "symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "somebody-else",
                    "side": "BUY", "status": "NEW", "origQty": "1", "executedQty": "0",
                    "price": "7",
                } if "order" in line else {"serverTime": 1}  # fmt: skip
                await conversation.reply(msgspec.json.encode(row))

        async with raw_server(another) as heard:
            venue = BinanceVenue(KEY, Endpoints(rest_url=heard.url))
            with pytest.raises(RetryableError, match="somebody-else"):
                await venue.order("BTC/USDT", "order1", Purpose.RESOLVE)
            await venue.close()

    asyncio.run(scenario())


def test_no_stream_knocks_while_the_exchange_has_told_us_to_stay_away() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            running.desk.admin.inject(Fault(FaultKind.BAN, params={"for_s": 100}))
            with pytest.raises(RetryableError):
                await venue.time()
            running.desk.gateway.incidents.end_all()
            event = await anext(venue.events())
            assert isinstance(event, StreamDown)
            assert "no rate budget" in event.reason

    asyncio.run(scenario())


def test_an_order_on_a_market_that_nobody_asked_for_is_told_under_its_unified_name() -> None:
    async def scenario() -> None:
        async with trading() as (venue, _, client):
            await venue.instruments(("ETH/USDT",))
            events = venue.events()
            assert isinstance(await anext(events), StreamUp)
            await client.order(newClientOrderId="by-hand")
            async with asyncio.timeout(PATIENCE_S):
                told = [event async for event in _until_filled(events)]
            assert {report.symbol for report in told} == {"BTC/USDT"}
            assert [fill.symbol for fill in told[-1].fills] == ["BTC/USDT"]

    asyncio.run(scenario())


async def _until_filled(events: AsyncIterator[VenueEvent]) -> AsyncIterator[OrderReport]:
    async for event in events:
        if isinstance(event, OrderReport):
            yield event
            if event.state is OrderState.FILLED:
                return


def test_orders_do_not_queue_behind_questions() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            await venue.time()
            running.desk.admin.inject(
                Fault(FaultKind.DELAY_REPLY, Match(method="GET"), params={"delay_ms": 20_000})
            )
            questions = [
                asyncio.create_task(venue.open_orders("BTC/USDT", Purpose.RESOLVE))
                for _ in range(80)  # more than one session has connections
            ]
            await until(lambda: requests_seen(running, "GET") >= 64, "questions that wait")
            verdict = await venue.place(market_order("ahead1"), lambda: None)
            assert verdict.answer is Answer.ACKED
            assert not any(question.done() for question in questions)
            for question in questions:
                question.cancel()
            await asyncio.gather(*questions, return_exceptions=True)

    asyncio.run(scenario())


def test_maintenance_is_told_apart_from_failures_by_orders_and_by_questions() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            await venue.time()
            running.desk.admin.inject(Fault(FaultKind.MAINTENANCE))
            verdict = await venue.place(market_order("closed1"), lambda: None)
            assert (verdict.answer, verdict.in_maintenance) == (Answer.UNKNOWN, True)
            with pytest.raises(MaintenanceError):
                await venue.open_orders("BTC/USDT", Purpose.RESOLVE)
            with pytest.raises(MaintenanceError):
                await venue.time()

    asyncio.run(scenario())


def test_our_own_rate_budget_and_a_ban_are_told_apart_from_failures() -> None:
    async def scenario() -> None:
        async with trading() as (venue, running, _):
            await venue.time()
            running.desk.admin.inject(Fault(FaultKind.BAN, params={"for_s": 100}))
            first = await venue.place(market_order("banned1"), lambda: None)
            assert (first.answer, first.is_throttled) == (Answer.REJECTED, True)
            second = await venue.place(market_order("banned2"), lambda: None)
            assert (second.answer, second.is_throttled) == (Answer.NOT_SENT, True)
            with pytest.raises(ThrottledError):
                await venue.balances(Purpose.RESOLVE)

    asyncio.run(scenario())
