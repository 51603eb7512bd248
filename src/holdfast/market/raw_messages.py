"""Binance's own stream messages, as a recorder wrote them down: `receive_time raw_json` per line.

Only trades are read; their time is the exchange's. Not here: books and tickers of such recordings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from holdfast.domain.market import Trade
from holdfast.domain.money import parse
from holdfast.errors import ConfigError

_MS_NS = 1_000_000


class _TradeData(msgspec.Struct):
    # The names on the wire: t trade id, p price, q quantity, T trade time (ms), m buyer is maker.
    e: str
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class _Message(msgspec.Struct):
    stream: str
    data: _TradeData


_decoder = msgspec.json.Decoder(_Message)
_TRADE = b'"e":"trade"'


def looks_raw(content: bytes) -> bool:
    """Whether the first line is a receive time in nanoseconds and a JSON object."""
    stamp, _, message = content[:200].partition(b" ")
    return len(stamp) == 19 and stamp.isdigit() and message.startswith(b"{")


def venue_symbols(path: Path, content: bytes) -> list[str]:
    """The exchange's names of the symbols that traded, sorted."""
    return sorted({data.s for _, data in _trades(path, content)})


def raw_trades(path: Path, content: bytes, venue_symbol: str, symbol: str) -> Iterator[Trade]:
    """The trades of one symbol in the order recorded.

    Raises:
        ConfigError: a line is no message; it says which.
    """
    for number, data in _trades(path, content):
        if data.s != venue_symbol:
            continue
        try:
            price, quantity = parse(data.p), parse(data.q)
        except ValueError as error:
            raise ConfigError(
                f"seen: {path}, line {number}: {error}; expected: a price and a quantity; "
                "do: repair or remove the line"
            ) from error
        yield Trade(data.T * _MS_NS, symbol, price, quantity, data.m, data.t)


def _trades(path: Path, content: bytes) -> Iterator[tuple[int, _TradeData]]:
    for number, line in enumerate(content.splitlines(), start=1):
        if _TRADE not in line:
            continue
        _, _, message = line.partition(b" ")
        try:
            yield number, _decoder.decode(message).data
        except msgspec.MsgspecError as error:
            raise ConfigError(
                f"seen: {path}, line {number}: {error}; expected: `receive_time raw_json` with a "
                "Binance trade; do: repair or remove the line"
            ) from error
