"""Recorded candles and trades from a file, whatever recorder wrote it; exact to the last digit.

Lives here: `open_recording`. Not here: file formats (`table`), column names (`columns`), building
bars from trades, and the judging of gaps: holes in a recording are kept as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path

from holdfast.domain.market import Bar, Trade
from holdfast.domain.money import parse
from holdfast.errors import ConfigError
from holdfast.market import names
from holdfast.market.columns import Kind, Layout, bare_layout, named_layout, said_places
from holdfast.market.raw_messages import looks_raw, raw_trades, venue_symbols
from holdfast.market.stamp import to_ns
from holdfast.market.table import Cell, open_table, read_bytes

_SECOND_NS = 1_000_000_000
_MS_NS = 1_000_000
_DAY_MS = 86_400_000
_SAMPLE = 200

_SELLS = frozenset({"sell", "s", "ask"})
_BUYS = frozenset({"buy", "b", "bid"})
_TRUE = frozenset({"true", "1", "t"})
_FALSE = frozenset({"false", "0", "f"})


class Recording:
    """One file of one symbol; every walk over it starts from the beginning.

    Attributes:
        kind: bars or trades.
        symbol: unified, `BASE/QUOTE`.
        bar_s: seconds of a bar, 0 for trades.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        symbol: str,
        bar_s: int,
        walk: Callable[[], Iterator[Bar] | Iterator[Trade]],
    ) -> None:
        self.path = path
        self.kind = kind
        self.symbol = symbol
        self.bar_s = bar_s
        self._walk = walk

    def bars(self) -> Iterator[Bar]:
        """All bars, oldest first.

        Raises:
            ConfigError: it holds trades, or a row is broken (the text names it).
        """
        for item in self._walk():
            if not isinstance(item, Bar):
                raise self._other("bars")
            yield item

    def trades(self) -> Iterator[Trade]:
        """All trades, oldest first. Without a recorded side, a falling price is a seller's.

        Raises:
            ConfigError: it holds bars, or a row is broken (the text names it).
        """
        for item in self._walk():
            if not isinstance(item, Trade):
                raise self._other("trades")
            yield item

    def _other(self, wanted: str) -> ConfigError:
        return ConfigError(
            f"seen: {self.path} holds {self.kind.value}; expected: {wanted}; do: name another file"
        )


def open_recording(path: Path, *, symbol: str | None = None, bar_s: int | None = None) -> Recording:
    """Open a recording and find out what it is; rows are read when walked.

    Args:
        path: CSV, JSON, Feather or Parquet, plain, `.gz` or `.zip`, or Binance raw messages `.gz`.
        symbol: its symbol in any usual spelling; None takes it from the content or the file's name.
        bar_s: seconds of a bar; None takes it from the name or the distance between rows.

    Raises:
        ConfigError: it cannot be read, or does not tell what is needed; the text says what to do.
    """
    name, content = read_bytes(path)
    wanted = None if symbol is None else unified_symbol(symbol)
    if looks_raw(content):
        return _open_raw(path, content, wanted)
    table = open_table(path, name, content)
    first = list(islice(table.rows, _SAMPLE))
    layout = layout_of(path, table.columns, first)
    found = wanted or symbol_of(path, name, layout, first)
    day = day_ns_of(name, layout, first)
    reader = _Rows(path, layout, found, day, 0)
    if layout.kind is Kind.BARS:
        reader.bar_s = bar_s or names.bar_length_in(name) or _usual_distance_s(path, reader, first)

    def walk() -> Iterator[Bar] | Iterator[Trade]:
        rows = open_table(path, name, content).rows
        return reader.bars(rows) if layout.kind is Kind.BARS else reader.trades(rows)

    return Recording(path, layout.kind, found, reader.bar_s, walk)


