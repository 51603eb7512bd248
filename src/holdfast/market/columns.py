"""Which column of a table is what: recorders' names and orders for trades and candles.

Not here: turning cells into values (`read`), file formats (`table`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from holdfast.errors import ConfigError


class Kind(StrEnum):
    """What a recording holds."""

    BARS = "bars"
    TRADES = "trades"


class Layout(msgspec.Struct, frozen=True):
    """Where to find what: indices into a row, by our names.

    Attributes:
        places: for bars `time open high low close volume`; for trades `time price quantity`, and
            where recorded `id side buyer_is_maker`; `symbol` where recorded.
    """

    kind: Kind
    places: dict[str, int]


_BAR_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("opentime", "time", "timestamp", "date", "datetime", "ts", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "basevolume", "v"),
}
_TRADE_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "tradetime", "transacttime", "date", "datetime", "ts", "t"),
    "price": ("price", "p"),
    "quantity": ("quantity", "qty", "amount", "size", "q"),
}
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "id": ("tradeid", "id", "aggtradeid", "a"),
    "side": ("side", "takerside"),
    "buyer_is_maker": ("isbuyermaker", "buyermaker", "buyerismaker", "m"),
    "symbol": ("symbol", "pair"),
}

# Files without a header are known by their number of columns. Five to twelve columns that begin
# with a time are candles (Binance's own have twelve); these are trades.
_BARE_TRADES: dict[int, dict[str, int]] = {
    3: {"time": 0, "price": 1, "quantity": 2},
    # Binance's public trade files: id, price, qty, quote qty, time, buyer is maker, best match.
    7: {"id": 0, "price": 1, "quantity": 2, "time": 4, "buyer_is_maker": 5},
    # Its aggregated ones: id, price, qty, first id, last id, time, buyer is maker, best match.
    8: {"id": 0, "price": 1, "quantity": 2, "time": 5, "buyer_is_maker": 6},
}
# Levels of a book have prices and quantities too.
_BOOK_NAMES = frozenset({"updatetype", "firstupdateid", "lastupdateid"})
_BARE_BARS = {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}


def named_layout(
    columns: tuple[str, ...], said: Mapping[str, int] | None = None
) -> Layout | None:
    """The layout that a header tells, None when it is neither of candles nor of trades.

    Args:
        said: places that the user named, by our names; they come before the header's.
    """
    said = said or {}
    found: dict[str, int] = {}
    for index, column in enumerate(columns):
        found.setdefault(_folded(column), index)
    optional = {**_places(found, _OPTIONAL), **_of(said, _OPTIONAL)}
    bars = {**_places(found, _BAR_NAMES), **_of(said, _BAR_NAMES)}
    if len(bars) == len(_BAR_NAMES):
        return Layout(Kind.BARS, {**bars, **_only(optional, "symbol")})
    trades = {**_places(found, _TRADE_NAMES), **_of(said, _TRADE_NAMES)}
    if len(trades) == len(_TRADE_NAMES) and not _BOOK_NAMES & found.keys():
        return Layout(Kind.TRADES, {**trades, **optional})
    return None


def said_places(
    said: Mapping[str, str], columns: tuple[str, ...] | None, width: int
) -> dict[str, int]:
    """Where the columns are that a user named: `{"time": "ts"}`, or `{"time": "1"}` by number.

    Raises:
        ConfigError: a name that is none of ours, or a column that is not there.
    """
    known = [*_BAR_NAMES, "price", "quantity", *_OPTIONAL]
    places: dict[str, int] = {}
    for ours, theirs in said.items():
        if ours not in known:
            raise ConfigError(
                f"seen: --columns {ours}={theirs}; expected: one of {', '.join(known)} before the ="
            )
        if columns is not None and theirs in columns:
            places[ours] = columns.index(theirs)
        elif theirs.isdigit() and 1 <= int(theirs) <= width:
            places[ours] = int(theirs) - 1
        else:
            there = f"{', '.join(columns)}, or " if columns else ""
            raise ConfigError(
                f"seen: --columns {ours}={theirs}; expected: one of {there}a number from 1 to "
                f"{width}; do: name a column that the file has"
            )
    return places


def bare_layout(width: int, *, has_words: bool) -> Layout | None:
    """The layout of a file without a header.

    Args:
        width: its number of columns.
        has_words: whether the first row has a cell that reads buy or sell: freqtrade's trade lists,
            `timestamp id type side price amount cost`, are as wide as Binance's trade files.
    """
    if has_words and width == 7:
        places = {"time": 0, "id": 1, "side": 3, "price": 4, "quantity": 5}
        return Layout(Kind.TRADES, places)
    if width in _BARE_TRADES:
        return Layout(Kind.TRADES, _BARE_TRADES[width])
    if width in {6, 12}:
        return Layout(Kind.BARS, _BARE_BARS)
    return None


def _places(found: dict[str, int], names: dict[str, tuple[str, ...]]) -> dict[str, int]:
    places: dict[str, int] = {}
    for ours, theirs in names.items():
        match = next((found[name] for name in theirs if name in found), None)
        if match is not None:
            places[ours] = match
    return places


def _of(said: Mapping[str, int], names: Mapping[str, object]) -> dict[str, int]:
    return {name: place for name, place in said.items() if name in names}


def _only(places: dict[str, int], name: str) -> dict[str, int]:
    return {name: places[name]} if name in places else {}


def _folded(column: str) -> str:
    """`Open_Time` as `opentime`."""
    return "".join(letter for letter in column.lower() if letter.isalnum())
