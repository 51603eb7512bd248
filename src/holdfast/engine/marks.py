"""Marks: what an account is worth at last prices, when that is journaled, when a drawdown halts.

Not here: the folds that losses are measured on (ledger.portfolio), refusing orders (engine.risk).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from holdfast.domain.action import Note
from holdfast.domain.fact import BY_RISK, Halted, HaltLevel, Marked
from holdfast.domain.limits import Limits
from holdfast.domain.market import Quote
from holdfast.domain.money import ZERO
from holdfast.engine.bot import BotRuntime
from holdfast.ledger.state import AccountState

MARK_EVERY_NS: Final = 300_000_000_000
NS_PER_DAY: Final = 86_400_000_000_000
WIDEST_PCT: Final = Decimal(5)
"""A spread wider than this tells no price, where no limit has a `price_band_pct`."""
_ONE: Final = Decimal(1)


class Marks:
    """Last prices, and the account valued at them.

    Attributes:
        prices: last price by symbol.
        bids: what is paid for it, by symbol: the best bid as it was told last, or the price of a
            bar since.
    """

    def __init__(
        self, account: AccountState, bots: Mapping[str, BotRuntime], limits: Limits
    ) -> None:
        self.prices: dict[str, Decimal] = {}
        self.bids: dict[str, Decimal] = {}
        self._account = account
        self._bots = bots
        self._watched: list[tuple[BotRuntime | None, Decimal]] = []
        self._widest_pct = WIDEST_PCT
        self.watch(limits)
        self._by_asset: dict[str, Decimal] = {}
        self._seen_ns: dict[str, int] = {}  # when a price was the market's, where it is known
        self._bought_ns: dict[str, int] = {}  # of one that a purchase of ours told
        self._equity: Decimal | None = None
        self._drawdowns: dict[str, Decimal] = {}  # at that equity, by bot, "" for the account
        self._valued_seq = -1  # the last fact that both know of; -1 when a price has moved since
        self._marked_ns = 0
        self._halting: set[str] = set()  # halts handed out and not yet in the journal

    def watch(self, limits: Limits) -> None:
        """See at each bar to the drawdowns that the account, or a bot, may not pass."""
        both = ((None, limits), *((bot, bot.limits) for bot in self._bots.values()))
        self._watched = [
            (bot, most) for bot, each in both if (most := each.max_drawdown_pct) is not None
        ]
        bands = (each.price_band_pct for _, each in both)
        self._widest_pct = min((band for band in bands if band is not None), default=WIDEST_PCT)

    def take(self, symbol: str, price: Decimal, at_ns: int | None = None) -> None:
        """The market's last price of `symbol`.

        Args:
            at_ns: exchange time of it; what has told one since stands: a bar that was asked for
                after a gap is older than the quotes that came meanwhile.
        """
        if at_ns is not None:
            if at_ns < self._seen_ns.get(symbol, at_ns):
                return
            self._seen_ns[symbol] = at_ns
        self._set(symbol, price, price)

    def see(self, quote: Quote) -> None:
        """The market's best bid and ask; without one of them they tell no price.

        That is the middle between them. Where they are further apart than `price_band_pct`, as
        when one side was swept for a moment, nobody pays the middle: the last price stands if it
        lies between them, and the next bar tells what became of it.
        They come in order, but most exchanges stamp none: by this host's clock, which may have been
        set back, so that only what a purchase has told since stands.
        """
        symbol, at_ns, bid, ask = quote.symbol, quote.at_ns, quote.bid, quote.ask
        if bid is None or ask is None or at_ns < self._bought_ns.get(symbol, at_ns):
            return
        price = (bid + ask) / 2
        if (ask - bid) * 100 > self._widest_pct * price:
            last = self.prices.get(symbol)
            if last is None or bid <= last <= ask:
                self.bids[symbol] = bid
                return  # it tells no price, so a bar that closed a moment before still does
            price = min(max(last, bid), ask)
        self._seen_ns[symbol] = at_ns
        self._set(symbol, price, min(bid, price))

    def _set(self, symbol: str, price: Decimal, bid: Decimal) -> None:
        self.prices[symbol] = price
        self.bids[symbol] = bid
        self._valued_seq = -1
        base, _, quote = symbol.partition("/")
        if quote == self._account.reporting:
            self._by_asset[base] = price

    def bought(self, symbol: str, price: Decimal, at_ns: int) -> None:
        """A purchase of ours tells that the market has fallen, before any quote has.

        Else a price from before it counts as its profit. It never raises a price: an order that
        walks through the book tells what it cost, not what is bid.
        """
        known = self.prices.get(symbol)
        if known is not None and price < known and at_ns > self._seen_ns.get(symbol, at_ns):
            self.take(symbol, price, at_ns)
            self._bought_ns[symbol] = at_ns

    def equity(self) -> Decimal | None:
        """Of the account, reporting units; None while a holding has no price.

        Valued once for all who ask before a price moves or a fact comes.
        """
        seq = self._account.seq
        if self._valued_seq != seq:
            self._equity = self._account.equity(self._by_asset)
            self._drawdowns.clear()
            self._valued_seq = seq
        return self._equity

    def mark_of(self, asset: str) -> Decimal | None:
        """Reporting units per unit of an asset; None without a price."""
        return _ONE if asset == self._account.reporting else self._by_asset.get(asset)

    def equity_in(self, asset: str) -> Decimal | None:
        """The account's equity in units of an asset; None while it or a price is missing."""
        equity, mark = self.equity(), self.mark_of(asset)
        return None if equity is None or mark is None else equity / mark

    def pnl(self, bot: BotRuntime) -> Decimal | None:
        """A bot's profit since it began, reporting units; None while its quote has no price.

        A position without a price counts zero. What it earned or lost in symbols that it trades no
        more is part of it.
        """
        if self.mark_of(bot.quote) is None:
            return None
        total = ZERO
        for symbol, position in self._account.bot(bot.name).positions.items():
            mark = self.mark_of(symbol.partition("/")[2])
            if mark is not None:
                total += position.pnl(self.prices.get(symbol, ZERO)) * mark
        return total

    def is_priced(self, bot: BotRuntime) -> bool:
        """Whether all that it trades has a price."""
        return self.prices.keys() >= bot.all_symbols

    def day_loss(self, bot: BotRuntime) -> Decimal | None:
        """Reporting units that a bot lost since 00:00 UTC, negative when it won; None as `pnl`."""
        pnl = self.pnl(bot)
        return None if pnl is None else self._account.units.day_pnl.get(bot.name, ZERO) - pnl

    def drawdown_pct(self, bot: BotRuntime | None) -> Decimal | None:
        """Of a bot, or of the account (None); None while equity, or a bot's quote, has no price.

        A bot without a price of what it trades stands where it stood.
        """
        equity = self.equity()
        if equity is None or (bot is not None and self.mark_of(bot.quote) is None):
            return None
        name = "" if bot is None else bot.name
        known = self._drawdowns.get(name)
        if known is None:
            known = self._drawdowns[name] = self._drawdown_pct(bot, equity)
        return known

    def _drawdown_pct(self, bot: BotRuntime | None, equity: Decimal) -> Decimal:
        units = self._account.units
        if bot is None:
            return units.drawdown_pct(equity)
        pnl = self.pnl(bot) if self.is_priced(bot) else None
        return ZERO if pnl is None else units.bot_drawdown_pct(bot.name, pnl, equity)

    def if_due(self, now_ns: int) -> list[Note]:
        """A mark every now and then, and at once where a day begins or a drawdown halts trading.

        A day's loss counts from its first mark: what is lost before it would be in no day's.
        """
        units = self._account.units
        last_ns = max(self._marked_ns, units.marked_ns)
        new_day = now_ns // NS_PER_DAY != last_ns // NS_PER_DAY
        due = new_day or now_ns - last_ns >= MARK_EVERY_NS
        if not (due or self._watched):
            return []
        equity = self.equity()
        if equity is None or units.units <= ZERO:
            return []
        halts = self._halts()
        if not (due or halts):
            return []
        self._marked_ns = now_ns
        marked = Marked(
            at_ns=now_ns,
            equity=equity,
            pnl={bot.name: pnl for bot, pnl in self._profits()},
            prices=dict(self.prices),
            new_day=new_day,
        )
        return [Note((marked, *halts))]

    def _profits(self) -> Iterator[tuple[BotRuntime, Decimal]]:
        """Of the bots whose profit can be told."""
        for bot in self._bots.values():
            pnl = self.pnl(bot) if self.is_priced(bot) else None
            if pnl is not None:
                yield bot, pnl

    def halted(self, fact: Halted) -> None:
        """A halt is in the journal."""
        self._halting.discard(fact.bot)

    def _halts(self) -> list[Halted]:
        """A halt for the account, and for each bot, whose drawdown reached its limit."""
        halts = []
        for bot, most in self._watched:
            drawdown = self.drawdown_pct(bot)
            if drawdown is None or drawdown < most:
                continue
            name = "" if bot is None else bot.name
            halted = self._account.halted if bot is None else self._account.bot(name).halted
            if not halted and name not in self._halting:
                self._halting.add(name)
                reason = f"drawdown {drawdown:.2f} % reached the limit of {most} %"
                halts.append(Halted(level=HaltLevel.ENTRIES, reason=reason, by=BY_RISK, bot=name))
        return halts
