"""The front door of backtests: what it takes, what it refuses, and that its sums agree."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import holdfast
from holdfast.app.research.front import backtest, fine_instrument
from holdfast.errors import ConfigError
from holdfast.market.bar_table import BarTable
from holdfast.strategy import FLAT, Percent, Strategy, Target, View, Wish
from holdfast.strategy.shipped.sma_cross import SmaCross

D = Decimal
HOUR_NS = 3_600_000_000_000


def table(count: int = 600, seed: int = 3) -> BarTable:
    rng, close, rows = random.Random(seed), 100.0, []
    for at in range(count):
        opened, close = close, round(close * math.exp(rng.gauss(0, 0.01)), 2)
        high, low = round(max(opened, close) * 1.003, 2), round(min(opened, close) * 0.997, 2)
        rows.append((at * HOUR_NS, opened, high, low, close, 1.0))
    names = ("open_ns", "open", "high", "low", "close", "volume")
    frame = pl.DataFrame(rows, schema=list(names), orient="row")
    return BarTable(frame, symbol="BTC/USDT", bar_s=3600, sha256="ab" * 32)


class Weighted(Strategy):
    """Half of the equity while the close is odd, with exits."""

    def decide(self, now: View) -> Wish:
        if int(now.bar.close) % 5 == 0:
            return FLAT
        return Target(weight=0.5, stop=Percent(2), take_profit=Percent(3))


@pytest.mark.parametrize("fee_asset", ["quote", "base"])
def test_the_curve_ends_where_the_account_does_and_begins_with_its_cash(fee_asset: Any) -> None:
    result = backtest(Weighted(), table(), cash=5000, fee_asset=fee_asset)
    assert len(result.executions) > 50
    assert result.equity_at_close[0] == 5000
    final = float(result.stats["final_equity"])
    assert result.equity_at_close[-1] == pytest.approx(final, rel=1e-12)
    assert result.equity.height == 600
    assert min(result.exposure) == 0
    assert 0.3 < max(result.exposure) < 0.7


def test_slippage_and_fees_cost_and_conservative_is_never_kinder() -> None:
    strategy = SmaCross(fast=3, slow=9, quantity=D(5))
    worth = [
        backtest(strategy, table(), **options).figures.final_equity
        for options in ({"fee_bps": 0}, {}, {"slippage_bps": 3}, {"conservative": True})
    ]
    assert worth == sorted(worth, reverse=True)
    assert len(set(worth)) == 4


def test_a_strategy_can_be_run_again() -> None:
    strategy = SmaCross(fast=3, slow=9)
    first, again = (backtest(strategy, table()) for _ in range(2))
    assert first.executions == again.executions


def test_a_strategy_that_was_never_asked_is_warned_of() -> None:
    found = backtest(SmaCross(slow=200), [table(50)])
    assert not found.asked
    (warning,) = found.warnings
    assert "sma_cross was never asked" in warning
    assert "wait for 200 bars, were ready by the last of 50" in warning
    just = backtest(SmaCross(slow=50), table(50))
    assert (just.asked, just.warnings) == (True, ())


def test_what_it_was_made_of_is_told() -> None:
    found = backtest(SmaCross(fast=3), table(), fee_bps=7.5)
    assert found.provenance.params == {"fast": 3, "slow": 30, "quantity": "0.01"}
    assert found.provenance.data_sha256 == "ab" * 32
    assert len(found.provenance.strategy_sha256) == 64
    assert "7.5 basis points, in quote" in found.assumptions["fees"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cash": "0"}, "more than zero"),
        ({"cash": "much"}, "finite number"),
        ({"fee_bps": -1}, "from 0"),
        ({"fee_bps": float("nan")}, "finite number"),
        ({"fee_asset": "BNB"}, "quote or base"),
        ({"instrument": fine_instrument("ETH/USDT")}, "the same"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        backtest(SmaCross(), table(), **options)


def test_a_table_without_bars_is_refused() -> None:
    with pytest.raises(ConfigError, match="no bars"):
        backtest(SmaCross(), table(0 + 1).between(until="1969-01-01"))


def test_it_is_the_public_name(tmp_path: Path) -> None:
    file = tmp_path / "BTC_USDT-1h.parquet"
    table().dated().write_parquet(file)
    loaded = holdfast.load(file, symbol="BTC/USDT", timeframe="1h")
    result = holdfast.backtest(SmaCross(fast=3, slow=9), loaded)
    assert result.stats["bars"] == 600
    assert "<table>" in result._repr_html_()
    change = result.stats["return_pct"]
    assert repr(result) == f"Result(sma_cross on BTC/USDT 1h, 600 bars, {change:+.2f} %)"
