"""One account, led: the journal's writer, execution and the exchange joined in one event loop.

Lives here: the wiring, and the order of start and stop. Not here: what a leader goes on with
(follower), the process around it (node), the rules of any part.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial

import msgspec

from holdfast.app.live.bots import all_derived, symbols_of
from holdfast.app.live.configuring.take import LIMITS, Configurator
from holdfast.app.live.emergency import merge_emergency
from holdfast.app.live.fact_log import FactLog
from holdfast.app.live.follower import Follower, following
from holdfast.app.live.journal_watch import JournalWatch
from holdfast.app.live.keys import refused
from holdfast.app.live.observers import Observers
from holdfast.app.live.opening import Stream
from holdfast.app.live.owner_watch import hold
from holdfast.app.live.signals import Signals
from holdfast.app.live.tracing import order_traces
from holdfast.app.live.upkeep import Upkeep
from holdfast.app.live.watch import Watch
from holdfast.config import Config
from holdfast.domain.action import Action, Arm, CancelOrder
from holdfast.domain.event import ArmFailed, Committed, Ticked
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStopped,
    CancelArmed,
    Filled,
    InstrumentChanged,
    OrderMoved,
    Rested,
)
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.market import NS_PER_S
from holdfast.domain.order import AttemptState
from holdfast.engine.commands import take_command
from holdfast.errors import ConfigError, FencedError, PlatformError, RejectedError
from holdfast.execution.attempts import Identity
from holdfast.execution.books import Books
from holdfast.execution.breaker import Breakers
from holdfast.execution.desk import Desk
from holdfast.execution.guarded import GuardedVenue
from holdfast.execution.points import Reach, pass_by
from holdfast.execution.reconcile import Reconciler
from holdfast.execution.recorder import Recorder
from holdfast.execution.resolve import Resolver
from holdfast.execution.sweep import Sweep
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import ListReport, MoneyMoved, OrderReport, StreamUp, VenueEvent

log = get_logger("app.trader")

STOP_TIMEOUT_S = 2.0


def always() -> bool:
    """Who trades without a lease may always go on."""
    return True


def nothing() -> None:
    """Nobody waits for its turn."""


class Trader:
    """A running account. Made by `leading`, which also ends it."""

    def __init__(
        self, follower: Follower, stream: Stream, reach: Reach, may_lead: Callable[[], bool]
    ) -> None:
        config = follower.config
        self.config, self.follower, self.stream = config, follower, stream
        self.account = stream.account
        self.engine = follower.engine
        self.bots = follower.bots
        self.clock = follower.clock
        self.breakers = Breakers(
            config.account.venue.kind, self.account, time.monotonic_ns, self._note
        )
        self.venue = GuardedVenue(follower.venue, self.breakers)
        told = FactLog(self.account, follower.strategy_of)
        self.observers = Observers(told, follower.counts, *order_traces(self.account))
        self.commands = stream.database.commands()
        self._stepping = False
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._notes: set[asyncio.Task[object]] = set()

        self.recorder = Recorder(stream.writer, self._on_committed, self._on_broken)
        self.journal = JournalWatch(follower, stream.writer)
        policy = config.account.reconcile
        self.books = Books(
            self.account, self.recorder, self.clock, self._fee_rate, policy, find=self._find_attempt
        )
        self.desk = Desk(
            account=self.account,
            identity=_identity(stream),
            venue=self.venue,
            recorder=self.recorder,
            books=self.books,
            clock=self.clock,
            on_failed=self._on_arm_failed,
            mono_ns=time.monotonic_ns,
            breakers=self.breakers,
            reach=reach,
            may_lead=may_lead,
            watch=self.observers,
        )
        self.sweep = Sweep(self.account, self.venue, self.books, lambda: follower.stream_is_up)
        self.resolver = Resolver(
            account=self.account, venue=self.venue, books=self.books, desk=self.desk,
            sweep=self.sweep, clock=self.clock,
        )  # fmt: skip
        self.reconciler = Reconciler(
            account=self.account,
            venue=self.venue,
            books=self.books,
            sweep=self.sweep,
            recorder=self.recorder,
            clock=self.clock,
            symbols=symbols_of(self.bots),
            policy=policy,
            rate=lambda asset: self.engine.prices.get(f"{asset}/{self.account.reporting}"),
            equity=self.engine.marks.equity,
        )
        self.signals = Signals(config, self.account, self.recorder.record, self.clock.earliest_ms)
        self._configurator = Configurator(follower, self.venue, self.recorder, stream.writer)
        self.upkeep = Upkeep(
            stream=stream,
            commands=self.commands,
            reconciler=self.reconciler,
            take=follower.take,
            learn_instruments=self.learn_instruments,
            configure=self._configurator.take,
            hear=self.signals.take,
            merge_emergency=partial(merge_emergency, config, self.recorder),
        )
        follower.perform, follower.on_account = self.perform, self.on_account

    @property
    def stream_is_up(self) -> bool:
        """Whether the user stream delivers."""
        return self.follower.stream_is_up

    # -- the loop: events in, actions out --------------------------------------------------------

    def perform(self, actions: Iterable[Action]) -> None:
        """Start each action; orders and cancels go to the desk, notes to the journal."""
        for action in actions:
            if not self._stepping:
                return
            match action:
                case Arm():
                    self.desk.arm(action, self.follower.taken_ns)
                case CancelOrder():
                    self.desk.cancel(action)
                case _:
                    self._note(*action.facts)

    def _note(self, *facts: AnyFact) -> None:
        task = asyncio.ensure_future(self.recorder.record(*facts))
        self._notes.add(task)
        task.add_done_callback(self._noted)

    def _noted(self, task: asyncio.Task[object]) -> None:
        self._notes.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_broken(error)

    def _on_committed(self, event: Committed) -> None:
        self.journal.answers()
        self.follower.take(event)
        self.observers.committed(event)
        fact = event.fact
        self.follower.know(fact)
        self.sweep.committed(event)
        if isinstance(fact, Filled):
            self.reconciler.booked(fact.fill)
        if not isinstance(fact, AttemptMoved | OrderMoved):
            return
        if fact.state in {AttemptState.IN_DOUBT, AttemptState.REJECTED}:
            self.resolver.wake()
        if fact.state is AttemptState.REJECTED:
            self.upkeep.suspect_filters()

    def _on_arm_failed(self, failed: ArmFailed) -> None:
        self.follower.take(failed)

    def _on_broken(self, error: BaseException) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    def ended(self, feeding: asyncio.Task[None]) -> None:
        """What feeds this account ended; so does it."""
        if not feeding.cancelled():
            self._on_broken(feeding.exception() or FencedError("nothing is followed any more"))

    def _fee_rate(self, asset: str, quote: str) -> tuple[Decimal, str] | None:
        price = self.engine.prices.get(f"{asset}/{quote}")
        return (price, f"last price of {asset}/{quote}") if price is not None else None

    def _find_attempt(self, cid: str) -> Armed | CancelArmed | None:
        return self.stream.store.attempt(self.account.account, cid)

    # -- start -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Learn the exchange's present, settle what can be settled, and only then trade.

        Raises:
            RetryableError: the exchange does not answer; the process begins again.
            ConfigError: it refuses this key or symbol.
        """
        for bot in self.bots:
            self.signals.require(bot.name, bot.setup.signals)
        if all(symbol in self.account.instruments for symbol in symbols_of(self.bots)):
            self.upkeep.suspect_filters()  # they are asked for again, beside trading
        else:
            await self.learn_instruments()
        self.stream.derived = lambda: all_derived(
            (bot, self.follower.written(bot)) for bot in self.bots
        )
        # Beside what the exchange is asked, so that a takeover does not wait for a connection.
        asked_before = asyncio.ensure_future(self.upkeep.asked_before())
        await self.reconciler.doubt_what_was_armed(self.stream.boot_id)
        try:
            await self.reconciler.at_start(hurried=self.follower.is_up_to_date())
        except RejectedError as error:
            raise refused(error) from error
        await merge_emergency(self.config, self.recorder)
        self._require_flat_elsewhere()
        for bot in self.bots:
            if started := self.engine.start_bot(bot, self.follower.text(bot)):
                await self.recorder.record(*started)
        for name, why in self.follower.quarantine.items():  # perhaps before it had ever begun
            await self.recorder.record(BotStopped(bot=name, reason=why, failed=True))
        for asked in await asked_before:
            if asked.name == LIMITS:
                await self._configurator.take(asked)
                continue
            await self.recorder.record(*take_command(asked, self.account, self.engine.bots).facts)
        self._go_on()

    def _go_on(self) -> None:
        """Resume the last decisions; a bar that closed while nobody led is decided on now."""
        now_ns = self.follower.now_ns()
        for bot in self.bots:
            fresh = now_ns - bot.asks_ns < bot.timeframe_s * NS_PER_S
            if bot.bars and fresh and self.account.bot(bot.name).decided_ns < bot.asks_ns:
                bot.due = True
        self._stepping = self.follower.is_leading = True
        self.perform(self.engine.resume())
        # Who decides between closes need not wait for the next tick.
        self.follower.take(Ticked(self.follower.now_ns()))

    async def learn_instruments(self) -> frozenset[str]:
        """Take in the filters and status of the bots' symbols as they are now; what is listed.

        That is every symbol of the exchange when one of the bots' is not among them. One that is
        listed no more counts as halted: its books are kept, nothing is sent.
        """
        wanted = symbols_of(self.bots)
        listed = {i.symbol: i for i in await self.venue.instruments(wanted)}
        for symbol in wanted:
            known = self.account.instruments.get(symbol)
            found = listed.get(symbol)
            if found is None and known is not None:
                found = msgspec.structs.replace(known, status=TradingStatus.HALTED)
            if found is not None and found != known:
                trades = found.status is TradingStatus.TRADING
                tell = log.info if trades else log.error  # nothing is sent there meanwhile
                tell("instrument", action="instrument", symbol=symbol, status=found.status)
                await self.recorder.record(InstrumentChanged(instrument=found.to_text()))
        return frozenset(listed)

    def _require_flat_elsewhere(self) -> None:
        """A bot that is given another symbol, or is gone, would leave what it has to nobody."""
        trades = {bot.name: bot.symbols for bot in self.bots}
        for name in sorted(self.account.bots):
            symbols = trades.get(name, ())
            if left := self.account.elsewhere(name, symbols):
                now = f"on {', '.join(symbols)}" if symbols else "in no configuration any more"
                raise ConfigError(
                    f"seen: bot {name} {now}, while it has a position or orders in "
                    f"{', '.join(left)}; expected: a bot that is flat where it no longer trades; "
                    f"do: put it back as it was, `holdfast bot drain {name}`, and change it, or "
                    "take it out, once it is flat"
                )

    # -- while it runs -----------------------------------------------------------------------------

    async def on_account(self, event: VenueEvent) -> None:
        """Book what the user stream says; it only speeds up what polling finds as well."""
        match event:
            case StreamUp():
                self.sweep.hurry()  # nothing is replayed: whatever was missed is asked for
                self.resolver.wake()
            case OrderReport():
                await self.books.report(event, "stream")
            case ListReport():
                self._look_after(event)
            case MoneyMoved():
                await self.reconciler.moved(event)
            case _:
                pass  # balances are compared by the reconciler, at quiet moments

    def _look_after(self, told: ListReport) -> None:
        """A list is over: what the reports of its orders have not told yet is asked for."""
        orders = (self.account.live.get(cid) for cid in told.cids)
        if told.is_over and any(order is not None and order.is_working for order in orders):
            self.sweep.hurry()

    async def run(self) -> None:
        """Trade until something ends it; the first part that breaks ends all.

        What is followed is fed by `Follower.run`, beside this.
        """
        parts = [
            self.resolver.run(),
            self.sweep.run(),
            self.breakers.run(self.venue.time),
            *self.signals.parts(),
            *self.upkeep.parts(),
            self.journal.run(),
            hold(self.stream.owner),
        ]
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
            try:
                await self._broken
            finally:
                self._rest()  # at once: what commits while the parts end starts nothing

    def _rest(self) -> None:
        self._stepping = self.follower.is_leading = False

    async def stop(self, why: str, at_rest: Callable[[], None]) -> None:
        """No new orders; what is in flight may finish; the journal closes with a snapshot.

        Args:
            why: for the journal, which is told unless it is another's by now.
            at_rest: called when nothing is written any more, so that another may go on; the
                snapshot is for whoever starts later.
        """
        self._rest()
        # An exchange that does not answer will not; whoever goes on finds out what became of it.
        await self.desk.close(0.0 if self.follower.is_cut_off else STOP_TIMEOUT_S)
        self.commands.close()
        await self._say_rested(why)
        await self.stream.writer.drain()
        self.stream.owner.release()
        at_rest()
        await self.stream.close()

    async def _say_rested(self, why: str) -> None:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.recorder.try_record(Rested(boot_id=self.stream.boot_id, why=why))
        except (PlatformError, TimeoutError) as error:
            log.warning("end not journaled", action="rested_failed", why=str(error))


