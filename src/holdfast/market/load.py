"""A file as a `BarTable`, or a clear refusal: nothing is repaired on the way.

Not here: the judging (`intake`), the catalogue.
"""

from __future__ import annotations

from pathlib import Path

from holdfast.domain.timeframe import timeframe_s
from holdfast.errors import ConfigError
from holdfast.market.bar_table import SCHEMA, BarTable
from holdfast.market.candles import candles_of
from holdfast.market.columns import Kind
from holdfast.market.intake import Intake, Told, take_in


def load_bars(path: Path, told: Told) -> BarTable:
    """The candles of a file, in the timeframe asked for; trades are built into candles.

    Args:
        told: `timeframe` may be longer than the file's own: the candles are then put together.

    Raises:
        ConfigError: the file cannot be used, or has a row that breaks a rule; the text names it.
    """
    intake = take_in(path, told)
    intake.refuse_faults(
        "import the file with --skip-bad and use what `holdfast data import` stores"
    )
    return table_of(intake, told.timeframe)


def table_of(intake: Intake, timeframe: str | None) -> BarTable:
    """The good rows of a file as candles.

    Args:
        timeframe: None keeps that of the file.

    Raises:
        ConfigError: none of them is good, or they are trades and no timeframe is named.
    """
    if not len(intake.good):
        raise ConfigError(f"seen: {intake.path} has no usable row; expected: trades or candles")
    if intake.kind is Kind.TRADES:
        if timeframe is None:
            raise ConfigError(
                f"seen: {intake.path} holds trades; expected: a timeframe to build candles of; "
                "do: pass --timeframe 1m"
            )
        bar_s = timeframe_s(timeframe)
        frame = candles_of(intake.good, bar_s)
    else:
        bar_s = intake.bar_s
        frame = intake.good.select(SCHEMA.names())
    table = BarTable(
        frame, symbol=intake.symbol, bar_s=bar_s, sha256=intake.sha256, source=str(intake.path)
    )
    return table if timeframe is None else table.resample(timeframe)
