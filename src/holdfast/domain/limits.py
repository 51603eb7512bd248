"""Limits on what a bot or an account may do. None means no limit.

Not here: checking them (engine.risk).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one bot or of one account; both are checked and the tighter one binds.

    All but `price_band_pct` and `symbols` bind only what adds exposure. What rests already when a
    limit is tightened stays, but for bids after a day's loss or a drawdown.

    Attributes:
        max_order_notional: quote units of one order; what only reduces is split instead, but for
            stops.
        max_position_notional: quote units of one symbol, doubts and open orders counted as filled.
        max_open_orders: orders resting or on their way.
        price_band_pct: how far a limit price may lie on the losing side of the market; and how far
            bid and ask may be apart for the middle to be a price.
        max_orders_per_minute: attempts armed in any 60 s, by the time that is signed into each.
        max_daily_loss: reporting units since 00:00 UTC; when it is reached resting bids are taken
            back, and the next day, or when it is won back, wishes are carried out again by
            themselves: it halts nothing. While the loss cannot be told nothing is added, and what
            rests stays.
        max_drawdown_pct: of the peak; beyond it trading halts until a person resumes it.
        symbols: the only ones allowed; empty allows all.
    """

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_open_orders: int | None = None
    price_band_pct: Decimal | None = Decimal(5)
    max_orders_per_minute: int | None = 60
    max_daily_loss: Decimal | None = None
    max_drawdown_pct: Decimal | None = None
    symbols: tuple[str, ...] = ()


class _Limited(msgspec.Struct):
    limits: Limits


def limits_in(config: str) -> Limits:
    """The limits in a bot's configuration, JSON."""
    return msgspec.json.decode(config, type=_Limited).limits


def read_limits(text: str) -> Limits:
    """The limits that `text` is the JSON of."""
    return msgspec.json.decode(text, type=Limits)


def tighter(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The one that binds; None when there is no limit."""
    return min((x for x in (one, other) if x is not None), default=None)
