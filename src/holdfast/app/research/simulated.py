"""An account in the past: the engine that trades live, and a venue that is simulated.

Lives here: what backtests over bars and those over recorded trades share: from what a venue says to
facts and fills, and what is left in the end. Not here: time, and when a venue is asked (backtest,
tape_backtest).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from holdfast.app.research.outcomes import facts_of
from holdfast.app.research.stepped import SteppedAccount
from holdfast.domain.action import Arm
from holdfast.domain.event import Committed
from holdfast.domain.fact import AnyFact
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import BarColumns, exact
from holdfast.domain.money import ZERO
from holdfast.domain.order import IdKind, OrderState
from holdfast.engine.bot import BotRuntime
from holdfast.engine.situation import resting_profits
from holdfast.engine.step import Engine
from holdfast.errors import RejectedError
from holdfast.lab.settlement import Outcome
from holdfast.ledger.state import AccountState, LiveOrder

BOT = "backtest"
UNLIMITED = Limits(price_band_pct=None, max_orders_per_minute=None)


class Run(msgspec.Struct, frozen=True):
    """What happened.

    Attributes:
        markets: the bars of each symbol, the bot's own first.
        times_ns: every close of any of them, UTC nanoseconds.
        fills: in order; `fill_times` is the number of the close before which each fell.
        cash: quote units at the end.
        held: base units at the end, by symbol.
        orders, rejected: attempts armed, and how many of them the venue refused.
        refused: what the risk gate kept back.
        ambiguous_bars: see `BarVenue`.
        run_s: wall time of the stepping alone, with the reading of trades and books.
        idle: symbols of which the strategy has declared nothing, and wished nothing.
        asked: whether the strategy was asked at all.
        warmup_bars: after which its indicators should have been ready.
    """

    markets: Sequence[BarColumns]
    times_ns: Sequence[int]
    opening_cash: Decimal
    fills: Sequence[Fill]
    fill_times: Sequence[int]
    cash: Decimal
    held: Mapping[str, Decimal]
    orders: int
    rejected: int
    refused: int
    ambiguous_bars: int
    run_s: float
    idle: Sequence[str] = ()
    asked: bool = True
    warmup_bars: int = 1

    @property
    def final_equity(self) -> Decimal:
        """With the last positions marked at the last closes, in quote units."""
        worth = (self.held[bars.symbol] * exact(bars.close[-1]) for bars in self.markets)
        return self.cash + sum(worth, start=ZERO)


class SimulatedAccount(SteppedAccount):
    """One account and one bot.

    Args:
        instruments: of the bot's symbols, its own first.
        cash: quote units to begin with.
        begins_ns: when its bars begin, UTC nanoseconds.
        lists: the venue takes order lists, where the instrument does.
    """

    def __init__(
        self,
        bot: BotRuntime,
        instruments: Sequence[Instrument],
        cash: Decimal,
        *,
        begins_ns: int,
        lists: bool,
    ) -> None:
        super().__init__(Engine(AccountState(), (bot,), UNLIMITED, lists=lists), BOT)
        self.bot = bot
        self.now_ns = begins_ns
        self._quote = instruments[0].quote
        self._cash = cash
        self._at = 0  # the number of the next close
        self._seq = 0
        self._fills: list[Fill] = []
        self._fill_times: list[int] = []
        self._rejected = 0
        self._asked = False
        self._warmup_bars = bot.warmup_bars
        self.begin(
            instruments,
            {self._quote: cash},
            reporting=self._quote,
            deployment=BOT,
            anchor_ns=begins_ns,
        )

    def _found(
        self,
        markets: Sequence[BarColumns],
        times_ns: Sequence[int],
        *,
        run_s: float,
        orders: int = 0,
        ambiguous_bars: int = 0,
    ) -> Run:
        """What happened.

        Args:
            orders: that the engine knows nothing of.
        """
        account = self.engine.account
        holdings = account.holdings
        # What arrives within a bar arrives in each symbol by itself.
        made = list(zip(self._fill_times, self._fills, strict=True))
        made.sort(key=lambda one: (one[0], one[1].at_ns))
        return Run(
            markets=markets,
            times_ns=times_ns,
            opening_cash=self._cash,
            fills=[fill for _, fill in made],
            fill_times=[at for at, _ in made],
            cash=holdings[self._quote],
            held={m.symbol: holdings.get(m.symbol.split("/")[0], ZERO) for m in markets},
            orders=account.counters.attempts + orders,
            rejected=self._rejected,
            refused=account.counters.refusals,
            ambiguous_bars=ambiguous_bars,
            run_s=run_s,
            idle=self._idle_symbols(),
            asked=self._asked,
            warmup_bars=self._warmup_bars,
        )

    def _idle_symbols(self) -> list[str]:
        on = self.bot.setup
        looked_at = {*on.books, *on.last_trades, *(symbol for symbol, _ in on.series)}
        wished = {leg.symbol for leg in self.engine.account.bots[BOT].legs}
        return [one for one in self.bot.symbols[1:] if one not in looked_at | wished]

    def _arm(self, action: Arm) -> None:
        """Orders and what the venue says to them at once are one group: nothing lies between."""
        facts: list[AnyFact] = [] if action.decided is None else [action.decided]
        for order in action.orders:
            request = self._attempts(order)
            facts += (*request, *self._send(request))
        self._commit(*facts)

    def _cancel(self, cid: str) -> None:
        """A cancel and what the venue says to it at once are one group too."""
        live = self.engine.account.live.get(cid)
        if live is not None:
            self._commit(self._cancel_of(live), *self._take_back(live))

    def _watched(self, symbol: str) -> Decimal | None:
        """The take-profit that the price is watched for; None where it rests at the venue."""
        account = self.engine.account
        exits = account.bots[BOT].exits.get(symbol)
        if exits is None or resting_profits(account, BOT, symbol):
            return None
        return exits.take_profit

    def _book(self, outcomes: Iterable[Outcome]) -> None:
        """One after the other: the engine may act on each."""
        for outcome in outcomes:
            self.now_ns = max(self.now_ns, outcome.at_ns)
            self._commit(*self._facts_of(outcome, self.engine.account.live[outcome.cid]))
            self._carry_out()

    def _facts_of(
        self, outcome: Outcome, live: LiveOrder, mate: LiveOrder | None = None
    ) -> list[AnyFact]:
        """What became of an order, and of the other of its list in the same moment.

        Args:
            mate: that other one, where the account does not know it yet.
        """
        self._rejected += outcome.state is OrderState.REJECTED
        self._fills += outcome.fills
        self._fill_times += [self._at] * len(outcome.fills)
        facts = facts_of(outcome, live)
        other = outcome.mate
        if other is not None:
            facts += self._facts_of(other, mate or self.engine.account.live[other.cid])
        return facts

    def _id(self, intent: str, n: int, kind: IdKind, part: int = 0) -> str:
        """As unique as a real client order id, which is a digest: no exchange reads this one."""
        return f"{intent}/{n}/{kind.value}{part or ''}"

    def _commit(self, *facts: AnyFact) -> None:
        """Fold facts as if they were journaled; what the engine asks for is queued, not nested."""
        left = len(facts)
        for fact in facts:
            left -= 1
            self._seq += 1
            event = Committed(self._seq, self.now_ns, fact, left > 0)
            self._queue.extend(self.engine.step(event))

    def _broken(self, at: int, why: str) -> RejectedError:
        return RejectedError("strategy", f"seen: {why}, in bar {at}; do: correct the strategy")
