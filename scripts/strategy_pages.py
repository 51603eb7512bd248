#!/usr/bin/env python3
"""Fill the tables and charts of docs/strategies: `scripts/strategy_pages.py FOLDER_OF_RECORDINGS`.

Every shipped strategy runs over every recording below FOLDER that is named here, a portfolio over
several of them at once, with the engine that trades live. Only what stands between the marks of a
page is replaced. The same recordings give the same pages, whatever they say about a strategy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import holdfast
from holdfast.app.research.strategies import describe
from holdfast.lab.figures import even_prices
from holdfast.lab.result import Result
from holdfast.market.bar_table import BarTable
from holdfast.strategy.load import SHIPPED, create

DOCS = Path(__file__).resolve().parent.parent / "docs" / "strategies"
CASH = Decimal(10_000)
FEE_BPS = 10
BEGIN, END = "<!-- results: scripts/strategy_pages.py -->", "<!-- end of results -->"

NOTE = f"""\
With {CASH:,} of cash, a fee of {FEE_BPS} basis points on every fill, market orders filled at the
next bar's open, and defaults where no parameter is named. Buying and holding has no fee, and
everything at stake from the first close to the last. These are recordings, not forecasts, and the
parameters were not searched for."""

_TREND, _TREND_S = "4h", 14_400

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 720, 260, 52, 34, 26
_POINTS = 360


class Recording(NamedTuple):
    """A file below the folder, and what its name does not tell."""

    path: str
    symbol: str
    timeframe: str


RECORDINGS = (
    Recording("binance-spot-2024/BTC_USDT-1h.feather", "BTC/USDT", "1h"),
    Recording("binance-spot-2024/ETH_USDT-1h.feather", "ETH/USDT", "1h"),
    Recording("binance-spot-2024/SOL_USDT-1h.feather", "SOL/USDT", "1h"),
    Recording("binance-spot-2021-04-05/BTC_USDT-5m.json", "BTC/USDT", "5m"),
    Recording("basana/binance_btcusdt_day_2020.csv", "BTC/USDT", "1d"),
)
_ETH_5M = Recording("binance-spot-2021-04-05/ETH_USDT-5m.json", "ETH/USDT", "5m")
_BTC_1H, _ETH_1H, _SOL_1H, _BTC_5M, _BTC_1D = RECORDINGS

PORTFOLIOS = {
    "rebalance": (
        (_BTC_1H, _ETH_1H), (_BTC_1H, _ETH_1H, _SOL_1H), (_BTC_1H,), (_BTC_5M, _ETH_5M), (_BTC_1D,),
    ),
}  # fmt: skip
"""What a strategy of several symbols runs over; every other runs over each recording by itself."""


def courses(name: str) -> tuple[tuple[Recording, ...], ...]:
    """The recordings of each of a strategy's runs."""
    return PORTFOLIOS.get(name) or tuple((one,) for one in RECORDINGS)


def parameters(name: str, tables: Sequence[BarTable]) -> dict[str, str]:
    """The shipped defaults, except that as much is at stake as in buying and holding."""
    bars = tables[0]
    if name == "rebalance":
        return {} if len(tables) > 1 else {"weights": f"{bars.symbol}=0.5"}
    columns = bars.columns()
    price = Decimal(repr(columns.close[0]))
    if name == "grid":
        low, high = price * Decimal("0.8"), price * Decimal("1.2")
        unit = _plain(CASH * Decimal("0.9") / (20 * price), 6)
        return {"low": _plain(low, 2), "high": _plain(high, 2), "cells": "20", "unit": unit}
    if name == "dca":
        days = len(bars) * bars.bar_s // 86_400 + 2  # a slot may have begun before, one may begin
        return {"amount": _plain(CASH * Decimal("0.99") / days, 2)}
    if name == "sma_cross":
        # What can always be paid for: a quantity is not cut to what there is, it is refused.
        highest = Decimal(repr(max(columns.high)))
        return {"quantity": _plain(CASH / 2 / highest, 6)}
    return {"weight": "1"}


def variants(name: str, tables: Sequence[BarTable]) -> list[dict[str, str]]:
    """The parameters of each run over the same recordings."""
    given = parameters(name, tables)
    if name == "rsi_reversion" and tables[0].bar_s < _TREND_S:
        return [given, {**given, "trend": _TREND}]
    return [given]


