"""One account, trading: journal, engine, execution, venue and market joined in one event loop.

Lives here: the wiring, and the order of start and stop. Not here: the process around it (node), the
rules of any part.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec

from holdfast.app.live.books import follow_books, levels_wanted
from holdfast.app.live.bots import all_derived, config_text, make_bot, symbols_of, take_up
from holdfast.app.live.history import History
from holdfast.app.live.opening import Stream, database_of, open_stream
from holdfast.app.live.signals import Signals
from holdfast.app.live.upkeep import Upkeep
from holdfast.app.live.watch import Watch
from holdfast.config import Bot, Config, resolve
from holdfast.domain.action import Action, Arm, CancelOrder
from holdfast.domain.event import ArmFailed, Committed, Event, QuoteSeen, TradeSeen
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStopped,
    CancelArmed,
    InstrumentChanged,
    OrderMoved,
)
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.market import Bar, Quote, Trade
from holdfast.domain.order import AttemptState
from holdfast.engine.bot import BotRuntime
from holdfast.engine.step import Engine
from holdfast.errors import ConfigError, RejectedError
from holdfast.execution.attempts import Identity
from holdfast.execution.books import Books
from holdfast.execution.breaker import Breakers
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.desk import Desk
from holdfast.execution.evidence import is_behind
from holdfast.execution.guarded import GuardedVenue
from holdfast.execution.points import Reach, pass_by
from holdfast.execution.reconcile import Reconciler
from holdfast.execution.recorder import Recorder
from holdfast.execution.resolve import Resolver
from holdfast.execution.sweep import Sweep
from holdfast.telemetry.log import get_logger, hide
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.market import BinanceMarket
from holdfast.venues.binance.signing import Key
from holdfast.venues.capability import capability_of
from holdfast.venues.port import ListReport, MoneyMoved, OrderReport, StreamDown, StreamUp

log = get_logger("app.trader")

STOP_TIMEOUT_S = 2.0


class Trader:
    """A running account. Made by `trading`, which also ends it.

    Attributes:
        broken: set to what ended it, for `until_broken`.
    """

    def __init__(self, config: Config, stream: Stream, watch: Watch, reach: Reach) -> None:
        self.config = config
        self.watch = watch
        self.stream = stream
        self.account = stream.account
        self.clock = ExchangeClock(time.monotonic_ns)
        venue, self.market = _connect(config)
        kind = config.account.venue.kind
        self.breakers = Breakers(kind, self.account, time.monotonic_ns, self._note)
        self.venue, self._gate = GuardedVenue(venue, self.breakers), venue.gate
        self.commands = stream.database.commands()
        self.bots = [make_bot(bot, watch.running(i)) for i, bot in enumerate(config.bots)]
        lists = capability_of(kind).order_lists
        self.engine = Engine(self.account, self.bots, config.account.limits, lists=lists)
        self.stream_is_up = False
        self._stepping = False
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._notes: set[asyncio.Task[object]] = set()

        self.recorder = Recorder(stream.writer, self._on_committed, self._on_broken)
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
        )
        self.sweep = Sweep(self.account, self.venue, self.books, lambda: self.stream_is_up)
        self.resolver = Resolver(
            account=self.account,
            venue=self.venue,
            books=self.books,
            desk=self.desk,
            sweep=self.sweep,
            clock=self.clock,
        )
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
        self.history = self._made_history()
        self.upkeep = Upkeep(
            stream=stream,
            clock=self.clock,
            venue=self.venue,
            commands=self.commands,
            reconciler=self.reconciler,
            watch=watch,
            take=self.take,
            learn_instruments=self.learn_instruments,
        )

    # -- the loop: events in, actions out --------------------------------------------------------

    def take(self, event: Event) -> None:
        """Step the engine with one event and start what it asks for."""
        self.perform(self.engine.step(event))

    def perform(self, actions: Iterable[Action]) -> None:
        """Start each action; orders and cancels go to the desk, notes to the journal."""
        for action in actions:
            if not self._stepping:
                return
            match action:
                case Arm():
                    self.desk.arm(action)
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
        self.perform(self.engine.step(event))
        fact = event.fact
        if not isinstance(fact, AttemptMoved | OrderMoved):
            return
        if fact.state in {AttemptState.IN_DOUBT, AttemptState.REJECTED}:
            self.resolver.wake()
        if fact.state is AttemptState.REJECTED:
            self.upkeep.suspect_filters()
        order = self.account.order(fact.cid)
        if order is not None and is_behind(order):
            self.sweep.hurry()

    def _on_arm_failed(self, failed: ArmFailed) -> None:
        self.take(failed)

    def _on_broken(self, error: BaseException) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    def _fee_rate(self, asset: str, quote: str) -> tuple[Decimal, str] | None:
        price = self.engine.prices.get(f"{asset}/{quote}")
        return (price, f"last price of {asset}/{quote}") if price is not None else None

    def _find_attempt(self, cid: str) -> Armed | CancelArmed | None:
        return self.stream.store.attempt(self.account.account, cid)

    # -- start -------------------------------------------------------------------------------------

    async def start(self, quarantine: dict[str, str]) -> None:
        """Learn the exchange's present, settle what can be settled, and only then trade.

        Args:
            quarantine: bots that must not be asked again, with the reason.

        Raises:
            RetryableError: the exchange does not answer; the process begins again.
            ConfigError: it refuses this key or symbol.
        """
        for bot in self.bots:
            self.signals.require(bot.name, bot.setup.signals)
        self.clock.take(await self.venue.time())
        self._require_listed(await self.learn_instruments())
        for bot in self.bots:
            if bot.name in quarantine:
                bot.give_up(quarantine[bot.name])
            self._take_up(bot)
            await self.history.catch_up(bot)
        self.stream.derived = lambda: all_derived(
            (bot, self._written(bot)) for bot in self.bots
        )
        await self.reconciler.doubt_what_was_armed(self.stream.boot_id)
        try:
            await self.reconciler.at_start()
        except RejectedError as error:
            raise ConfigError(
                f"seen: the exchange refuses this key ({error}); expected: a key that may read "
                "and trade spot; do: check api_key and api_secret"
            ) from error
        for bot in self.bots:
            self._require_flat_elsewhere(bot)
            started = self.engine.start_bot(bot, self._text(bot))
            if started is not None:
                await self.recorder.record(started)
        for name, why in quarantine.items():  # perhaps before it had ever begun
            await self.recorder.record(BotStopped(bot=name, reason=why, failed=True))
        self._stepping = True
        self.perform(self.engine.resume())

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
                log.info("instrument", action="instrument", symbol=symbol, status=found.status)
                await self.recorder.record(InstrumentChanged(instrument=found.to_text()))
        return frozenset(listed)

    def _require_listed(self, listed: frozenset[str]) -> None:
        for bot in self.bots:
            for symbol in bot.symbols:
                if symbol in listed:
                    continue
                near = sorted(s for s in listed if s.split("/")[0] == symbol.split("/")[0])
                raise ConfigError(
                    f"seen: bot {bot.name} trades {symbol}, which the exchange does not list; "
                    f"expected: one of {', '.join((near or sorted(listed))[:8])}; do: correct it"
                )

    def _require_flat_elsewhere(self, bot: BotRuntime) -> None:
        """A bot that is given another symbol would leave the old one to nobody."""
        left = self.account.elsewhere(bot.name, bot.symbols)
        if left:
            raise ConfigError(
                f"seen: bot {bot.name} on {', '.join(bot.symbols)}, while it has a position or "
                f"orders in {', '.join(left)}; expected: a bot that is flat where it no longer "
                "trades; do: give it its old symbol until it has sold, and the new one to a bot of "
                "another name"
            )

    def _written(self, bot: BotRuntime) -> Bot:
        return next(one for one in self.config.bots if one.name == bot.name)

    def _text(self, bot: BotRuntime) -> str:
        return config_text(bot, self._written(bot))

    def _take_up(self, bot: BotRuntime) -> None:
        """Indicators go on where the last process left them, bit for bit."""
        now_ns = self.clock.earliest_ms() * 1_000_000
        if take_up(bot, self._written(bot), self.stream.found.get(bot.name), now_ns):
            for bar in bot.bars.values():
                self.engine.marks.take(bar.symbol, bar.close)

    def _made_history(self) -> History:
        return History(
            self.market,
            anchor_ns=self._anchor_ns,
            now_ns=lambda: self.clock.earliest_ms() * 1_000_000,
            is_live=lambda: self._stepping,
            take=self.take,
        )

    def _anchor_ns(self, bot: BotRuntime) -> int:
        """Where the bars of a bot begin: as journaled, unless it is to be another bot from now."""
        known = self.account.bots.get(bot.name)
        return known.anchor_ns if known is not None and known.config == self._text(bot) else 0

    # -- while it runs -----------------------------------------------------------------------------

    async def follow_account(self) -> None:
        """Book what the user stream says; it only speeds up what polling finds as well."""
        async for event in self.venue.events():
            match event:
                case StreamUp():
                    self.stream_is_up = True
                    self.sweep.hurry()  # nothing is replayed: whatever was missed is asked for
                    self.resolver.wake()
                case StreamDown(reason=reason):
                    self.stream_is_up = False
                    log.warning("user stream down", action="stream_down", reason=reason)
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

    async def follow_market(self, timeframe_s: int) -> None:
        """Step the engine with bars and quotes as they happen."""
        bots = [bot for bot in self.bots if bot.timeframe_s == timeframe_s]
        traded = tuple({symbol: None for bot in bots for symbol in bot.setup.last_trades})
        async for event in self.market.stream(symbols_of(bots), timeframe_s, traded):
            match event:
                case Bar():
                    self.history.heard(event, bots)
                case StreamUp():
                    self.history.may_miss(bots)
                case StreamDown(reason=reason):
                    log.warning("market stream down", action="market_down", reason=reason)
                case Quote():
                    self.take(QuoteSeen(event))
                case Trade():
                    self.take(TradeSeen(event))

    async def run(self) -> None:
        """Trade until something ends it; the first part that breaks ends all."""
        parts = [
            self.follow_account(),
            self.resolver.run(),
            self.sweep.run(),
            self.breakers.run(),
            self.history.run(),
            follow_books(
                _endpoints(self.config),
                self._gate,
                instruments=self.account.instruments,
                wanted=levels_wanted(self.bots),
                take=self.take,
            ),
            *(self.follow_market(t) for t in sorted({bot.timeframe_s for bot in self.bots})),
            *self.signals.parts(),
            *self.upkeep.parts(),
        ]
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
            try:
                await self._broken
            finally:
                self._stepping = False  # at once: what commits while the parts end starts nothing

    async def stop(self) -> None:
        """No new orders; what is in flight may finish; the journal closes with a snapshot."""
        self._stepping = False
        await self.desk.close(STOP_TIMEOUT_S)
        await self.venue.close()
        await self.market.close()
        self.commands.close()
        await self.stream.close()
        await asyncio.to_thread(self.stream.database.close)


@asynccontextmanager
async def trading(
    config: Config, watch: Watch, *, quarantine: dict[str, str], reach: Reach = pass_by
) -> AsyncIterator[Trader]:
    """An account that has been opened, reconciled and started; closed on the way out.

    Raises:
        PlatformError: see `open_stream` and `Trader.start`.
    """
    quotes = [bot.symbols[0].split("/")[1] for bot in config.bots]
    stream = await open_stream(
        database_of(config),
        account=config.account.name,
        deployment=config.deployment,
        reporting=quotes[0] if quotes else "USDT",
    )
    trader = Trader(config, stream, watch, reach)
    try:
        await trader.start(quarantine)
        yield trader
    finally:
        await asyncio.shield(trader.stop())


def _endpoints(config: Config) -> Endpoints:
    venue = config.account.venue
    return Endpoints(
        rest_url=venue.rest_url, ws_api_url=venue.ws_api_url, stream_url=venue.stream_url
    )


def _identity(stream: Stream) -> Identity:
    account = stream.account
    return Identity(account.deployment, account.account, account.generation, stream.boot_id)


def _connect(config: Config) -> tuple[BinanceVenue, BinanceMarket]:
    account, endpoints = config.account, _endpoints(config)
    api_key, secret = resolve(account.api_key), resolve(account.api_secret)
    hide(secret.reveal())
    key, share = Key(api_key.reveal(), secret.reveal()), 1 / account.venue.nodes
    venue = BinanceVenue(key, endpoints, share=share)
    return venue, BinanceMarket(endpoints, gate=venue.gate)
