"""Bad parameters and snapshots are refused with a reason; every Python computes the same bits.

Not here: what is right (test_reference, test_definitions).
"""

from __future__ import annotations

import ast
import hashlib
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import holdfast.strategy.indicators as package
from holdfast.domain.market import BarColumns
from holdfast.strategy.api import BarSeries
from holdfast.strategy.indicators import (
    Adx,
    Atr,
    Bollinger,
    Donchian,
    Ema,
    Indicator,
    Macd,
    Rsi,
    Shipped,
    Sma,
    Supertrend,
    Vwap,
)
from tests.unit.strategy.indicators.bars import fed, float_bars, shipped, walk

KINDS = (Sma, Ema, Rsi, Atr, Bollinger, Macd, Vwap, Donchian, Adx, Supertrend)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("period", [0, -1, 100_001, 2.5, math.nan, True, "14"])
def test_a_period_that_is_none_is_refused(kind: Callable[[Any], Shipped], period: object) -> None:
    with pytest.raises(ValueError, match=r"^seen: \w+\(\w+=.*\); expected: a whole number of bars"):
        kind(period)


@pytest.mark.parametrize("kind", [Bollinger, Supertrend])
@pytest.mark.parametrize("multiplier", [math.nan, math.inf, 0, -2.0, 1001, "2"])
def test_a_multiplier_that_is_none_is_refused(
    kind: Callable[..., Shipped], multiplier: Any
) -> None:
    with pytest.raises(
        ValueError, match=r"^seen: \w+\(multiplier=.*\); expected: a number above 0"
    ):
        kind(20, multiplier)


@pytest.mark.parametrize("make", [lambda: Rsi(1), lambda: Bollinger(1), lambda: Adx(1)])
def test_where_one_bar_says_nothing_two_are_the_least(make: Callable[[], Shipped]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        make()


@pytest.mark.parametrize("given", [(26, 12, 9), (12, 12, 9)])
def test_macd_wants_fast_below_slow(given: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"seen: Macd\(fast=.*expected: fast below slow"):
        Macd(*given)


def test_a_snapshot_of_another_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"seen: .*Sma\(period=3\); expected: one of Sma\(period=4\)"
    ):
        Sma(4).restore(Sma(3).state())


@pytest.mark.parametrize("indicator", shipped(), ids=repr)
def test_a_broken_snapshot_is_refused_and_changes_nothing(indicator: Shipped) -> None:
    fed(indicator, float_bars(walk(40, 1)))
    before = indicator.state()
    for name in before:
        broken: list[dict[str, Any]] = [
            {**before, name: "?"},
            {k: v for k, v in before.items() if k != name},
        ]
        for state in broken:
            with pytest.raises(ValueError, match=r"^seen: .*; expected: "):
                indicator.restore(state)
    assert indicator.state() == before


def test_each_method_of_a_series_declares_its_indicator() -> None:
    declared: list[Indicator] = []
    on = BarSeries(declared)
    made: list[Indicator] = [
        on.sma(5), on.ema(5), on.rsi(14), on.atr(14), on.bollinger(20, 2), on.macd(12, 26, 9),
        on.vwap(20), on.donchian(20), on.adx(14), on.supertrend(10, 3),
    ]  # fmt: skip
    assert [type(one) for one in made] == list(KINDS)
    assert all(one is other for one, other in zip(made, declared, strict=True))


def digest(columns: BarColumns) -> str:
    """Of every output of every indicator, to the last bit."""
    hashed = hashlib.sha256()
    for indicator in shipped():
        for output in indicator.over(columns):
            # The bits of nan are the machine's own.
            known = [0.0 if math.isnan(value) else value for value in output]
            hashed.update(struct.pack(f"<{len(known)}d", *known))
    return hashed.hexdigest()


def test_every_python_computes_these_bits() -> None:
    """Nodes of different Pythons agree. The digest was the same on 3.11, 3.12 and 3.13."""
    assert digest(walk(2_000, 42)) == (
        "191bea9e8e8e4e46ace0faf4d6d6648cf29a965d552ed6f9c9b57a9df2e2ffeb"
    )


def test_nothing_adds_floats_with_the_builtin_sum() -> None:
    """It compensates since Python 3.12 and does not before."""
    folder = Path(package.__file__).parent
    calls = [
        f"{path.name}:{node.lineno}"
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sum"
    ]
    assert calls == []
