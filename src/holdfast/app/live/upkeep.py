"""What the leader of an account does now and then: commands, snapshots, comparisons, filters.

Lives here: one small loop each. Not here: anything on the path of an order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from holdfast.app.live.configuring.take import COMMANDS as CONFIGURING
from holdfast.app.live.configuring.take import LIMITS
from holdfast.app.live.follower import OutgrownError
from holdfast.app.live.opening import Stream
from holdfast.domain.event import Event, OperatorAsked
from holdfast.domain.instrument import TradingStatus
from holdfast.errors import RejectedError, RetryableError
from holdfast.execution.drift import Review
from holdfast.execution.reconcile import Reconciler
from holdfast.journal.commands import Command, Commands, Waiting
from holdfast.telemetry.log import get_logger

log = get_logger("app.upkeep")

COMPARE_S = 60.0
COMPARE_SOON_S = 3.0  # longer than an exchange takes to show in balances what it did
COMPARE_SLOWER = 1.5  # each time: what never settles may not use the limits up
INSTRUMENTS_S = 600.0
HALTED_S = 5.0  # once a market is halted: a halt may last for a moment only
HALTED_SLOWER = 1.5
INSTRUMENTS_AT_MOST_S = 30.0  # a storm of refusals is one reason to ask, not many
COMMANDS_S = 0.25
REVIEW_AGAIN_S = 2.0
SNAPSHOT_EVERY = 5000
SNAPSHOT_S = 1.0
SNAPSHOT_AT_MOST_S = 600.0
"""A bot that trades seldom writes few records, but its indicators move with every bar."""


Take = Callable[[OperatorAsked], Awaitable[None]]
"""Journals a command with what it comes to."""


class Upkeep:
    """The side tasks of one account.

    Args:
        take: steps the engine.
        learn_instruments: asks the exchange for its filters again.
        configure: takes a command that configures; the account may end with it.
        hear: takes a value of an external series that came as a command.
        merge_emergency: tells the journal what this host did without it.
    """

    def __init__(
        self,
        *,
        stream: Stream,
        commands: Commands,
        reconciler: Reconciler,
        take: Callable[[Event], None],
        learn_instruments: Callable[[], Awaitable[object]],
        configure: Take,
        hear: Take,
        merge_emergency: Callable[[], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._commands = commands
        self._reconciler = reconciler
        self._take = take
        self._learn_instruments = learn_instruments
        self._merge_emergency = merge_emergency
        # None of these is waited for: a halt that comes after them takes effect before they have.
        self._takes_time: Mapping[str, Take] = {
            "reconcile": self._review, "signal": hear, **dict.fromkeys(CONFIGURING, configure),
        }  # fmt: skip
        self._suspicion = asyncio.Event()

    def suspect_filters(self) -> None:
        """An order was refused: the filters we know may be old ones."""
        self._suspicion.set()

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """Each runs until cancelled."""
        return [
            self._take_commands(),
            self._keep(),
            self._compare(),
            self._merge(),
            self._refresh_instruments(),
        ]

    async def asked_before(self) -> list[OperatorAsked]:
        """What binds the first order, in order: a halt or a limit that was asked for when no node
        ran must not come after it.

        Raises:
            RetryableError: the store does not answer.
        """
        account = self._stream.account.account
        waiting = Waiting(self._commands, account, asyncio.get_running_loop().time)
        asked = map(_asked, await asyncio.to_thread(waiting.look))
        return [one for one in asked if one.name == LIMITS or one.name not in self._takes_time]

    async def _compare(self) -> None:
        """Money may move without a fill, and the stream may have missed it."""
        wait_s = soon_s = COMPARE_SOON_S  # a leader that is new looks at once
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self._reconciler.in_passing()
            except (RetryableError, RejectedError) as error:
                log.info("balances not compared", action="compare_wait", why=str(error))
            if self._reconciler.asks_again:
                wait_s, soon_s = soon_s, min(soon_s * COMPARE_SLOWER, COMPARE_S)
            else:
                wait_s, soon_s = COMPARE_S, COMPARE_SOON_S

    async def _merge(self) -> None:
        """The store was away, and somebody sold without it: whoever led through that learns it."""
        while True:
            try:
                await self._reconciler.sold_without_us()
                await self._merge_emergency()
            except (RetryableError, RejectedError) as error:
                log.info("emergency sale not booked", action="compare_wait", why=str(error))
                await asyncio.sleep(COMPARE_SOON_S)

    async def _refresh_instruments(self) -> None:
        """Filters and status change while trading goes on; orders must fit the present ones."""
        halted_s = HALTED_S
        while True:
            if not self._is_halted():  # else it has waited long enough
                with suppress(TimeoutError):
                    async with asyncio.timeout(INSTRUMENTS_S):  # wait_for may swallow a cancel
                        await self._suspicion.wait()
            self._suspicion.clear()
            try:
                await self._learn_instruments()
            except (RetryableError, RejectedError) as error:
                log.info("filters not refreshed", action="instruments_wait", why=str(error))
            is_halted = self._is_halted()
            await asyncio.sleep(halted_s if is_halted else INSTRUMENTS_AT_MOST_S)
            slower_s = min(halted_s * HALTED_SLOWER, INSTRUMENTS_AT_MOST_S)  # it may be for good
            halted_s = slower_s if is_halted else HALTED_S

    def _is_halted(self) -> bool:
        known = self._stream.account.instruments.values()
        return any(each.status is not TradingStatus.TRADING for each in known)

    async def _take_commands(self) -> None:
        """Operators' commands take effect where this writes them into the stream."""
        taken: set[str] = set()
        async with asyncio.TaskGroup() as reviews:
            await self._take_each(taken, reviews)

    async def _take_each(self, taken: set[str], reviews: asyncio.TaskGroup) -> None:
        clock_s = asyncio.get_running_loop().time
        waiting = Waiting(self._commands, self._stream.account.account, clock_s)
        while True:
            await asyncio.sleep(COMMANDS_S)
            try:
                pending = await asyncio.to_thread(waiting.look)
            except RetryableError as error:
                log.warning("no commands read", action="commands_wait", why=str(error))
                continue
            taken &= {command.command_id for command in pending}  # the others are in the stream
            for command in pending:
                if command.command_id not in taken:
                    taken.add(command.command_id)
                    asked = _asked(command)
                    take = self._takes_time.get(command.name)
                    if take is not None:
                        reviews.create_task(self._beside(take, asked, taken))
                    else:
                        self._take(asked)

    async def _beside(self, take: Take, asked: OperatorAsked, taken: set[str]) -> None:
        """What the exchange does not answer now is asked for again at the next look."""
        try:
            await take(asked)
        except OutgrownError:
            raise  # it took effect
        except (RetryableError, RejectedError) as error:
            log.warning(
                "not taken yet", action="command_wait", what=asked.name, command=asked.command_id,
                why=str(error),
            )  # fmt: skip
            await asyncio.sleep(REVIEW_AGAIN_S)
            taken.discard(asked.command_id)

    async def _review(self, asked: OperatorAsked) -> None:
        told = asked.arguments
        await self._reconciler.review(
            Review(
                command_id=asked.command_id,
                by=asked.by,
                reason=told.get("reason", ""),
                assets=frozenset(filter(None, told.get("adjust", "").split(","))),
                bot=told.get("bot", ""),
            )
        )

    async def _keep(self) -> None:
        """Snapshots and the high-water mark follow the stream."""
        stream, loop = self._stream, asyncio.get_running_loop()
        saved_s, marked = loop.time(), None
        while True:
            await asyncio.sleep(SNAPSHOT_S)
            try:
                if (head := stream.writer.head) != marked:  # else no thread is woken
                    is_marked = await asyncio.to_thread(stream.high_water.write, head)
                    marked = head if is_marked else marked
                grown = stream.account.seq - stream.saved_seq >= SNAPSHOT_EVERY
                if grown or loop.time() - saved_s >= SNAPSHOT_AT_MOST_S:
                    await stream.save()
                    saved_s = loop.time()
            except RetryableError as error:
                log.warning("not kept", action="keep_wait", why=str(error))


def _asked(command: Command) -> OperatorAsked:
    arguments = msgspec.json.decode(command.arguments or "{}", type=dict[str, str])
    return OperatorAsked(command.command_id, command.name, command.by, arguments)
