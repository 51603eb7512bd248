"""What every venue adapter must do, numbered; a second venue subclasses this and provides a stage.

The numbers are those of `docs/venue-acceptance.md`. Not here: the stage (venue_stage), anything
that knows a dialect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.domain.order import OrderState, Side
from holdfast.errors import RejectedError, RetryableError
from holdfast.venues.port import Answer, OrderReport, Purpose, StreamDown, StreamUp
from tests.support.venue_stage import (
    EXECUTED_UNHEARD,
    LOST_UNHEARD,
    ROOMY_MS,
    SYMBOL,
    OpenStage,
    Stage,
    cancellation,
    next_event,
    place,
    placement,
    spec,
    window_under,
)


class VenueContract:
    """The acceptance list; subclass it, name the class `Test…`, and set `open_stage`."""

    open_stage: OpenStage

    def run(self, act: Callable[[Stage], Awaitable[None]]) -> None:
        """Run `act` on a fresh stage."""

        async def scenario() -> None:
            async with self.open_stage() as stage:
                try:
                    await act(stage)
                finally:
                    await stage.venue.close()

        asyncio.run(scenario())

    def test_v01_a_filled_order_is_acked_with_every_fill_and_fee(self) -> None:
        async def act(stage: Stage) -> None:
            verdict = await place(stage.venue, "order-1", spec(quantity="1.5"))
            assert verdict.answer is Answer.ACKED
            report = verdict.report
            assert report is not None
            assert (report.cid, report.state) == ("order-1", OrderState.FILLED)
            assert report.executed == Decimal("1.5") == sum(f.quantity for f in report.fills)
            assert len({fill.trade_id for fill in report.fills}) == len(report.fills) > 1
            assert all(fill.fee > 0 and fill.fee_asset and fill.at_ns for fill in report.fills)

        self.run(act)

    def test_v02_a_resting_order_is_found_by_its_id_and_among_the_open_ones(self) -> None:
        async def act(stage: Stage) -> None:
            verdict = await place(stage.venue, "rest-1", spec(price="50000"))
            assert verdict.report is not None
            assert verdict.report.state is OrderState.NEW
            found = await stage.venue.order(SYMBOL, "rest-1", Purpose.RESOLVE)
            assert found is not None
            assert (found.order_id, found.price) == (verdict.report.order_id, Decimal(50000))
            listed = await stage.venue.open_orders(SYMBOL, Purpose.RESOLVE)
            assert [(each.cid, each.side) for each in listed] == [("rest-1", Side.BUY)]

        self.run(act)

    def test_v03_a_cancel_answers_with_the_final_report_under_the_orders_own_id(self) -> None:
        async def act(stage: Stage) -> None:
            await place(stage.venue, "rest-1", spec(price="50000"))
            verdict = await stage.venue.cancel(cancellation("rest-1"))
            assert verdict.answer is Answer.ACKED
            assert verdict.report is not None
            assert (verdict.report.cid, verdict.report.state) == ("rest-1", OrderState.CANCELLED)
            found = await stage.venue.order(SYMBOL, "rest-1", Purpose.RESOLVE)
            assert found is not None
            assert (found.cid, found.state) == ("rest-1", OrderState.CANCELLED)

        self.run(act)

    def test_v04_a_cancel_of_what_is_not_open_is_absent(self) -> None:
        async def act(stage: Stage) -> None:
            await place(stage.venue, "done-1", spec())
            for target in ("done-1", "never-1"):
                assert (await stage.venue.cancel(cancellation(target))).answer is Answer.ABSENT

        self.run(act)

    def test_v05_an_order_that_nobody_placed_is_none(self) -> None:
        async def act(stage: Stage) -> None:
            assert await stage.venue.order(SYMBOL, "never-1", Purpose.RESOLVE) is None

        self.run(act)

    def test_v06_the_id_of_an_open_order_again_says_that_it_exists(self) -> None:
        async def act(stage: Stage) -> None:
            await place(stage.venue, "rest-1", spec(price="50000"))
            verdict = await place(stage.venue, "rest-1", spec(price="50000"))
            assert verdict.answer is Answer.EXISTS
            assert len(await stage.venue.open_orders(SYMBOL, Purpose.RESOLVE)) == 1

        self.run(act)

    def test_v07_a_refusal_that_depends_on_the_moment_is_provisional(self) -> None:
        async def act(stage: Stage) -> None:
            too_much = await place(stage.venue, "poor-1", spec(quantity="5"))
            too_late = await place(stage.venue, "late-1", spec(), age_ms=2 * ROOMY_MS)
            for verdict in (too_much, too_late):
                assert (verdict.answer, verdict.final) == (Answer.REJECTED, False)

        self.run(act)

    def test_v08_a_refusal_of_the_bytes_themselves_is_final(self) -> None:
        async def act(stage: Stage) -> None:
            verdict = await place(stage.venue, "an id that no exchange takes!", spec())
            assert (verdict.answer, verdict.final) == (Answer.REJECTED, True)

        self.run(act)

    @pytest.mark.parametrize(("kind", "params"), EXECUTED_UNHEARD)
    def test_v09_an_executed_order_without_a_good_reply_is_unknown(
        self, kind: str, params: dict[str, Any]
    ) -> None:
        async def act(stage: Stage) -> None:
            await stage.venue.time()  # a warm connection, as in trade
            stage.fault(kind, method="POST", **params)
            verdict = await place(
                stage.venue, "doubt-1", spec(price="50000"), window_ms=window_under(kind)
            )
            assert verdict.answer is Answer.UNKNOWN
            assert verdict.evidence
            stage.lift()
            assert await stage.venue.order(SYMBOL, "doubt-1", Purpose.RESOLVE) is not None

        self.run(act)

    @pytest.mark.parametrize(("kind", "params"), LOST_UNHEARD)
    def test_v10_a_lost_order_without_a_good_reply_is_unknown(
        self, kind: str, params: dict[str, Any]
    ) -> None:
        async def act(stage: Stage) -> None:
            await stage.venue.time()  # a warm connection, as in trade
            stage.fault(kind, method="POST", **params)
            verdict = await place(
                stage.venue, "doubt-1", spec(price="50000"), window_ms=window_under(kind)
            )
            assert verdict.answer is Answer.UNKNOWN
            stage.lift()
            assert await stage.venue.order(SYMBOL, "doubt-1", Purpose.RESOLVE) is None

        self.run(act)

    def test_v11_the_first_byte_hook_runs_once_for_an_order(self) -> None:
        async def act(stage: Stage) -> None:
            calls: list[int] = []
            await stage.venue.place(placement("order-1", spec()), lambda: calls.append(1))
            assert calls == [1]

        self.run(act)

    def test_v12_an_exchange_that_nobody_listens_at_proves_not_sent(self) -> None:
        async def act(stage: Stage) -> None:
            await stage.stop()
            calls: list[int] = []
            verdict = await stage.venue.place(
                placement("order-1", spec()), lambda: calls.append(1)
            )
            assert (verdict.answer, calls) == (Answer.NOT_SENT, [])

        self.run(act)

    def test_v13_fills_come_in_order_and_from_an_id_on(self) -> None:
        async def act(stage: Stage) -> None:
            for number in range(3):
                await place(stage.venue, f"order-{number}", spec(Side.SELL))
            fills = await stage.venue.fills(SYMBOL, Purpose.RESOLVE)
            ids = [int(fill.trade_id) for fill in fills]
            assert ids == sorted(ids)
            assert [fill.side for fill in fills] == [Side.SELL] * 3
            rest = await stage.venue.fills(
                SYMBOL, Purpose.RESOLVE, from_trade_id=fills[1].trade_id
            )
            assert rest == fills[1:]
            later = fills[-1].at_ns // 1_000_000 + 1
            assert await stage.venue.fills(SYMBOL, Purpose.RESOLVE, since_ms=later) == []

        self.run(act)

    def test_v14_a_reply_and_the_trade_list_agree_on_each_fill(self) -> None:
        async def act(stage: Stage) -> None:
            verdict = await place(stage.venue, "order-1", spec(quantity="1.5"))
            assert verdict.report is not None
            listed = await stage.venue.fills(SYMBOL, Purpose.RESOLVE)
            assert [
                (f.trade_id, f.quantity, f.price, f.fee, f.fee_asset) for f in listed
            ] == [
                (f.trade_id, f.quantity, f.price, f.fee, f.fee_asset)
                for f in verdict.report.fills
            ]

        self.run(act)

    def test_v15_balances_show_what_is_held_and_nothing_that_is_zero(self) -> None:
        async def act(stage: Stage) -> None:
            await place(stage.venue, "rest-1", spec(price="50000"))
            balances = await stage.venue.balances(Purpose.RESOLVE)
            assert balances["USDT"].locked == Decimal(500)
            assert balances["USDT"].free == Decimal(99500)
            assert all(held.free or held.locked for held in balances.values())

        self.run(act)

    def test_v16_instruments_carry_the_grid_that_orders_are_judged_by(self) -> None:
        async def act(stage: Stage) -> None:
            listed = {each.symbol: each for each in await stage.venue.instruments()}
            market = listed[SYMBOL]
            assert (market.base, market.quote) == ("BTC", "USDT")
            assert market.price_tick > 0
            assert market.quantity_step > 0
            assert market.min_notional > 0

        self.run(act)

    def test_v17_the_clock_is_read_between_question_and_answer(self) -> None:
        async def act(stage: Stage) -> None:
            before = time.monotonic_ns()
            sample = await stage.venue.time()
            assert before <= sample.sent_ns <= sample.received_ns <= time.monotonic_ns()
            assert abs(sample.server_ms - time.time_ns() // 1_000_000) < 60_000

        self.run(act)

    def test_v18_the_stream_starts_with_up_and_tells_an_orders_life(self) -> None:
        async def act(stage: Stage) -> None:
            await stage.venue.instruments()
            events = stage.venue.events()
            await next_event(events, lambda event: isinstance(event, StreamUp))
            await place(stage.venue, "rest-1", spec(price="50000"))
            await stage.venue.cancel(cancellation("rest-1"))
            await place(stage.venue, "order-1", spec())
            told: list[OrderReport] = []
            while not told or told[-1].state is not OrderState.FILLED:
                event = await next_event(events, lambda event: isinstance(event, OrderReport))
                assert isinstance(event, OrderReport)
                told.append(event)
            assert {report.symbol for report in told} == {SYMBOL}
            assert [(report.cid, report.state) for report in told] == [
                ("rest-1", OrderState.NEW),
                ("rest-1", OrderState.CANCELLED),
                ("order-1", OrderState.NEW),
                ("order-1", OrderState.FILLED),
            ]
            listed = await stage.venue.fills(SYMBOL, Purpose.RESOLVE)
            assert [fill.trade_id for fill in told[-1].fills] == [f.trade_id for f in listed]

        self.run(act)

    def test_v19_a_broken_stream_says_down_and_comes_back_up(self) -> None:
        async def act(stage: Stage) -> None:
            events = stage.venue.events()
            await next_event(events, lambda event: isinstance(event, StreamUp))
            stage.cut_streams()
            await next_event(events, lambda event: isinstance(event, StreamDown))
            await next_event(events, lambda event: isinstance(event, StreamUp))

        self.run(act)

    def test_v20_orders_by_hand_are_seen_too(self) -> None:
        async def act(stage: Stage) -> None:
            await stage.place_by_hand(Side.SELL, Decimal(70000), Decimal("0.5"))
            listed = await stage.venue.open_orders(SYMBOL, Purpose.RESOLVE)
            assert [(each.side, each.quantity) for each in listed] == [(Side.SELL, Decimal("0.5"))]

        self.run(act)

    @pytest.mark.parametrize(
        ("kind", "params"),
        [
            ("reset", {}),
            ("garbage_json", {}),
            ("truncate_body", {}),
            ("http_status", {"status": 502}),
            ("error_code", {"code": -1003, "status": 429}),
            ("error_code", {"code": -1021, "status": 400}),
        ],
    )
    def test_v21_a_question_without_a_usable_answer_is_retryable(
        self, kind: str, params: dict[str, Any]
    ) -> None:
        async def act(stage: Stage) -> None:
            await stage.venue.time()
            stage.fault(kind, method="GET", **params)
            with pytest.raises(RetryableError):
                await stage.venue.order(SYMBOL, "any-1", Purpose.RESOLVE)

        self.run(act)

    def test_v22_a_revoked_key_is_a_refusal_and_no_doubt(self) -> None:
        async def act(stage: Stage) -> None:
            stage.fault("revoke_key")
            with pytest.raises(RejectedError):
                await stage.venue.balances(Purpose.RESOLVE)
            verdict = await place(stage.venue, "order-1", spec())
            assert (verdict.answer, verdict.final) == (Answer.REJECTED, False)

        self.run(act)

    def test_v23_after_being_told_to_stay_away_nothing_is_sent(self) -> None:
        async def act(stage: Stage) -> None:
            await stage.venue.time()
            assert stage.venue.delay_s(Purpose.CANCEL) == 0
            stage.fault("rate_limit", retry_after_s=1000)
            with pytest.raises(RetryableError):
                await stage.venue.balances(Purpose.RESOLVE)
            assert 900 < stage.venue.delay_s(Purpose.CANCEL) <= 1000
            stage.lift()
            verdict = await place(stage.venue, "order-1", spec())
            assert verdict.answer is Answer.NOT_SENT

        self.run(act)

    def test_v24_a_duplicated_request_is_answered_by_one_verdict_and_stays_findable(self) -> None:
        async def act(stage: Stage) -> None:
            stage.fault("duplicate_request", method="POST", reply="second")
            verdict = await place(stage.venue, "twice-1", spec(price="50000"))
            assert verdict.answer is Answer.EXISTS
            assert await stage.venue.order(SYMBOL, "twice-1", Purpose.RESOLVE) is not None

        self.run(act)

    def test_v25_closing_twice_is_closing_once(self) -> None:
        async def act(stage: Stage) -> None:
            await stage.venue.time()
            await stage.venue.close()
            await stage.venue.close()

        self.run(act)

    def test_v26_a_cancel_by_the_exchange_s_id_ends_that_order_and_no_other(self) -> None:
        async def act(stage: Stage) -> None:
            filled = await place(stage.venue, "same-1", spec())
            resting = await place(stage.venue, "same-1", spec(price="50000"))
            assert filled.report is not None
            assert resting.report is not None
            by_id = cancellation("same-1")
            gone = msgspec.structs.replace(by_id, order_id=filled.report.order_id)
            assert (await stage.venue.cancel(gone)).answer is Answer.ABSENT
            assert len(await stage.venue.open_orders(SYMBOL, Purpose.RESOLVE)) == 1

            wanted = msgspec.structs.replace(by_id, order_id=resting.report.order_id)
            verdict = await stage.venue.cancel(wanted)

            assert verdict.answer is Answer.ACKED
            assert verdict.report is not None
            assert verdict.report.order_id == resting.report.order_id
            assert verdict.report.cid == "same-1"

        self.run(act)

    def test_v27_an_order_is_found_by_the_exchange_s_id_although_another_has_its_name(self) -> None:
        async def act(stage: Stage) -> None:
            filled = await place(stage.venue, "same-1", spec())
            await place(stage.venue, "same-1", spec(price="50000"))
            assert filled.report is not None

            found = await stage.venue.order_by_id(SYMBOL, filled.report.order_id, Purpose.RESOLVE)

            assert found is not None
            assert (found.cid, found.state) == ("same-1", OrderState.FILLED)
            assert await stage.venue.order_by_id(SYMBOL, "999999", Purpose.RESOLVE) is None

        self.run(act)

    def test_v28_of_the_markets_asked_for_only_those_are_told(self) -> None:
        async def act(stage: Stage) -> None:
            (found,) = await stage.venue.instruments([SYMBOL])
            assert found in await stage.venue.instruments()

        self.run(act)

    def test_v29_all_markets_are_told_when_one_asked_for_is_not_listed(self) -> None:
        async def act(stage: Stage) -> None:
            everything = await stage.venue.instruments()
            for unknown in ("BTC/NOPE", "btc/usdt"):
                assert await stage.venue.instruments([SYMBOL, unknown]) == everything

        self.run(act)

    def test_v30_orders_come_by_their_ids_the_newest_from_one_on_or_since_a_time(self) -> None:
        async def act(stage: Stage) -> None:
            filled = await place(stage.venue, "first-1", spec())
            resting = await place(stage.venue, "second-1", spec(price="50000"))
            assert filled.report is not None
            assert resting.report is not None
            newest = await stage.venue.all_orders(SYMBOL, Purpose.RESOLVE)
            assert [(each.cid, each.state, each.order_id) for each in newest] == [
                ("first-1", OrderState.FILLED, filled.report.order_id),
                ("second-1", OrderState.NEW, resting.report.order_id),
            ]
            from_second = await stage.venue.all_orders(
                SYMBOL, Purpose.RESOLVE, from_order_id=resting.report.order_id
            )
            assert from_second == newest[1:]
            first_ms = newest[0].placed_ns // 1_000_000
            assert first_ms > 0
            for since_ms, expected in ((first_ms, newest), (first_ms + 3_600_000, [])):
                found = await stage.venue.all_orders(SYMBOL, Purpose.RESOLVE, since_ms=since_ms)
                assert found == expected

        self.run(act)
