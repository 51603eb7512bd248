"""Market data for people and strategies: files, the catalogue, and what is in them.

Lives here: what `holdfast.load` and `holdfast data` do. Not here: options and output (cli.data),
fetching from exchanges (app.data_download).
"""

from __future__ import annotations

from pathlib import Path

from holdfast.market.bar_table import BarTable
from holdfast.market.intake import Told
from holdfast.market.load import load_bars

__all__ = ["BarTable", "load"]


def load(
    path: str | Path, *, symbol: str | None = None, timeframe: str | None = None
) -> BarTable:
    """Candles from a file: CSV, JSON, Parquet or Feather, plain, `.gz` or `.zip`; or from trades.

    Nothing is repaired: a file with a broken row is refused, with the row's number. Holes stay.

    Args:
        symbol: `BTC/USDT`; None takes it from the content or the file's name.
        timeframe: `1h`; None keeps the file's own. A longer one is built from the file's candles,
            or from its trades.

    Raises:
        ConfigError: the file cannot be used; the text says what was seen and what to do.
    """
    return load_bars(Path(path), Told(symbol=symbol, timeframe=timeframe))
