"""An account that is followed: its journal folded as it grows, its indicators fed, its lines warm.

Lives here: all that a standby has ready, and what a leader goes on with. It writes nothing and
sends no order. Not here: leading (trader), who leads (cluster).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from holdfast.app.live.books import follow_books, levels_wanted
from holdfast.app.live.bots import make_bot, symbols_of, take_up
from holdfast.app.live.configuring.in_effect import config_text, effective, written_in
from holdfast.app.live.counting import Counts
from holdfast.app.live.history import History
from holdfast.app.live.keys import KeyKeeper
from holdfast.app.live.lines import connected, endpoints_of
from holdfast.app.live.opening import Fold, Stream, database_of, follow_stream, take_over
from holdfast.app.live.tracing import asked
from holdfast.app.live.watch import Watch
from holdfast.config import Bot, Config
from holdfast.domain.action import Action
from holdfast.domain.event import Committed, Event, QuoteSeen, Ticked, TradeSeen
from holdfast.domain.fact import AnyFact, BotConfigured, BotRemoved, BotStarted, Rested, TookOver
from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Bar, Quote, Trade
from holdfast.engine.bot import BotRuntime
from holdfast.engine.step import Engine
from holdfast.errors import ConfigError, RejectedError, RetryableError
from holdfast.execution.clock import ExchangeClock
from holdfast.journal.record import Record
from holdfast.journal.tail import MOST
from holdfast.ledger.fold import apply
from holdfast.telemetry.context import Ids, bound
from holdfast.telemetry.log import get_logger
from holdfast.venues.capability import capability_of
from holdfast.venues.port import StreamDown, StreamUp, UnaskedError, VenueEvent

log = get_logger("app.follower")

TICK_S = 0.1
CLOCK_S = 5.0
WARM_S = 8.0  # a connection is let go of when it has rested for ten seconds
FOLLOW_S = 0.05
HEARD_S = 60.0
TOLD_EVERY_S = 10.0
MOST_WARM = 6  # each costs a little of the rate limits every few seconds


class OutgrownError(RetryableError):
    """What was followed cannot be gone on with; another process begins where the journal is."""


class Follower:
    """An account in the making: everything but the right to write. Made by `following`.

    Attributes:
        ids: what the lines of the log about this account carry.
        quarantine: bots that must not be asked again, with the reason.
        in_file: bots as the file of this node has them, by name.
        taken_ns: local monotonic time at which the engine was handed the last event.
        is_leading: set by the trader; from then on what the engine asks for is performed.
        perform: takes the engine's actions; set by the trader.
        counts: what happens is counted there.
        heard_s: when market data of a symbol last came, on the monotonic clock; not for those that
            nothing came of since `began_s`.
        rested, rested_s: why the last leader laid the account down, empty when it did not or leads;
            and when its last record was heard of, on the monotonic clock.
        answered_s: when the exchange last answered, on the monotonic clock.
        is_cut_off: the exchange has not answered for the time of a lease.
        is_stuck: as a leader, it waits for its journal; set by the trader.
        on_reach: told now and then whether anything can be done from here.
        on_exchange: told whether the exchange answers, from the first question on.
        on_account: takes the user stream's events; set by the trader. Before that they are dropped:
            the journal tells what its leader made of them.
    """

    def __init__(
        self,
        config: Config,
        fold: Fold,
        watch: Watch,
        quarantine: dict[str, str],
        counts: Counts | None = None,
    ) -> None:
        self.in_file = {bot.name: bot for bot in config.bots}
        self.config = config = effective(config, fold.account)
        self._written = {bot.name: bot for bot in config.bots}
        self.ids: Ids = {}
        self.fold, self.account = fold, fold.account
        self.quarantine = quarantine
        self.clock = ExchangeClock(time.monotonic_ns)
        self.counts = counts or Counts(config.account.venue.kind)
        self.began_s = time.monotonic()
        self.heard_s: dict[str, float] = {}
        self.rested, self.rested_s = "", 0.0
        self.venue, self.market = connected(config, self.now_ns)
        self.venue.gate.on_answer = self._answered
        self.keys = KeyKeeper.of(config.account, self.venue, fold.account.uid)
        self.bots = [make_bot(bot, asked(bot.name, watch.running(bot.name))) for bot in config.bots]
        for bot in self.bots:
            bot.ask = self.counts.timed(bot.name, bot.ask)
        lists = capability_of(config.account.venue.kind).order_lists
        self.engine = Engine(self.account, self.bots, config.account.limits, lists=lists)
        self.stream_is_up = False
        self.is_leading = False
        self.taken_ns = 0
        self._owning = asyncio.Event()
        self._heard_s = self.answered_s = -math.inf
        self._reading = asyncio.Lock()
        self.perform: Callable[[Iterable[Action]], None] = _drop
        self.is_cut_off = self.is_stuck = False
        self.on_reach: Callable[[bool], None] = _unheard
        self.on_exchange: Callable[[bool], None] = _unheard
        self.on_account: Callable[[VenueEvent], Awaitable[None]] | None = None
        self.history = History(
            self.market,
            anchor_ns=self._anchor_ns,
            now_ns=self.now_ns,
            is_live=lambda: self.is_leading,
            take=self.take,
        )

    def now_ns(self) -> int:
        """Exchange time, rather early than late.

        The engine and the journal go by it as well: this machine's own clock may be set, and what
        was to be tried again in a moment would wait until it is that late once more.
        """
        return self.clock.earliest_ms() * 1_000_000

    def take(self, event: Event) -> None:
        """Step the engine with one event; until this account is led it asks for nothing."""
        self.taken_ns = time.monotonic_ns()
        self.perform(self.engine.step(event))

    def _fold_in(self, record: Record) -> None:
        fact = record.fact
        self.rested = fact.why if isinstance(fact, Rested) else ""
        self.rested_s = time.monotonic()
        if isinstance(fact, TookOver):
            apply(self.account, record.seq, record.epoch, record.at_ns, fact)
            self.keys.require(self.account.uid)
            return
        self.engine.step(Committed(record.seq, record.at_ns, fact))
        self.know(fact)
        if isinstance(fact, BotStarted):
            for bot in self.bots:
                if bot.name == fact.bot and not self._begins_like(bot, fact):
                    raise OutgrownError(
                        f"seen: bot {bot.name} begins at another bar than the one followed; "
                        "expected: the same indicators; do: nothing, it is followed anew"
                    )

    def know(self, fact: AnyFact) -> None:
        """Take note of a configuration that a command has set.

        Raises:
            OutgrownError: it is more than limits, of a bot that runs here or is to.
        """
        if not isinstance(fact, BotConfigured | BotRemoved):
            return
        if isinstance(fact, BotConfigured) and not fact.anew and fact.bot in self._written:
            self._written[fact.bot] = written_in(fact.bot, fact.config)
        elif not self.is_leading:
            raise OutgrownError(
                f"seen: bot {fact.bot} is another one from here on; expected: the one followed; "
                "do: nothing, it is followed anew"
            )

    async def prepare(self) -> None:
        """Learn the exchange's time, then its limits, as all else goes by them, and the bars.

        Raises:
            ConfigError: it does not list a symbol, or the key is another account's.
            RetryableError: the exchange does not answer; begin again.
            RejectedError: it refuses.
        """
        try:
            self.clock.take(await self.venue.time())
        except RetryableError:
            self.on_exchange(False)
            raise
        self.on_exchange(True)
        self._require_listed(await self.venue.instruments(symbols_of(self.bots)))
        await self.keys.begin()
        for bot in self.bots:
            if bot.name in self.quarantine:
                bot.give_up(self.quarantine[bot.name])
            body = self.fold.found.get(bot.name)
            if take_up(bot, self.written(bot), body, self.now_ns()):  # bit for bit
                for bar in bot.bars.values():
                    self.engine.marks.take(bar.symbol, bar.close, bar.close_ns)
            await self.history.catch_up(bot)
        await self._warm()

    async def _warm(self) -> None:
        """Keep open what a takeover asks over: open orders and trades of each symbol at once."""
        await self.venue.warm(min(2 * len(symbols_of(self.bots)), MOST_WARM))

    async def take_over(self, may_lead: Callable[[], bool]) -> Stream:
        """Become the writer of the journal, folded to its end.

        Raises:
            OutgrownError: a bot begins where the one here did not.
            PlatformError: as `opening.take_over` and `KeyKeeper.owner`.
        """
        uid = await self.keys.owner()
        self._owning.set()
        self.take(Ticked(self.now_ns()))
        quotes = [bot.symbols[0].split("/")[1] for bot in self.config.bots]
        stream = await take_over(
            self.fold,
            deployment=self.config.deployment,
            reporting=quotes[0] if quotes else "USDT",
            catch_up=self._catch_up,
            may_lead=may_lead,
            now_ns=self.now_ns,
            node=self.config.cluster.node,
            uid=uid,
            displace=True,  # a claim is held, so its lease has ended
        )
        self.ids["epoch"] = stream.writer.head.epoch
        return stream

    def _require_listed(self, instruments: Iterable[Instrument]) -> None:
        listed = {instrument.symbol for instrument in instruments} | set(self.account.instruments)
        for bot in self.bots:
            for symbol in bot.symbols:
                if symbol in listed:
                    continue
                near = sorted(s for s in listed if s.split("/")[0] == symbol.split("/")[0])
                raise ConfigError(
                    f"seen: bot {bot.name} trades {symbol}, which the exchange does not list; "
                    f"expected: one of {', '.join((near or sorted(listed))[:8])}; do: correct it"
                )

    async def run(self) -> None:
        """Keep all of it up to date until cancelled, also while the account is led."""
        timeframes = sorted({bot.timeframe_s for bot in self.bots})
        async with asyncio.TaskGroup() as group:
            for part in (
                self._tick(),
                self._sample_clock(),
                self._keep_warm(),
                self.keys.run(),
                self._follow_journal(),
                self._follow_account(),
                self._follow_books(),
                self.history.run(),
                *(self._follow_market(timeframe_s) for timeframe_s in timeframes),
            ):
                group.create_task(part)

    def is_up_to_date(self) -> bool:
        """Whether a leader wrote a moment ago what was folded here as it came."""
        return time.monotonic() - self._heard_s < HEARD_S

    def written(self, bot: BotRuntime) -> Bot:
        """A bot's configuration."""
        return self._written[bot.name]

    def strategy_of(self, bot: str) -> str:
        """The strategy that a bot of this name was told to trade; empty when it is unknown."""
        found = self._written.get(bot)
        return found.strategy if found is not None else ""

    def text(self, bot: BotRuntime) -> str:
        """A bot's configuration as canonical JSON."""
        return config_text(bot, self.written(bot))

    async def close(self) -> None:
        """Let go of the lines; the journal is closed by who opened it."""
        await self.venue.close()
        await self.market.close()

    def _anchor_ns(self, bot: BotRuntime) -> int:
        """Where the bars of a bot begin: as journaled, unless it is to be another bot from now."""
        known = self.account.bots.get(bot.name)
        return known.anchor_ns if known is not None and known.config == self.text(bot) else 0

    def _begins_like(self, bot: BotRuntime, fact: BotStarted) -> bool:
        first = bot.first_bar
        return fact.config != self.text(bot) or first is None or first.open_ns == fact.anchor_ns

    # -- side by side ------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Time passes for the engine; retries and marks are due by it, none before it acts."""
        await self._owning.wait()
        while True:
            await asyncio.sleep(TICK_S)
            self.take(Ticked(self.now_ns()))

    def _answered(self, endpoint: str, failure: str, took_s: float) -> None:
        self.counts.answered(endpoint, failure, took_s)
        if not failure:
            self.answered_s = time.monotonic()

    async def _sample_clock(self) -> None:
        """Ask the exchange for its time; so a connection stays warm, and a cut shows.

        Any other answer shows it too, and puts the question off; a want of room is no silence.
        A standby is asked half as often: it has to know before it is to lead, not within a lease.
        """
        ttl_s = self.config.cluster.timing.ttl_s
        asked_s = self.answered_s = time.monotonic()
        while True:
            pause_s = min(CLOCK_S, ttl_s / 2 if self._owning.is_set() else ttl_s)
            due_s = min(max(asked_s, self.answered_s) + pause_s, asked_s + CLOCK_S)
            if (wait_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
                continue
            asked_s = time.monotonic()
            try:
                async with asyncio.timeout(ttl_s):
                    self.clock.take(await self.venue.time())
            except (RetryableError, RejectedError, TimeoutError) as error:
                why = str(error) or type(error).__name__
                log.warning("no clock sample", action="clock_wait", why=why)
                self.answered_s = asked_s if isinstance(error, UnaskedError) else self.answered_s
            self.is_cut_off = time.monotonic() - self.answered_s > max(ttl_s, pause_s + ttl_s / 2)
            self.on_exchange(not self.is_cut_off)
            self.tell_reach()

    def tell_reach(self) -> None:
        """Whether this account could act: another node may be able to where this one is not."""
        self.on_reach(not (self.is_cut_off or self.is_stuck))

    async def _keep_warm(self) -> None:
        """Handshakes are over before a takeover; who leads asks often enough by itself."""
        while not self._owning.is_set():
            await self._warm()
            await asyncio.sleep(WARM_S)

    async def _follow_journal(self) -> None:
        """Fold what the leader writes, until this process is to write itself."""
        told_s = -math.inf
        while not self._owning.is_set():
            try:
                await self._catch_up(always=False)
            except OutgrownError:
                raise  # reading on would leave out what came with it
            except RetryableError as error:
                if time.monotonic() - told_s > TOLD_EVERY_S:  # asked twenty times a second
                    told_s = time.monotonic()
                    log.warning("journal not read", action="follow_wait", why=str(error))
            await asyncio.sleep(FOLLOW_S)

    async def _catch_up(self, *, always: bool = True) -> None:
        async with self._reading:
            if self._owning.is_set() and not always:
                return  # what comes now is this process's own
            more = True
            while more:
                records = await asyncio.to_thread(self.fold.news)
                for record in records:
                    self._fold_in(record)
                    self._heard_s = time.monotonic()
                more = len(records) == MOST

    async def _follow_account(self) -> None:
        """The user stream, connected before anybody needs it."""
        async for event in self.venue.events():
            if isinstance(event, StreamUp):
                self.stream_is_up = True
            elif isinstance(event, StreamDown):
                self.stream_is_up = False
                self.counts.went_down("account")
                log.warning("user stream down", action="stream_down", reason=event.reason)
            if self.on_account is not None:
                await self.on_account(event)

    async def _follow_market(self, timeframe_s: int) -> None:
        """Step the engine with bars and quotes as they happen."""
        bots = [bot for bot in self.bots if bot.timeframe_s == timeframe_s]
        traded = tuple({symbol: None for bot in bots for symbol in bot.setup.last_trades})
        async for event in self.market.stream(symbols_of(bots), timeframe_s, traded):
            match event:
                case Bar(symbol=symbol):
                    self.heard_s[symbol] = time.monotonic()
                    self.history.heard(event, bots)
                case StreamUp():
                    self.history.may_miss(bots)
                case StreamDown(reason=reason):
                    self.counts.went_down("market")
                    log.warning("market stream down", action="market_down", reason=reason)
                case Quote(symbol=symbol):
                    self.heard_s[symbol] = time.monotonic()
                    self.take(QuoteSeen(event))
                case Trade(symbol=symbol):
                    self.heard_s[symbol] = time.monotonic()
                    self.take(TradeSeen(event))

    async def _follow_books(self) -> None:
        """Step the engine with books, from when their instruments are known."""
        wanted = levels_wanted(self.bots)
        while any(s not in self.account.instruments for s in wanted):  # noqa: ASYNC110
            await asyncio.sleep(TICK_S)
        await follow_books(
            endpoints_of(self.config.account.venue),
            self.venue.gate,
            instruments=self.account.instruments,
            wanted=wanted,
            take=self.take,
            broke=lambda: self.counts.went_down("book"),
        )


@asynccontextmanager
async def following(
    config: Config, watch: Watch, quarantine: dict[str, str], counts: Counts | None = None,
    on_exchange: Callable[[bool], None] | None = None,
) -> AsyncIterator[Follower]:
    """An account that is followed; its journal and its lines are closed on the way out.

    Args:
        quarantine: bots that must not be asked again, with the reason.
        counts: what happens is counted there.
        on_exchange: told whether the exchange answers.

    Raises:
        PlatformError: see `follow_stream` and `Follower.prepare`.
    """
    with bound(account=config.account.name) as ids:
        fold = await follow_stream(database_of(config, in_a_node=True), config.account.name)
        try:
            follower = Follower(config, fold, watch, quarantine, counts)
            follower.ids = ids
            follower.on_exchange = on_exchange or _unheard
            try:
                await follower.prepare()
                yield follower
            finally:
                await follower.close()
        finally:
            await fold.close()
            await asyncio.to_thread(fold.database.close)


def _unheard(_reaches: bool) -> None:
    """Nobody else could go on."""


def _drop(_actions: Iterable[Action]) -> None:
    """Nobody acts on what is only followed."""
