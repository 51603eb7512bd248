"""The short way of a plain target in a backtest: from the wish to the fill, without the engine.

Where nothing can be refused, be in doubt, rest or protect, the engine makes of a plain target one
market order for what is missing, and the next open fills it. Here that is worked out directly, and
only the fill is folded. Whatever is not as plain as that goes the engine's way from its close on.
`test_the_short_way_changes_nothing` compares both. Not here: when this may be done (backtest).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from holdfast.app.research.timeline import Market
from holdfast.domain.fact import Decided, Leg
from holdfast.domain.fill import Fill
from holdfast.domain.market import exact
from holdfast.domain.money import ZERO
from holdfast.domain.order import OrderSpec, OrderType, Side
from holdfast.engine.resolve import wish_text
from holdfast.engine.situation import MARKET_CUSHION
from holdfast.ledger.state import AccountState, BotState
from holdfast.strategy.wish import FLAT, Target, Wish

_BUY, _SELL, _MARKET = Side.BUY, Side.SELL, OrderType.MARKET


class Express:
    """Orders of one bot in one market.

    Attributes:
        waiting: an order waits for the next open.
        at: the number of the close that it was wished at.
        wish: the one that stands by this way; None when the engine knows it.
        orders: how many were made this way.
    """

    __slots__ = (
        "_account", "_bot", "_market", "_order", "_state", "at", "orders", "waiting", "wish",
    )  # fmt: skip

    def __init__(self, account: AccountState, bot: str, market: Market) -> None:
        self._account = account
        self._bot = bot
        self._state = account.bots[bot]
        self._market = market
        self._order: OrderSpec | None = None
        self.waiting = False
        self.at = 0
        self.wish: Wish | None = None
        self.orders = 0

    def takes(self, wish: Wish, at: int) -> bool:
        """Order what a wish needs at close number `at`; False when that is the engine's to do."""
        target = _plain_target(wish)
        if target is None:
            return False
        market, account = self._market, self._account
        instrument = market.venue.instrument
        held = self._state.held(instrument.symbol)
        missing = instrument.floor_quantity(target) - held
        quantity = instrument.floor_quantity(abs(missing))
        price = exact(market.bars.close[market.index[at]])
        if quantity >= instrument.smallest_order(price):
            buys = missing > ZERO
            most = instrument.market_max_quantity or instrument.max_quantity
            free = account.holdings.get(instrument.quote if buys else instrument.base, ZERO)
            need = quantity * price * MARKET_CUSHION if buys else quantity
            if need > free or quantity > most or quantity > instrument.max_quantity:
                return False
            self._order = OrderSpec(
                symbol=instrument.symbol,
                side=_BUY if buys else _SELL,
                type=_MARKET,
                quantity=quantity,
            )
            self.waiting = market.venue.at_market = True
            self.orders += 1
        self.at, self.wish = at, wish
        return True

    def fill(self, number: int) -> Fill | None:
        """What the bar's open makes of the order; None when the venue refuses it."""
        market, order = self._market, self._order
        assert order is not None, "an order waits"  # noqa: S101
        self.waiting = False
        venue, bars = market.venue, market.bars
        price, at_ns = exact(bars.open[number]), bars.open_ns[number]
        venue.submit(f"{order.symbol} {self.orders}", order, price, at_ns)
        (outcome,) = venue.open(price, at_ns)
        return outcome.fills[0] if outcome.fills else None

    def give_back(self) -> Wish:
        """The wish whose order was refused: it is made once more, by the engine."""
        wish, self.wish = self.wish, None
        assert wish is not None, "an order has a wish"  # noqa: S101
        self.orders -= 1
        return wish

    def decided(self, time_ns: int) -> Decided | None:
        """The standing wish as the engine is to know it, once."""
        wish, self.wish = self.wish, None
        if wish is None:
            return None
        state, instrument = self._state, self._market.venue.instrument
        symbol = instrument.symbol
        assert not isinstance(wish, Mapping), "it is plain"  # noqa: S101
        target = _plain_target(wish) or ZERO
        number = state.number + 1
        return Decided(
            bot=self._bot,
            number=number,
            key=str(number),
            config_version=state.config_version,
            wish=wish_text(wish),
            legs=(Leg(leg=symbol, symbol=symbol, target=instrument.floor_quantity(target)),),
            seen_ns=time_ns,
        )


def is_plain(state: BotState) -> bool:
    """Whether nothing of a bot's standing decision asks for more than a position."""
    return not (state.exits or state.spent) and all(
        leg.target is not None and leg.price is None and not leg.has_exits for leg in state.legs
    )


def _plain_target(wish: Wish) -> Decimal | None:
    """Base units, when that is all that is wished."""
    if wish is FLAT:
        return ZERO
    return wish.quantity if isinstance(wish, Target) and wish.is_plain else None
