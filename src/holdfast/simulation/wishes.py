"""What bots wish, and whether orders carry that out: once, and with the stops that it asks for.

Lives here: I14, from the journal's decisions and what the exchange did. Not here: limits and halts,
which hold whatever is wished (checker).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from holdfast.app.demo.told import Told
from holdfast.domain.fact import AnyFact, Armed, Decided, Filled, Leg
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.orders import Order
from holdfast.simulation.exposure import Exposure

_EXITS = frozenset({"stop", "take_profit", "exits", "flatten"})
"""How legs end whose orders take a position off by themselves."""


class Wishes:
    """The standing decision of each bot of one account.

    Attributes:
        standing: by bot.
    """

    def __init__(self, told: Told, exposure: Exposure) -> None:
        self.standing: dict[str, Decided] = {}
        self._told = told
        self._exposure = exposure
        self._left: set[tuple[str, str]] = set()  # where an exit fired: what is wished is spent
        self._spent: dict[tuple[str, str], int] = {}  # under which decision that was

    def take(self, fact: AnyFact) -> None:
        """A fact became durable."""
        if isinstance(fact, Decided):
            self.standing[fact.bot] = fact
            for leg in fact.legs:
                if not leg.target:
                    self._left.discard((fact.bot, leg.symbol))
        elif isinstance(fact, Filled):
            self.executed(fact.fill.cid)

    def executed(self, cid: str) -> None:
        """Some of an order executed, or that was booked."""
        attempt = self._told.attempts.get(cid)
        if attempt is not None and attempt.armed.leg.rpartition("|")[2] in _EXITS:
            key = attempt.armed.bot, attempt.armed.spec.symbol
            self._left.add(key)
            if (standing := self.standing.get(key[0])) is not None:
                self._spent[key] = standing.number

    def fault(self, fact: Armed) -> str:
        """Why what stands does not ask for an order that is armed now; empty when it does.

        With every doubt and open order counted as filled no target is bought beyond, and with every
        sale counted none is sold below; of a level of quotes there is one order at a time.
        """
        spec, bot = fact.spec, fact.bot
        standing = self.standing.get(bot)
        legs = standing.legs if standing is not None else ()
        leg = next((leg for leg in legs if leg.leg == fact.leg), None)
        held = self._exposure.held(bot, spec.symbol)
        under_way = self._exposure.outstanding(bot, spec.symbol, spec.side)
        if spec.side is Side.BUY:
            most = held + under_way + spec.quantity
            if leg is None:
                return "bought, and nothing that stands asks for it"
            if leg.target is not None and most > leg.target:
                return f"{most} would be bought of a target of {leg.target}"
        elif fact.part <= 1:  # what comes after it in a list shares its quantity
            keep = ZERO
            if leg is not None and leg.target and not leg.has_exits:
                keep = ZERO if (bot, spec.symbol) in self._left else leg.target
            least = held - under_way - spec.quantity
            if least < keep:
                return f"sold down to {least}, and {keep} is to be kept"
        if leg is not None and leg.target is None:
            for other in self._exposure.rows(bot, spec.symbol, spec.side):
                if other.leg == fact.leg:
                    return f"armed beside {other.cid}, which is of the same level"
        return ""

    def unmet(self, smallest: Mapping[str, Decimal]) -> Iterator[tuple[str, Leg, str]]:
        """Bots, legs that have a target at any price, and how far from it they are.

        For a moment at which nothing moves.

        Args:
            smallest: base units by symbol, of which less is not traded.
        """
        for bot, standing in self.standing.items():
            for leg in standing.legs:
                key, at_any_price = (bot, leg.symbol), leg.price is None and leg.cap_pct is None
                if leg.target is None or not at_any_price:
                    continue
                if self._spent.get(key) == standing.number:
                    continue  # an exit fired
                held = self._exposure.held(*key)
                if abs(held - leg.target) >= max(smallest[leg.symbol], leg.band):
                    yield bot, leg, f"{bot} holds {held} {leg.symbol}, and wishes {leg.target}"

    def unprotected(
        self, orders: Iterable[Order], smallest: Mapping[str, Decimal]
    ) -> Iterator[str]:
        """Positions without the stop that stands for them; for a moment at which nothing moves.

        Args:
            orders: all that the exchange has open.
            smallest: base units by symbol, of which less need not be protected.
        """
        guarded: dict[tuple[str, str], Decimal] = {}
        for order in orders:
            attempt = self._told.attempts.get(order.client_order_id)
            if attempt is not None and order.side is Side.SELL and order.stop_price is not None:
                key = (attempt.armed.bot, order.symbol)
                guarded[key] = guarded.get(key, ZERO) + order.remaining
        for bot, standing in self.standing.items():
            for leg in standing.legs:
                key = (bot, leg.symbol)
                if (leg.stop is None and leg.stop_pct is None) or key in self._left:
                    continue
                held, stops = self._exposure.held(*key), guarded.get(key, ZERO)
                if held - stops >= smallest[leg.symbol]:
                    yield f"{bot} holds {held} {leg.symbol}, and stops sell {stops} of it"
