"""Binance's own stream messages, as a recorder wrote them down: `receive_time raw_json` per line.

Times are the exchange's. Not here: what is made of them (`candles`, `orderbook`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from holdfast.domain.market import Level, Trade
from holdfast.domain.money import parse
from holdfast.errors import ConfigError
from holdfast.market.orderbook import Diff, Snapshot

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


class _DiffData(msgspec.Struct):
    # E event time (ms), U and u first and last update id, b and a bids and asks.
    E: int
    s: str
    U: int
    u: int
    b: tuple[tuple[str, str], ...]
    a: tuple[tuple[str, str], ...]


class _DiffMessage(msgspec.Struct):
    data: _DiffData


class _TopData(msgspec.Struct):
    # u update id, b and B best bid and its quantity, a and A best ask and its quantity.
    u: int
    s: str
    b: str
    B: str
    a: str
    A: str


class _TopMessage(msgspec.Struct):
    data: _TopData


class _SnapshotMessage(msgspec.Struct, rename="camel"):
    last_update_id: int
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]


class Top(msgspec.Struct, frozen=True):
    """The best bid and ask after change `last_id`, as the exchange itself told it."""

    last_id: int
    bid: Level
    ask: Level


_decoder = msgspec.json.Decoder(_Message)
_diffs = msgspec.json.Decoder(_DiffMessage)
_diff_data = msgspec.json.Decoder(_DiffData)
_trade_data = msgspec.json.Decoder(_TradeData)
_tops = msgspec.json.Decoder(_TopMessage)
_snapshots = msgspec.json.Decoder(_SnapshotMessage)
_TRADE = b'"e":"trade"'
_DIFF = b'"e":"depthUpdate"'
_TOP = b"@bookTicker"
_SNAPSHOT = b'{"lastUpdateId"'


def diff_of(message: bytes) -> Diff:
    """The change in a `depthUpdate` event; MsgspecError or ValueError when it is none."""
    return _diff(_diff_data.decode(message))


def trade_of(message: bytes, symbol: str) -> Trade:
    """The print in a `trade` event; MsgspecError or ValueError when it is none."""
    data = _trade_data.decode(message)
    return Trade(data.T * _MS_NS, symbol, parse(data.p), parse(data.q), data.m, data.t)


def snapshot_of(message: bytes) -> Snapshot:
    """The book in a reply to `/api/v3/depth`; MsgspecError or ValueError when it is none."""
    whole = _snapshots.decode(message)
    return Snapshot(whole.last_update_id, _levels(whole.bids), _levels(whole.asks))


def looks_raw(content: bytes) -> bool:
    """Whether the first line is a receive time in nanoseconds and a JSON object."""
    stamp, _, message = content[:200].partition(b" ")
    return len(stamp) == 19 and stamp.isdigit() and message.startswith(b"{")


def venue_symbols(path: Path, lines: Iterable[bytes]) -> list[str]:
    """The exchange's names of the symbols that traded, sorted."""
    return sorted({data.s for _, data in _trades(path, lines)})


def first_trade(path: Path, lines: Iterable[bytes]) -> tuple[str, int] | None:
    """The exchange's name of the symbol, and exchange time (UTC ns), of the first trade.

    Raises:
        ConfigError: that line is no message; it says which.
    """
    found = next(_trades(path, lines), None)
    return None if found is None else (found[1].s, found[1].T * _MS_NS)


def raw_trades(
    path: Path, lines: Iterable[bytes], venue_symbol: str, symbol: str
) -> Iterator[Trade]:
    """The trades of one symbol in the order recorded.

    Raises:
        ConfigError: a line is no message; it says which.
    """
    for number, data in _trades(path, lines):
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


def first_book_change(path: Path, lines: Iterable[bytes]) -> tuple[str, int] | None:
    """The exchange's name of the symbol, and exchange time (UTC ns), of the first change of a book.

    Raises:
        ConfigError: that line is no message; it says which.
    """
    for number, line in enumerate(lines, start=1):
        if _DIFF in line[:200]:
            with _told(path, number):
                diff = _diffs.decode(line.partition(b" ")[2]).data
            return diff.s, diff.E * _MS_NS
    return None


def book_events(
    path: Path, lines: Iterable[bytes], venue_symbol: str
) -> Iterator[Snapshot | Diff | Top]:
    """What a recording tells of one symbol's book, in the order in which it was received.

    A snapshot does not name its symbol, so the recording must be of one.

    Raises:
        ConfigError: a line is no message; it says which.
    """
    for number, line in enumerate(lines, start=1):
        _, _, message = line.partition(b" ")
        with _told(path, number):
            if message.startswith(_SNAPSHOT):
                yield snapshot_of(message)
            elif _DIFF in message[:200]:
                diff = _diffs.decode(message).data
                if diff.s == venue_symbol:
                    yield _diff(diff)
            elif _TOP in message[:200]:
                top = _tops.decode(message).data
                if top.s == venue_symbol:
                    yield Top(top.u, (parse(top.b), parse(top.B)), (parse(top.a), parse(top.A)))


@contextmanager
def _told(path: Path, number: int) -> Iterator[None]:
    """Say which line it was that is no message."""
    try:
        yield
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(
            f"seen: {path}, line {number}: {error}; expected: `receive_time raw_json` with a "
            "message of Binance's; do: repair or remove the line"
        ) from error


def _diff(data: _DiffData) -> Diff:
    return Diff(data.E * _MS_NS, data.U, data.u, _levels(data.b), _levels(data.a))


def _levels(pairs: tuple[tuple[str, str], ...]) -> tuple[Level, ...]:
    return tuple([(parse(price), parse(quantity)) for price, quantity in pairs])


def _trades(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[int, _TradeData]]:
    for number, line in enumerate(lines, start=1):
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