def _identity(stream: Stream) -> Identity:
    state = stream.account
    return Identity(state.deployment, state.account, state.generation, stream.boot_id)


def _stopped(stopping: asyncio.Future[None]) -> None:
    failure = None if stopping.cancelled() else stopping.exception()
    if failure is not None:
        log.warning("not closed in order", action="stop_failed", why=str(failure))


@asynccontextmanager
async def leading(
    follower: Follower,
    *,
    reach: Reach = pass_by,
    may_lead: Callable[[], bool] = always,
    why_rests: Callable[[], str] = lambda: "stop",
    at_rest: Callable[[], None] = nothing,
    silent_s: float = 0.0,
) -> AsyncIterator[Trader]:
    """An account that is taken over, reconciled and started; closed on the way out.

    Args:
        why_rests, at_rest: see `Trader.stop`.
        silent_s: since the last sign of a leader that came to no rest; 0 when nobody failed.

    Raises:
        PlatformError: see `Follower.take_over` and `Trader.start`.
    """
    stream = await follower.take_over(may_lead)
    if follower.rested:
        silent_s = time.monotonic() - follower.rested_s
    cause = follower.rested or ("failure" if silent_s else "stop")
    counts = follower.counts
    counts.took_over(stream.account, cause, silent_s)
    stream.writer.on_committed, stream.writer.on_fenced = counts.wrote, counts.fenced
    trader = Trader(follower, stream, reach, may_lead)
    try:
        await trader.start()
        follower.counts.is_ready()
        yield trader
    finally:
        stopping = asyncio.ensure_future(trader.stop(why_rests(), at_rest))
        stopping.add_done_callback(_stopped)  # who is cancelled meanwhile hears nothing of it
        await asyncio.shield(stopping)


@asynccontextmanager
async def trading(
    config: Config, watch: Watch, *, quarantine: dict[str, str], reach: Reach = pass_by
) -> AsyncIterator[Trader]:
    """An account that is led at once and fed, by a process that nobody else elects.

    Raises:
        PlatformError: see `following` and `leading`.
    """
    async with following(config, watch, quarantine) as follower:
        feeding = asyncio.create_task(follower.run())
        try:
            async with leading(follower, reach=reach) as trader:
                feeding.add_done_callback(trader.ended)
                yield trader
        finally:
            feeding.cancel()
