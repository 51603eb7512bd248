"""What an execution costs: one rule for the local exchange and for backtests.

Not here: who pays in which asset (exchange.settlement, lab.settlement).
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

_SMALLEST = Decimal("0.00000001")


def fee_of(amount: Decimal, rate: Decimal) -> Decimal:
    """`rate` (a fraction) of `amount`, cut to eight decimals: never more than was held for it."""
    return (amount * rate).quantize(_SMALLEST, ROUND_DOWN)
