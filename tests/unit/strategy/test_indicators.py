"""The moving average equals the plain mean, and goes on equalling it."""

from __future__ import annotations

import math
import random
from collections import deque
from decimal import Decimal

import pytest

from holdfast.domain.market import Bar
from holdfast.strategy import Sma


class Close:
    """A bar as far as an average looks at it; a million real ones would take longer to make."""

    def __init__(self, close: float) -> None:
        self.close = close


def bar(close: str) -> Bar:
    price = Decimal(close)
    return Bar("BTC/USDT", 0, 1, price, price, price, price, Decimal(1))


@pytest.mark.parametrize("period", [1, 2, 3, 7])
def test_it_is_the_mean_of_the_last_closes_and_undefined_before(period: int) -> None:
    sma = Sma(period)
    closes = [str(100 + (7 * i) % 11) for i in range(30)]
    for number, close in enumerate(closes, 1):
        sma.update(bar(close))
        assert sma.ready == (number >= period)
        if sma.ready:
            last = [float(c) for c in closes[number - period : number]]
            assert math.isclose(sma.value, sum(last) / period, rel_tol=1e-12)
        else:
            assert math.isnan(sma.value)
    assert sma.warmup == period


def test_it_does_not_drift_over_a_million_bars() -> None:
    rng = random.Random(7)
    sma = Sma(50)
    window: deque[float] = deque(maxlen=50)
    close = 50_000.0
    for number in range(1_000_000):
        close = max(0.01, close * (1 + rng.gauss(0, 0.001)))
        window.append(close)
        sma.update(Close(close))  # type: ignore[arg-type]
        if number % 9973 == 0 and sma.ready:
            assert math.isclose(sma.value, math.fsum(window) / 50, rel_tol=1e-9)
    assert math.isclose(sma.value, math.fsum(window) / 50, rel_tol=1e-9)


def test_two_that_see_the_same_bars_agree_bit_for_bit() -> None:
    one, other = Sma(20), Sma(20)
    for i in range(500):
        for sma in (one, other):
            sma.update(bar(f"{100 + (i * 37) % 13}.{i % 10}"))
    assert one.value.hex() == other.value.hex()


@pytest.mark.parametrize("period", [0, -1])
def test_a_period_below_one_is_refused(period: int) -> None:
    with pytest.raises(ValueError, match="expected: a period of at least 1"):
        Sma(period)
