"""Limits of a bot or an account, and halts. Null means no limit.

Not here: checking them (engine.risk).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from holdfast.api.shapes.base import Amount, In, Out, PositiveAmount, Reason, Symbol
from holdfast.domain.guard import HaltLevel

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Symbols = Annotated[tuple[Symbol, ...], msgspec.Meta(max_length=200)]


class LimitsIn(In, frozen=True, kw_only=True):
    """Limits as they are to be, whole.

    Attributes:
        max_order_notional: quote units of one order.
        max_position_notional: quote units of one symbol.
        max_open_orders: resting or on their way.
        price_band_pct: how far a limit price may lie on the losing side of the market.
        max_orders_per_minute: armed in any 60 s.
        max_daily_loss: reporting units since 00:00 UTC.
        max_drawdown_pct: of the peak; beyond it trading halts.
        symbols: the only ones allowed; empty allows all.
    """

    max_order_notional: PositiveAmount | None = None
    max_position_notional: PositiveAmount | None = None
    max_open_orders: Count | None = None
    price_band_pct: PositiveAmount | None = "5"
    max_orders_per_minute: Count | None = 60
    max_daily_loss: PositiveAmount | None = None
    max_drawdown_pct: PositiveAmount | None = None
    symbols: Symbols = ()


class LimitsOut(Out, frozen=True, kw_only=True):
    """Limits as they are in force."""

    max_order_notional: Amount | None = None
    max_position_notional: Amount | None = None
    max_open_orders: int | None = None
    price_band_pct: Amount | None = None
    max_orders_per_minute: int | None = None
    max_daily_loss: Amount | None = None
    max_drawdown_pct: Amount | None = None
    symbols: tuple[str, ...] = ()


class Halt(In, frozen=True, kw_only=True):
    """What is to stop.

    Attributes:
        level: `entries`: nothing adds exposure; `cancel`: and nothing rests but what protects a
            position; `flatten`: and what bots hold is sold, which asks for a confirmed session.
    """

    level: HaltLevel = HaltLevel.ENTRIES
    reason: Reason = ""
