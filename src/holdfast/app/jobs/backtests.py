"""A backtest as a job: the run that `holdfast backtest` makes, its figures and its files.

Not here: the run (app.research.front).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from holdfast.app.jobs.inputs import BacktestJob, Costs
from holdfast.app.jobs.places import INVENTED, data_file, strategy_named
from holdfast.app.markets.data import invented_table, load
from holdfast.app.research.front import backtest, create
from holdfast.config import Config
from holdfast.config import load as load_config
from holdfast.lab.report import TEMPLATE
from holdfast.lab.result import Provenance
from holdfast.market.bar_table import BarTable
from holdfast.market.stamp import iso
from holdfast.platform.jobs.kinds import Work


class Backtested(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a backtest. Files: `run.json`, to be compared, and `report.html`, a page.

    Attributes:
        figures: by name, as in `holdfast backtest --json`; money is text.
        first, last: when the first bar opened and the last one closed, ISO 8601.
    """

    strategy: str
    symbol: str
    timeframe: str
    first: str
    last: str
    figures: Mapping[str, Any]
    provenance: Provenance
    assumptions: Mapping[str, str]
    terms: Mapping[str, str]
    warnings: tuple[str, ...]


def backtest_job(given: BacktestJob, work: Work) -> Backtested:
    """Run it.

    Raises:
        ConfigError: something cannot be meant.
        RejectedError: the strategy broke.
    """
    config = load_config(work.config_file)
    work.tell(0.05, "reading data")
    strategy = create(strategy_named(config, given.strategy), given.params)
    bars = tables_of(config, given)
    work.tell(0.2, f"running over {sum(map(len, bars)):,} bars")
    result = backtest(strategy, bars, **costs_of(config, given))
    work.tell(0.9, "writing the report")
    result.save(work.folder / "run.json")
    if TEMPLATE.exists():
        result.report(work.folder / "report.html")
    return Backtested(
        strategy=result.name, symbol=result.symbol, timeframe=result.timeframe,
        first=iso(result.bars.open_ns[0]), last=iso(result.close_ns[-1]),
        figures=result.stats, provenance=result.provenance, assumptions=result.assumptions,
        terms=result.terms, warnings=tuple(result.warnings),
    )  # fmt: skip


def tables_of(config: Config, given: Costs) -> list[BarTable]:
    """The bars that a job names."""
    if given.data == (INVENTED,):
        return [invented_table(given.symbol or "INVENTED/USDT", given.timeframe or "1h")]
    files = [data_file(config, name) for name in given.data]
    return [load(file, symbol=given.symbol, timeframe=given.timeframe) for file in files]


def costs_of(config: Config, given: Costs) -> dict[str, Any]:
    """The options of `backtest` that say what trading costs and what is seen."""

    def files(names: tuple[str, ...]) -> list[str] | None:
        return [str(data_file(config, name)) for name in names] or None

    signals: dict[str, Path] = {
        name: data_file(config, file) for name, file in given.signals.items()
    }
    return {
        "cash": given.cash, "fee_bps": given.fee_bps, "fee_asset": given.fee_asset,
        "slippage_bps": given.slippage_bps, "latency_ms": given.latency_ms,
        "trades": files(given.trades), "depth": files(given.depth),
        "depth_fallback": given.depth_fallback, "conservative": given.conservative,
        "signals": {name: str(path) for name, path in signals.items()},
    }  # fmt: skip