def _open_raw(path: Path, content: bytes, wanted: str | None) -> Recording:
    lines = content.splitlines()
    traded = {item: names.split_venue_symbol(item) or item for item in venue_symbols(path, lines)}
    chosen = [item for item, ours in traded.items() if wanted in {None, ours}]
    if len(chosen) != 1:
        raise ConfigError(
            f"seen: {path} with trades of {', '.join(traded.values()) or 'nothing'}; "
            f"expected: one symbol{f', {wanted}' if wanted else ''}; do: choose one with --symbol"
        )
    ours = traded[chosen[0]]
    return Recording(path, Kind.TRADES, ours, 0, lambda: raw_trades(path, lines, chosen[0], ours))


def layout_of(
    path: Path,
    columns: tuple[str, ...] | None,
    first: Sequence[tuple[int, Sequence[Cell]]],
    said: Mapping[str, str] | None = None,
) -> Layout:
    """What the columns are, by the header, by their number, or as the user said.

    Args:
        first: some rows from the beginning.
        said: column names of the file by ours, for what it does not tell.

    Raises:
        ConfigError: they are neither candles nor trades.
    """
    width = len(columns or (first[0][1] if first else ()))
    places = said_places(said or {}, columns, width)
    if columns is not None or places:
        found = named_layout(columns or (), places)
        seen = f"columns {', '.join(columns)}" if columns else f"{width} columns without names"
    else:
        row = first[0][1]
        has_words = any(str(cell).lower() in _SELLS | _BUYS for cell in row)
        found = bare_layout(len(row), has_words=has_words)
        seen = f"{len(row)} columns without names"
    if found is None:
        remedy = "add a header with these names"
        if said is not None:
            remedy = (
                "say which is which with `holdfast data import FILE --columns "
                "time=NAME,open=NAME,…`, and use what it stores"
            )
        raise ConfigError(
            f"seen: {path} with {seen}; expected: candles (time, open, high, low, close, volume) "
            f"or trades (time, price, quantity); do: {remedy}"
        )
    if not first:
        raise ConfigError(f"seen: {path} has a header and no rows; expected: trades or candles")
    return found


def symbol_of(
    path: Path, name: str, layout: Layout, first: Sequence[tuple[int, Sequence[Cell]]]
) -> str:
    """The symbol that the content or a name tells.

    Raises:
        ConfigError: neither does.
    """
    if "symbol" in layout.places:
        recorded = {str(cells[layout.places["symbol"]]) for _, cells in first}
        if len(recorded) == 1:
            return unified_symbol(recorded.pop())
    found = names.symbol_in(Path(name).name) or names.symbol_in(path.name)
    if found is None:
        raise ConfigError(
            f"seen: {path.name}, which does not tell its symbol; expected: a name such as "
            "BTC_USDT-5m.csv; do: pass --symbol BTC/USDT"
        )
    return found


def unified_symbol(symbol: str) -> str:
    """`BTC/USDT` for any usual spelling of a pair.

    Raises:
        ConfigError: it is no pair.
    """
    found = names.unified(symbol)
    if found is None:
        raise ConfigError(f"seen: symbol {symbol!r}; expected: a pair such as BTC/USDT")
    return found


def day_ns_of(
    name: str, layout: Layout, first: Sequence[tuple[int, Sequence[Cell]]]
) -> int | None:
    """The day that times are counted from, when they are milliseconds since midnight."""
    day = names.day_in(name)
    cell = str(first[-1][1][layout.places["time"]])
    if day is not None and cell.isdigit() and int(cell) < _DAY_MS:
        return to_ns(day)
    return None


def _usual_distance_s(path: Path, reader: _Rows, first: list[tuple[int, Sequence[Cell]]]) -> int:
    times = [reader.time_ns(number, cells) for number, cells in first]
    distances = Counter(later - earlier for earlier, later in pairwise(times) if later > earlier)
    if not distances:
        raise ConfigError(
            f"seen: {path} with too few rows to tell how long a bar is; expected: the length in "
            "the name, such as BTC_USDT-5m.csv; do: rename it or pass --timeframe 5m"
        )
    return distances.most_common(1)[0][0] // _SECOND_NS


