"""Figures as objectives: which way is better, how two spans compare, several runs as one.

Not here: the figures of one run (lab.figures).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from holdfast.domain.money import ZERO
from holdfast.errors import ConfigError
from holdfast.lab.figures import even_prices, figures
from holdfast.lab.result import Result
from holdfast.lab.round_trips import round_trips

Direction = Literal["maximize", "minimize"]

DIRECTIONS: Mapping[str, Direction] = {
    "final_equity": "maximize",
    "return_pct": "maximize",
    "cagr_pct": "maximize",
    "sharpe": "maximize",
    "sortino": "maximize",
    "calmar": "maximize",
    "win_rate_pct": "maximize",
    "profit_factor": "maximize",
    "round_trips": "maximize",
    "max_drawdown_pct": "minimize",
    "longest_drawdown_days": "minimize",
    "exposure_pct": "minimize",
    "fees": "minimize",
    "orders": "minimize",
    "fills": "minimize",
    "rejected": "minimize",
    "ambiguous_bars": "minimize",
}
_NOT_OF_THE_PARAMETERS = ("bars", "buy_hold_return_pct", "run_seconds", "bars_per_second")
# What twice as many bars make about twice as much of.
_GROWING = frozenset({
    "return_pct", "round_trips", "fees", "orders", "fills", "rejected", "ambiguous_bars",
})  # fmt: skip
_SUMS = ("orders", "rejected", "ambiguous_bars")


def direction_of(objective: str) -> Direction:
    """Which way of a figure is better.

    Raises:
        ConfigError: there is no such figure, or no parameter moves it.
    """
    if objective in _NOT_OF_THE_PARAMETERS:
        raise ConfigError(
            f"seen: --objective {objective}, which does not depend on parameters; expected: one "
            f"of {', '.join(DIRECTIONS)}"
        )
    if objective not in DIRECTIONS:
        raise ConfigError(
            f"seen: --objective {objective}; expected: one of {', '.join(DIRECTIONS)}"
        )
    return DIRECTIONS[objective]


def number_of(value: object) -> float | None:
    """A figure as an optimiser counts it; None is undefined."""
    return float(value) if isinstance(value, int | float | Decimal) else None


def comparable(objective: str, value: float | None, bars: int, cash: Decimal) -> float | None:
    """A figure so that runs over other numbers of bars, or with other cash, can be compared."""
    if value is None:
        return None
    if objective == "final_equity":
        return (value / float(cash) - 1) / bars
    return value / bars if objective in _GROWING else value


def joined(results: Sequence[Result]) -> dict[str, Any]:
    """The figures of runs that followed each other, each with the cash that the last one left.

    Counts and fees add up; what is of equity is of the joined curve; round trips are those that a
    run finished itself, as no position is carried from one to the next.
    """
    # Without fills, which would pair a buy of one run with a sale of the next.
    whole = figures(
        cash=results[0].cash,
        times_ns=[at for one in results for at in one.close_ns],
        equity=[at for one in results for at in one.equity_at_close],
        prices=even_prices(
            [
                [close for bars in symbol for close in bars.close]
                for symbol in zip(*(one.markets for one in results), strict=True)
            ]
        ),
        exposure=[at for one in results for at in one.exposure],
        fills=(),
        final_equity=results[-1].figures.final_equity,
        dust=results[0].dust,
    )
    fees = [one.figures.fees for one in results]
    convertible = None not in fees
    profits = [t.profit for one in results for t in round_trips(one.executions, one.dust)]
    lost = -sum((profit for profit in profits if profit < 0), ZERO)
    won = sum((profit for profit in profits if profit > 0), ZERO)
    return {
        **msgspec.structs.asdict(whole),
        "round_trips": len(profits),
        "win_rate_pct": (
            sum(profit > 0 for profit in profits) / len(profits) * 100
            if profits and convertible
            else None
        ),
        "profit_factor": float(won / lost) if lost and convertible else None,
        "fees": sum((fee for fee in fees if fee is not None), ZERO) if convertible else None,
        "bars": sum(len(one.bars) for one in results),
        "fills": sum(len(one.executions) for one in results),
        **{name: sum(one.stats[name] for one in results) for name in _SUMS},
    }
