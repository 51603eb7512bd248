"""Bars that a bot has not seen: its warm-up, what closed while nobody ran, holes in the stream.

A bar of the stream follows the last one, or it is not taken: it comes with those before it, asked
for by REST, or indicators would differ from those of a process that started later. Not here: the
stream itself (trader), what a bar does (engine).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Final

from holdfast.domain.event import BarClosed
from holdfast.domain.market import NS_PER_S, Bar
from holdfast.engine.bot import BotRuntime
from holdfast.errors import RejectedError, RetryableError
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import MarketData

log = get_logger("app.history")

LONGEST_HISTORY_BARS: Final = 5000
"""A bot that is older is not fed from its beginning; indicators have long forgotten it."""
PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
"""Between two questions of an exchange that does not tell; doubled from the first to the last."""


class History:
    """Asks for bars and feeds them, oldest first.

    Args:
        anchor_ns: where a bot's bars begin, 0 when nothing says so yet.
        now_ns: exchange time, rather early than late.
        is_live: whether the newest bar may be decided on.
        take: steps the engine.
    """

    def __init__(
        self,
        market: MarketData,
        *,
        anchor_ns: Callable[[BotRuntime], int],
        now_ns: Callable[[], int],
        is_live: Callable[[], bool],
        take: Callable[[BarClosed], None],
    ) -> None:
        self._market = market
        self._anchor_ns = anchor_ns
        self._now_ns = now_ns
        self._is_live = is_live
        self._take = take
        self._missing: set[tuple[str, str]] = set()  # bot and symbol
        self._asking: set[tuple[str, str]] = set()
        self._asked: asyncio.Queue[tuple[BotRuntime, str]] = asyncio.Queue()
        self._silent: set[tuple[str, str]] = set()  # bot and symbol, as far as it was told

    async def catch_up(self, bot: BotRuntime, symbols: Collection[str] = ()) -> None:
        """Feed the bars that a bot has not seen, of all its symbols or of these.

        Only the newest may be decided on.

        Raises:
            RetryableError, RejectedError: the exchange does not tell them.
        """
        step_ns = bot.timeframe_s * NS_PER_S
        now_ns = self._now_ns()
        bars: list[Bar] = []
        for symbol in symbols or bot.symbols:
            since_ns = self._seen_until_ns(bot, symbol, now_ns)
            bars += await self._market.bars(symbol, bot.timeframe_s, since_ns)
        for bar in sorted(bars, key=lambda bar: bar.close_ns):
            fresh = now_ns - bar.close_ns < step_ns
            self._take(BarClosed(bar, live=self._is_live() and fresh))

    def _seen_until_ns(self, bot: BotRuntime, symbol: str, now_ns: int) -> int:
        """Where the bars begin that the bot has not seen: at first those that warm it up."""
        last = bot.bars.get(symbol)
        if last is not None:
            return last.close_ns
        step_ns = bot.timeframe_s * NS_PER_S
        warm_ns = (bot.warmup_bars + 1) * step_ns
        anchor_ns = self._anchor_ns(bot) or now_ns - warm_ns
        return max(anchor_ns, now_ns - max(warm_ns, LONGEST_HISTORY_BARS * step_ns))

    def heard(self, bar: Bar, bots: Collection[BotRuntime]) -> None:
        """A bar closed just now: it is taken, or asked for together with those before it."""
        for bot in bots:
            self._tell_silence(bot, bar)
        missing = [bot for bot in bots if bot.misses_bars_before(bar)]
        for bot in missing:
            log.info("bars missing", action="gap", bot=bot.name, symbol=bar.symbol)
            self._ask(bot, bar.symbol)
        if not missing:
            self._take(BarClosed(bar))

    def _tell_silence(self, bot: BotRuntime, bar: Bar) -> None:
        """Say once that a symbol keeps its bot waiting at each close, and once that it is back."""
        last = bot.bars.get(bar.symbol)
        if last is None or last.close_ns >= bar.close_ns:
            return  # of the close before, nobody can tell yet
        for symbol in bot.symbols:
            key, is_silent = (bot.name, symbol), symbol in bot.silent
            if is_silent and key not in self._silent:
                self._silent.add(key)
                log.warning(
                    "a symbol has no bars: each close waits for it, and is decided on without",
                    action="silent", bot=bot.name, symbol=symbol,
                )  # fmt: skip
            elif not is_silent and key in self._silent:
                self._silent.discard(key)
                log.info("bars again", action="silent_over", bot=bot.name, symbol=symbol)

    def may_miss(self, bots: Iterable[BotRuntime]) -> None:
        """The stream was interrupted: whatever closed meanwhile is asked for."""
        for bot in bots:
            for symbol in bot.symbols:
                self._ask(bot, symbol)

    def _ask(self, bot: BotRuntime, symbol: str) -> None:
        key = bot.name, symbol
        self._missing.add(key)
        if key not in self._asking:
            self._asking.add(key)
            self._asked.put_nowait((bot, symbol))

    async def run(self) -> None:
        """Ask for what is missing until it is there; one symbol's silence keeps no other waiting.

        Runs until cancelled.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                bot, symbol = await self._asked.get()
                group.create_task(self._fill(bot, symbol))

    async def _fill(self, bot: BotRuntime, symbol: str) -> None:
        key, pause_s = (bot.name, symbol), PAUSE_S
        while key in self._missing:
            # Before the question: what is missed while it is on its way is asked for again.
            self._missing.discard(key)
            try:
                await self.catch_up(bot, (symbol,))
            except (RetryableError, RejectedError) as error:
                why = str(error)
                log.warning("bars wait", action="gap_wait", bot=bot.name, symbol=symbol, why=why)
                self._missing.add(key)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._asking.discard(key)
