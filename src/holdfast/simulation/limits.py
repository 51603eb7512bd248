"""Limits of a bot that some seeds set: on one order, on orders that rest, on orders in a minute,
on what it may lose in a day.

Lives here: I8 of these, from rows and what the exchange has open. Not here: what may be held
(checker, sharing), what was lost (losses).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from holdfast.domain.fact import AnyFact, Armed, Refusal
from holdfast.domain.order import Side
from holdfast.simulation.clock import EPOCH_NS, WORLD
from holdfast.simulation.exposure import Exposure
from holdfast.simulation.losses import Losses
from holdfast.simulation.sharing import PRICES

LIMITED_SHARE = 0.25
ORDER_NOTIONAL = Decimal(1_400)  # more than what is wished in the end, less than is wished at times
MOST_LOST = Decimal(25)  # some four minutes of trading cost as much in fees
PRICES_APART = Decimal(15)  # a position at the price of the platform, less at that of the moment
MINUTE_S = 59.0  # of the world; a node's own clock may run a little faster
LONGEST_S = 2 * MINUTE_S  # nodes' clocks differ: stamps do not only rise
UNBOUND = 100_000
EPOCH_S = EPOCH_NS / 1e9
_UNKNOWN = "equity unknown"  # as the risk gate says it


class BotLimits(msgspec.Struct, frozen=True):
    """As `domain.limits.Limits` names them.

    Attributes:
        max_order_notional, max_daily_loss: quote units.
    """

    max_order_notional: Decimal | None = None
    max_open_orders: int | None = None
    max_orders_per_minute: int = UNBOUND
    max_daily_loss: Decimal | None = None

    def configured(self) -> dict[str, Any]:
        """As a configuration says it."""
        return {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in msgspec.structs.asdict(self).items()
            if value is not None
        }


UNLIMITED: Final = BotLimits()


def draw_limits(source: random.Random, *, may_wait: bool, has_prices: bool) -> BotLimits:
    """What binds each bot of a seed; in most nothing does.

    Args:
        may_wait: an order may have to wait for a limit; not where gaps are measured.
        has_prices: all that the account begins with has a price; nothing may be added under a
            limit on losses otherwise.
    """
    is_limited = may_wait and source.random() < LIMITED_SHARE
    notional = source.choice((None, ORDER_NOTIONAL))
    rests = source.choice((None, 3, 4))  # the two exits of a position, and what adds to it
    a_minute = source.choice((UNBOUND, 20, 35))
    loss = source.choice((None, MOST_LOST)) if has_prices else None
    return BotLimits(notional, rests, a_minute, loss) if is_limited else UNLIMITED


class Limited:
    """Holds each purchase against them.

    Attributes:
        waits: bots that were refused for them, rightly, and armed no purchase since.
    """

    def __init__(self, limits: BotLimits, exposure: Exposure, losses: Losses) -> None:
        self.waits: set[str] = set()
        self._limits = limits
        self._exposure = exposure
        self._losses = losses
        self._armed: dict[str, deque[tuple[float, Armed]]] = {}  # with when each was durable

    def take(self, fact: AnyFact) -> None:
        """A fact became durable."""
        if isinstance(fact, Armed):
            if fact.spec.side is Side.BUY:
                self.waits.discard(fact.bot)
            self._armed.setdefault(fact.bot, deque()).append((WORLD.now_s, fact))
        elif isinstance(fact, Refusal) and self._is_true(fact):
            self.waits.add(fact.bot)

    def faults(self, fact: Armed, price: Decimal) -> Iterator[str]:
        """Why a purchase may not be armed; it has not been taken yet.

        Args:
            price: quote units of one of it.
        """
        limits, spec = self._limits, fact.spec
        cost = spec.quantity * price
        if limits.max_order_notional is not None and cost > limits.max_order_notional * PRICES:
            yield f"an order of {cost}, beyond {limits.max_order_notional}"
        most = limits.max_open_orders
        if most is not None:
            beside = self._beside(fact.bot)
            rests = sum(
                row.cid not in beside
                for side in Side
                for row in self._exposure.rows(fact.bot, spec.symbol, side)
            )
            if rests >= most:
                yield f"armed beside {rests} that may rest, of {most}"
        if self._lately(fact.bot, _stamped_s(fact)) >= limits.max_orders_per_minute:
            yield f"more than {limits.max_orders_per_minute} in a minute"
        lost, _ = self._losses.of(fact.bot)
        if limits.max_daily_loss is not None and lost >= limits.max_daily_loss + PRICES_APART:
            yield f"armed more after a loss of {lost:.2f}, beyond {limits.max_daily_loss}"

    def is_too_large(self, cost: Decimal) -> bool:
        """Whether one order may not cost so much."""
        most = self._limits.max_order_notional
        return most is not None and cost > most

    def _is_true(self, refusal: Refusal) -> bool:
        """Whether a bot was refused for one of those that bind it for long, rightly."""
        bot, limits = refusal.bot, self._limits
        if refusal.rule == "max_orders_per_minute":
            now_s = WORLD.now_ns / 1e9 - EPOCH_S
            return self._lately(bot, now_s) >= limits.max_orders_per_minute
        if refusal.rule == "max_daily_loss" and limits.max_daily_loss is not None:
            if refusal.seen == _UNKNOWN:
                return self._losses.is_unknown()
            return self._losses.of(bot)[1] >= limits.max_daily_loss - PRICES_APART
        return False

    def _lately(self, bot: str, until_s: float) -> int:
        """Orders of the minute until then, as they are stamped: a slow journal makes some durable
        seconds later."""
        armed = self._armed.setdefault(bot, deque())
        while armed and _stamped_s(armed[0][1]) < until_s - LONGEST_S:
            armed.popleft()
        beside = self._beside(bot)
        return sum(
            _stamped_s(fact) >= until_s - MINUTE_S and fact.cid not in beside for _, fact in armed
        )

    def _beside(self, bot: str) -> set[str]:
        """Sales that became durable together with what is looked at, and may be approved after it;
        they wait for none of these limits."""
        return {
            fact.cid
            for durable_s, fact in self._armed.get(bot, ())
            if durable_s == WORLD.now_s and fact.spec.side is Side.SELL
        }


def _stamped_s(fact: Armed) -> float:
    return fact.timestamp_ms / 1e3 - EPOCH_S
