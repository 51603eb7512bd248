"""Which closes a backtest's engine need not see: nothing is missing there, and no wish changes.

Lives here: the exact look at what is missing, once for many closes, and the quick one at prices,
in floats, at each of them. It errs on one side only: near an edge the engine is asked, and works it
out exactly. Not here: the loop over closes (backtest), what the engine would do (engine).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from holdfast.app.research.timeline import Market
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.engine.protect import TRAIL_STEP
from holdfast.engine.situation import MARKET_CUSHION
from holdfast.engine.step import Engine
from holdfast.ledger.state import BotState
from holdfast.strategy.wish import Target, Wish

_BUY = Side.BUY
_DOUBT = 1e-9
"""A float that is worked out here is off by some 1e-15 of itself; so far from an edge it is sure.
Prices have 15 digits at most, so a close is never by chance so near."""


class _Drift(NamedTuple):
    """A target by weight, or by amount (`weight` is None), that is traded back when it has drifted.

    Attributes:
        target, band: base units, as its decision fixed them.
        held: base units of the bot.
        bids: quote units that its open orders have reserved, which it may bid with anew.
        slack: of what is rounded: one quantity step.
    """

    market: Market
    weight: float | None
    amount: float
    target: float
    band: float
    held: float
    bids: float
    slack: float


class Settled:
    """What one bot's engine would make of closes at which the same is wished.

    Attributes:
        is_calm: it would do nothing, whatever the prices.
        sees_all: it is shown every close.
    """

    __slots__ = (
        "_by_symbol", "_cash", "_drifts", "_engine", "_free", "_holdings", "_is_known", "_markets",
        "_restless", "_rises", "_runtime", "is_calm", "sees_all",
    )  # fmt: skip

    def __init__(self, engine: Engine, bot: BotRuntime, markets: Sequence[Market]) -> None:
        self._engine = engine
        self._runtime = bot
        self._markets = markets
        self._by_symbol = {market.symbol: market for market in markets}
        # Such limits are measured on what was earned or lost before, close by close.
        limits = bot.limits
        self.sees_all = limits.max_drawdown_pct is not None or limits.max_daily_loss is not None
        self.is_calm = self._is_known = self._restless = False
        self._rises: list[tuple[Market, float]] = []  # closes from which on a stop is raised
        self._drifts: list[_Drift] = []
        self._cash = self._free = 0.0  # quote units
        self._holdings: list[tuple[Market, float]] = []  # of the account, base units

    def stir(self) -> None:
        """Something has happened: look anew, when somebody asks."""
        self.is_calm = self._is_known = False

    def is_restless(self) -> bool:
        """Whether it wants to see the next close, whatever is wished and whatever the prices."""
        account, bot = self._engine.account, self._runtime
        state = account.bots[bot.name]
        # Waits for time end in nothing where nothing is missing, cancelled or to be protected.
        waits = self._engine.wake_ns and (
            state.exits or any(order.cancelled_ns for order in account.live.values())
        )
        return bool(
            waits or bot.refusals or bot.due or self.sees_all or not self._has_all(state)
        )

    def stirs(self, at: int, wish: Wish) -> bool:
        """Whether it may have something to do at close number `at`, where `wish` stands still."""
        if not self._is_known:
            self._look(wish)
        if self._restless:
            return True
        for market, rise_to in self._rises:
            if market.bars.close[market.newest(at)] >= rise_to:
                return True
        return bool(self._drifts) and self._has_drifted(at)

    def _look(self, wish: Wish) -> None:
        """Work out what is to be seen while `wish` stands."""
        self._is_known = True
        self._restless = self.is_restless()
        if self._restless:
            return
        account = self._engine.account
        state, quote = account.bots[self._runtime.name], self._runtime.quote
        self._rises = self._trailing(state)
        self._drifts = self._drifting(state, wish)
        self.is_calm = not (self._rises or self._drifts)
        if self._drifts:
            self._cash, self._free = float(account.holdings[quote]), float(account.free(quote))
            held = account.holdings
            self._holdings = [
                (one, float(held.get(one.venue.instrument.base, ZERO))) for one in self._markets
            ]

    def _has_drifted(self, at: int) -> bool:
        """Whether a target has left its band, and can be had (engine.decide)."""
        equity = self._cash
        for market, held in self._holdings:
            equity += held * market.bars.close[market.newest(at)]
        drifted: list[tuple[_Drift, float, float]] = []
        for one in self._drifts:
            price = one.market.bars.close[one.market.newest(at)]
            size = (one.amount if one.weight is None else max(0.0, one.weight * equity)) / price
            beyond, doubt = abs(size - one.target) - one.band, _DOUBT * (size + one.target)
            if abs(beyond) <= doubt:
                return True  # too near to tell
            if beyond > 0:
                drifted.append((one, price, size))
        return bool(drifted) and _can_be_had(drifted, self._free)

    def _has_all(self, state: BotState) -> bool:
        """Whether nothing is missing, whatever the price."""
        coming: dict[str, Decimal] = {}
        for order in self._engine.account.live.values():
            signed = order.outstanding if order.armed.spec.side is _BUY else -order.outstanding
            coming[order.armed.leg] = coming.get(order.armed.leg, ZERO) + signed
        for leg in state.legs:
            if leg.target is None:
                if leg.leg not in coming:
                    return False
                continue
            symbol = leg.symbol
            target = ZERO if state.spent.get(symbol) == leg.episode else leg.target
            missing = target - state.held(symbol) - coming.get(leg.leg, ZERO)
            if not missing:
                continue
            missing = self._by_symbol[symbol].venue.instrument.floor_quantity(abs(missing))
            if missing and not (target and missing < leg.band):
                return False
        return True

    def _trailing(self, state: BotState) -> list[tuple[Market, float]]:
        """From which closes on stops are raised (engine.protect)."""
        rises = []
        for leg in state.legs:
            exits = state.exits.get(leg.symbol) if leg.trail else None
            if exits is not None and exits.stop is not None and leg.stop_pct is not None:
                share = float(1 - leg.stop_pct / 100 * (1 + TRAIL_STEP))
                if share > 0:
                    rise_to = float(exits.stop) / share * (1 - _DOUBT)
                    rises.append((self._by_symbol[leg.symbol], rise_to))
        return rises

    def _drifting(self, state: BotState, wish: Wish) -> list[_Drift]:
        """Targets by weight or amount that may leave their band."""
        wishes = wish if isinstance(wish, Mapping) else {self._runtime.symbol: wish}
        drifts = []
        for symbol, one in wishes.items():
            if not isinstance(one, Target) or one.quantity is not None or not one.band:
                continue
            leg = state.target(symbol)
            if leg is None or leg.target is None or state.spent.get(symbol) == one.episode:
                continue
            market = self._by_symbol[symbol]
            drift = _Drift(
                market,
                weight=None if one.weight is None else float(one.weight),
                amount=float(one.amount or 0),
                target=float(leg.target),
                band=float(leg.band),
                held=float(state.held(symbol)),
                bids=self._bids(symbol),
                slack=float(market.venue.instrument.quantity_step),
            )
            drifts.append(drift)
        return drifts

    def _bids(self, symbol: str) -> float:
        quote = self._runtime.quote
        orders = self._engine.account.orders(symbol, self._runtime.name)
        return float(sum(o.reserve for o in orders if o.armed.reserve_asset == quote))


def _can_be_had(drifted: Sequence[tuple[_Drift, float, float]], free: float) -> bool:
    """Whether one of the targets that have drifted leaves its band given what can be paid for.

    Where weights ask for more than that, all get the same part (engine.decide). What was bought for
    all there was drifts on without end otherwise: nothing can be bought, and nothing is sold.

    Args:
        drifted: each with its price, and the size that is wanted.
        free: quote units, without what these targets bid with already.
    """
    cost, cushion = 0.0, float(MARKET_CUSHION)
    funds = free + sum(one.bids for one, _, _ in drifted)
    for one, price, size in drifted:
        change = size - one.held
        if change < 0:
            funds -= change * price / cushion
        elif one.weight is not None:
            cost += change * price * cushion
    share = min(1.0, max(0.0, funds) / cost) if cost > 0 else 1.0
    for one, _, size in drifted:
        change = size - one.held
        had = size if one.weight is None or change < 0 else one.held + change * share
        beyond = abs(had - one.target) - one.band
        if beyond + one.slack + _DOUBT * (size + one.target + one.held) > 0:
            return True
    return False
