"""Recorded trades of one symbol, forward in time: one print in memory after the other.

Lives here: which files are put together to one tape. Not here: their formats (`read`), what an
order does on it (lab.tape_venue).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from holdfast.domain.market import Trade
from holdfast.errors import ConfigError
from holdfast.market.names import split_venue_symbol
from holdfast.market.raw_messages import first_trade, looks_raw, raw_trades
from holdfast.market.read import open_recording
from holdfast.market.recordings import files_by_symbol
from holdfast.market.table import read_lines, sha256_of

_EXPECTED = (
    "recorded trades: Binance's raw stream messages, or a table of time, price and quantity as "
    "`holdfast data` stores it"
)


class Tape:
    """The prints of one symbol, oldest first; to be walked once.

    Times never fall: a clock that was set back waits. Where prints are numbered, one that two files
    hold is told once.

    Attributes:
        first_ns: exchange time of the first print.
        sha256: of the recordings.
    """

    def __init__(
        self, symbol: str, trades: Iterable[Trade], *, first_ns: int = 0, sha256: str = ""
    ) -> None:
        self.symbol = symbol
        self.first_ns = first_ns
        self.sha256 = sha256
        self._trades = trades

    def __iter__(self) -> Iterator[Trade]:
        now_ns = last_id = 0
        for trade in self._trades:
            if trade.trade_id:
                if trade.trade_id <= last_id:
                    continue
                last_id = trade.trade_id
            if trade.at_ns < now_ns:
                yield msgspec.structs.replace(trade, at_ns=now_ns)
            else:
                now_ns = trade.at_ns
                yield trade


def open_tapes(paths: Sequence[Path], symbols: Sequence[str]) -> dict[str, Tape]:
    """The trades of each of `symbols` in recordings.

    Args:
        paths: recordings of trades of one of these symbols, and folders of recordings, of which
            those of other symbols are left out. Their order does not matter.

    Raises:
        ConfigError: a symbol has none, or a recording cannot be read or is of another symbol.
    """
    found = files_by_symbol(paths, symbols, _first, what="recorded trade", expected=_EXPECTED)
    return {symbol: _tape(symbol, files) for symbol, files in found.items()}


def _tape(symbol: str, files: Mapping[Path, int]) -> Tape:
    trades = chain.from_iterable(_walk(file, symbol) for file in files)
    first_ns = next(iter(files.values()))
    return Tape(symbol, trades, first_ns=first_ns, sha256=sha256_of(list(files)))


def _first(file: Path) -> tuple[str, int] | None:
    """The symbol and the time of a file's first trade; None when it holds none."""
    if _is_raw(file):
        raw = first_trade(file, read_lines(file))
        return None if raw is None else (split_venue_symbol(raw[0]) or raw[0], raw[1])
    try:
        recording = open_recording(file)
        first = next(recording.trades(), None)
    except ConfigError:
        return None  # candles, or no table at all: who has named it is told
    return None if first is None else (recording.symbol, first.at_ns)


def _walk(file: Path, symbol: str) -> Iterator[Trade]:
    if _is_raw(file):
        return raw_trades(file, read_lines(file), symbol.replace("/", ""), symbol)
    return open_recording(file, symbol=symbol).trades()


def _is_raw(file: Path) -> bool:
    return looks_raw(next(read_lines(file), b""))