class _Rows:
    """Turns rows of one layout into bars or trades; a broken row is named, not skipped."""

    def __init__(
        self, path: Path, layout: Layout, symbol: str, day_ns: int | None, bar_s: int
    ) -> None:
        self.bar_s = bar_s
        self._path = path
        self._places = layout.places
        self._symbol = symbol
        self._day_ns = day_ns

    def bars(self, rows: Iterator[tuple[int, Sequence[Cell]]]) -> Iterator[Bar]:
        places = self._places
        wanted = [places[name] for name in ("open", "high", "low", "close", "volume")]
        span_ns = self.bar_s * _SECOND_NS
        before_ns = -1
        for number, cells in rows:
            open_ns = self.time_ns(number, cells)
            if open_ns <= before_ns:
                raise self._broken(number, "a bar that does not lie after the one before it")
            before_ns = open_ns
            opened, high, low, close, volume = self._numbers(number, cells, wanted)
            if not 0 < low <= min(opened, close) <= max(opened, close) <= high or volume < 0:
                raise self._broken(
                    number,
                    f"open {opened}, high {high}, low {low}, close {close}, volume {volume}",
                    "0 < low <= open, close <= high and volume >= 0",
                )
            yield Bar(self._symbol, open_ns, open_ns + span_ns, opened, high, low, close, volume)

    def trades(self, rows: Iterator[tuple[int, Sequence[Cell]]]) -> Iterator[Trade]:
        places = self._places
        wanted = [places["price"], places["quantity"]]
        id_at = places.get("id")
        before_ns, before_price, was_sold = -1, None, False
        for number, cells in rows:
            at_ns = self.time_ns(number, cells)
            price, quantity = self._numbers(number, cells, wanted)
            if at_ns < before_ns or price <= 0 or quantity <= 0:
                raise self._broken(
                    number,
                    f"price {price}, quantity {quantity}, {at_ns - before_ns} ns after the last",
                    "a price and a quantity above zero, not before the last",
                )
            sold = self._taker_sold(number, cells)
            if sold is None:
                sold = was_sold if before_price in {None, price} else price < (before_price or 0)
            before_ns, before_price, was_sold = at_ns, price, sold
            trade_id = 0 if id_at is None else int(cells[id_at])
            yield Trade(at_ns, self._symbol, price, quantity, sold, trade_id)

    def time_ns(self, number: int, cells: Sequence[Cell]) -> int:
        try:
            cell = cells[self._places["time"]]
            if self._day_ns is not None:
                return self._day_ns + int(cell) * _MS_NS
            return to_ns(cell)
        except (ValueError, IndexError) as error:
            raise self._broken(number, str(error)) from error

    def _numbers(
        self, number: int, cells: Sequence[Cell], places: list[int]
    ) -> tuple[Decimal, ...]:
        try:
            return tuple([parse(cells[place]) for place in places])
        except (ValueError, IndexError) as error:
            raise self._broken(number, str(error), "numbers in all columns") from error

    def _taker_sold(self, number: int, cells: Sequence[Cell]) -> bool | None:
        for name, yes, no in (
            ("buyer_is_maker", _TRUE, _FALSE),
            ("side", _SELLS, _BUYS),
        ):
            if name in self._places:
                cell = str(cells[self._places[name]]).strip().lower()
                if cell in yes:
                    return True
                if cell in no:
                    return False
                raise self._broken(number, f"{name} {cell!r}", f"one of {sorted(yes | no)}")
        return None

    def _broken(
        self, number: int, seen: str, expected: str = "a row like the others"
    ) -> ConfigError:
        return ConfigError(
            f"seen: {self._path}, row {number}: {seen.removeprefix('seen: ')}; "
            f"expected: {expected}; do: repair or remove the row"
        )
