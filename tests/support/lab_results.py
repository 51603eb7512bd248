"""Backtest results without a backtest: an invented market, and a strategy of two averages on it.

Also a real one, of several symbols. Not here: the driver that makes it (app.research.backtest).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import polars as pl

from holdfast import backtest
from holdfast.domain.fill import Fill
from holdfast.domain.market import NS_PER_S, BarColumns
from holdfast.domain.order import Side
from holdfast.lab.figures import figures
from holdfast.lab.result import Provenance, Result
from holdfast.market.bar_table import SCHEMA, BarTable
from holdfast.strategy.shipped.rebalance import Rebalance

START_S = 1_609_459_200  # 2021-01-01 00:00 UTC
CASH = Decimal(10_000)
_FEE_RATE = Decimal("0.001")


def market(bars: int, bar_s: int = 3600, seed: int = 1) -> BarColumns:
    """A random walk with some drift; the same for the same arguments."""
    chance = random.Random(seed)
    years = bar_s / (365 * 86_400)
    spread = 0.6 * years**0.5
    opens, highs, lows, closes = [], [], [], []
    price = 30_000.0
    for number in range(bars):
        opens.append(round(price, 2))
        drift = years * (0.9 if number // (bars // 5 + 1) % 2 == 0 else -0.5)
        price *= 1 + chance.gauss(drift, spread)
        closes.append(round(price, 2))
        highs.append(round(max(opens[-1], closes[-1]) * (1 + abs(chance.gauss(0, spread / 2))), 2))
        lows.append(round(min(opens[-1], closes[-1]) * (1 - abs(chance.gauss(0, spread / 2))), 2))
    open_ns = [(START_S + number * bar_s) * NS_PER_S for number in range(bars)]
    return BarColumns("BTC/USDT", bar_s, open_ns, opens, highs, lows, closes, [1.0] * bars)


def result(
    bars: BarColumns,
    *,
    fast: int = 10,
    slow: int = 30,
    quantity: str = "0.1",
    name: str = "sma_cross",
    params: Mapping[str, Any] | None = None,
) -> Result:
    """Long `quantity` while the fast average is above the slow one; fills at the next open."""
    equity, exposure, fills = _trade(bars, fast, slow, Decimal(quantity))
    return Result(
        name=name,
        cash=CASH,
        markets=(bars,),
        equity_at_close=equity,
        exposure=exposure,
        executions=fills,
        figures=figures(
            cash=CASH,
            times_ns=[at + bars.bar_s * NS_PER_S for at in bars.open_ns],
            equity=equity,
            prices=bars.close,
            exposure=exposure,
            fills=fills,
        ),
        provenance=Provenance(
            data_sha256="3d" * 32,
            strategy_sha256="a7" * 32,
            params={"fast": fast, "slow": slow, "quantity": quantity} if params is None else params,
            version="0.1.0",
            seed=None,
        ),
        orders=len(fills),
        run_seconds=1.5,
        assumptions={
            "Fees": "10 basis points, in the quote asset",
            "Slippage": "none",
            "Fills": "market orders at the next bar's open",
        },
    )


def portfolio(
    bars: int, *, weights: str = "", fee_asset: Literal["quote", "base"] = "quote"
) -> Result:
    """A real backtest: parts of two invented markets, one of which has a hole."""
    tables = []
    for number, symbol in enumerate(("BTC/USDT", "ETH/USDT")):
        made = market(bars, seed=number + 1)
        frame = pl.DataFrame({name: getattr(made, name) for name in SCHEMA.names()}, schema=SCHEMA)
        if number:
            frame = frame.filter(~pl.int_range(pl.len()).is_between(bars // 2, bars // 2 + 5))
        tables.append(BarTable(frame, symbol=symbol, bar_s=made.bar_s))
    return backtest(Rebalance(weights=weights, band=0.01), tables, fee_asset=fee_asset)


def _trade(
    bars: BarColumns, fast: int, slow: int, quantity: Decimal
) -> tuple[list[float], list[float], list[Fill]]:
    cash, held = CASH, Decimal(0)
    equity: list[float] = []
    exposure: list[float] = []
    fills: list[Fill] = []
    wanted = False
    for number, close in enumerate(bars.close):
        if wanted != bool(held):
            side = Side.BUY if wanted else Side.SELL
            price = Decimal(str(bars.open[number]))
            fills.append(_fill(bars, number, side, quantity, price))
            cash += (quantity * price) * (1 if side is Side.SELL else -1) - fills[-1].fee
            held = quantity if wanted else Decimal(0)
        equity.append(float(cash) + float(held) * close)
        exposure.append(float(held) * close / equity[-1])
        if number >= slow:
            wanted = _mean(bars.close, number, fast) > _mean(bars.close, number, slow)
    return equity, exposure, fills


def _fill(bars: BarColumns, number: int, side: Side, quantity: Decimal, price: Decimal) -> Fill:
    return Fill(
        symbol=bars.symbol,
        side=side,
        trade_id=str(number),
        venue_order_id=str(number),
        cid="",
        quantity=quantity,
        price=price,
        fee=(quantity * price * _FEE_RATE).quantize(Decimal("0.00000001")),
        fee_asset="USDT",
        at_ns=bars.open_ns[number],
    )


def _mean(values: Sequence[float], last: int, length: int) -> float:
    return sum(values[last - length + 1 : last + 1]) / length


def bare_page(folder: Path) -> Path:
    """A report's page with its two places and nothing else, for machines that have not built it."""
    page = folder / "report.html"
    page.write_text(
        '<title>@@holdfast:title@@</title><script id="runs">"@@holdfast:runs@@"</script>',
        encoding="utf-8",
    )
    return page