def main(folder: Path, docs: Path = DOCS, names: Sequence[str] = tuple(SHIPPED)) -> None:
    """Rewrite the results of the pages `names` in `docs`."""
    tables = {
        one: holdfast.load(folder / one.path, symbol=one.symbol, timeframe=one.timeframe)
        for one in (*RECORDINGS, _ETH_5M)
    }
    for name in names:
        rows, first = [], None
        for course in courses(name):
            data = [tables[one] for one in course]
            for given in variants(name, data):
                result = holdfast.backtest(create(name, given), data, cash=CASH, fee_bps=FEE_BPS)
                rows.append(_row(result, given))
                first = first or result
        if first is not None:
            (docs / f"{name}.svg").write_text(svg(first, name), encoding="utf-8")
        page = docs / f"{name}.md"
        page.write_text(replaced(page.read_text(encoding="utf-8"), name, rows), encoding="utf-8")
        print(f"written: {page}")


def replaced(text: str, name: str, rows: Sequence[str]) -> str:
    """The page with new results between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    head = [
        "## Parameters",
        "",
        "| name | type | bounds | default |",
        "| --- | --- | --- | --- |",
        *[_parameter(key, schema) for key, schema in describe(name).parameters.items()],
        "",
        "## Results",
        "",
        NOTE,
        "",
        f"![{name} beside buying and holding, on the first of the recordings]({name}.svg)",
        "",
        "| recording | from, to | parameters | return | buy and hold | largest drawdown | of buy "
        "and hold | time in the market | round trips | fees paid | refused |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([before + BEGIN, *head, *rows, END]) + after


def _parameter(name: str, schema: dict[str, Any]) -> str:
    kind = "decimal" if schema.get("format") == "decimal" else schema["type"]
    bounds = f"{schema['minimum']} to {schema['maximum']}" if "minimum" in schema else ""
    default = schema.get("default", "must be given")
    return f"| `{name}` | {kind} | {bounds} | {'empty' if default == '' else default} |"


def _row(result: Result, given: dict[str, str]) -> str:
    stats = result.stats
    worst = _drawdown_pct(even_prices([bars.close for bars in result.markets]))
    cells = [
        f"{result.symbol} {result.timeframe}",
        f"{_day(result.close_ns[0])}, {_day(result.close_ns[-1])}",
        " ".join(f"{key}={value}" for key, value in given.items()),
        _percent(stats["return_pct"]),
        _percent(stats["buy_hold_return_pct"]),
        _percent(stats["max_drawdown_pct"]),
        _percent(worst),
        _percent(stats["exposure_pct"]),
        f"{stats['round_trips']:,}",
        f"{float(stats['fees']):,.0f}",
        f"{stats['rejected']:,}",
    ]
    return f"| {' | '.join(cells)} |"


def svg(result: Result, name: str) -> str:
    """Equity of the strategy and of buying and holding, both 100 at the first close."""
    closes, equity = even_prices([bars.close for bars in result.markets]), result.equity_at_close
    step = max(1, len(closes) // _POINTS)
    at = [*range(0, len(closes) - 1, step), len(closes) - 1]
    lines = {
        "buy and hold": ("#9aa3ad", [closes[n] / closes[0] * 100 for n in at]),
        name: ("#1668c7", [equity[n] / equity[0] * 100 for n in at]),
    }
    values = [value for _, line in lines.values() for value in line]
    low, high = min(values), max(values)
    right, floor = _WIDTH - 12, _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        return float(floor - (value - low) / ((high - low) or 1) * (floor - _TOP))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{name} on {result.symbol} {result.timeframe}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    parts += [
        f'<path d="M{_LEFT} {y(value):.1f}H{right}" stroke="#e3e7eb"/>'
        f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#4a5560">'
        f"{value:.0f}</text>"
        for value in (low, 100.0, high)
    ]
    for colour, line in (lines["buy and hold"], lines[name]):
        points = " ".join(
            f"{_LEFT + n / max(1, len(line) - 1) * (right - _LEFT):.1f},{y(value):.1f}"
            for n, value in enumerate(line)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )
    for x, (label, (colour, line)) in zip((_LEFT, _LEFT + 230), lines.items(), strict=True):
        parts.append(
            f'<text x="{x}" y="18" fill="{colour}" font-weight="600">{label}: {line[-1]:.1f}</text>'
        )
    shown = f"{result.symbol} {result.timeframe}, first close = 100"
    parts += [
        f'<text x="{right}" y="18" text-anchor="end" fill="#4a5560">{shown}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}" fill="#4a5560">{_day(result.close_ns[0])}</text>',
        f'<text x="{right}" y="{_HEIGHT - 8}" text-anchor="end" fill="#4a5560">'
        f"{_day(result.close_ns[-1])}</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _drawdown_pct(values: Sequence[float]) -> float:
    peak, worst = values[0], 0.0
    for value in values:
        peak = max(peak, value)
        worst = max(worst, 1 - value / peak)
    return worst * 100


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} %"


def _plain(value: Decimal, digits: int) -> str:
    return format(round(value, digits), "f")


def _day(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).date().isoformat()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: scripts/strategy_pages.py FOLDER_OF_RECORDINGS")
    main(Path(sys.argv[1]))
