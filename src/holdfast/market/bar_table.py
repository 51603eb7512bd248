"""Candles of one symbol as columns: what backtests, charts and the catalogue work on.

Lives here: `BarTable`, a value that never changes. Other edge rooms may import it. Not here: where
candles come from (`load`, `catalogue`), bars one by one in live trading (domain.market).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from html import escape

import msgspec
import polars as pl

from holdfast.domain.market import NS_PER_S, Bar, BarColumns
from holdfast.domain.timeframe import phase_ns, timeframe_s, timeframe_text
from holdfast.errors import ConfigError
from holdfast.market import exact
from holdfast.market.stamp import instant_ns, iso

SCHEMA = pl.Schema({
    "open_ns": pl.Int64, "open": pl.Float64, "high": pl.Float64, "low": pl.Float64,
    "close": pl.Float64, "volume": pl.Float64,
})  # fmt: skip
_SHOWN = 5


def starts_of(column: pl.Expr, bar_s: int) -> pl.Expr:
    """When the bar opens that holds each time of a column."""
    return column - (column - phase_ns(bar_s)) % (bar_s * NS_PER_S)


class Gap(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Bars that are not there.

    Attributes:
        from_: when the last bar before the hole opened, ISO 8601 UTC; `from` in JSON.
        to: when the first bar after it opened.
        missing: how many bars lie between them.
    """

    from_: str
    to: str
    missing: int


class BarTable:
    """Closed candles of one symbol, oldest first, each time once. A value: it never changes.

    Attributes:
        frame: polars, one row per bar: `open_ns` (int64, UTC nanoseconds of the bar's beginning),
            `open high low close` (float64, quote units per base unit), `volume` (float64, base
            units). Numbers of up to 15 digits are exact: `repr` gives them back.
        symbol: unified, `BASE/QUOTE`.
        bar_s: seconds of a bar.
        sha256: of the file that it was read from; slices and resampled bars keep it.
        source: that file, for people.
    """

    __slots__ = ("bar_s", "frame", "sha256", "source", "symbol")

    def __init__(
        self, frame: pl.DataFrame, *, symbol: str, bar_s: int, sha256: str = "", source: str = ""
    ) -> None:
        """Take `frame` as it is.

        Raises:
            ValueError: it has other columns, or times that do not rise.
        """
        if frame.schema != SCHEMA:
            raise ValueError(f"seen columns {dict(frame.schema)}; expected {dict(SCHEMA)}")
        if bar_s < 1:
            raise ValueError(f"seen bars of {bar_s} s; expected at least one second")
        smallest = frame["open_ns"].diff().min()
        if frame["open_ns"].null_count() or (isinstance(smallest, int) and smallest <= 0):
            raise ValueError("seen times that do not rise; expected each bar after the one before")
        self.frame = frame
        self.symbol = symbol
        self.bar_s = bar_s
        self.sha256 = sha256
        self.source = source

    def __len__(self) -> int:
        return self.frame.height

    @property
    def timeframe(self) -> str:
        """The bar's length as people write it, `5m`."""
        return timeframe_text(self.bar_s)

    @property
    def first_ns(self) -> int:
        """When the first bar opened.

        Raises:
            IndexError: there are no bars.
        """
        return int(self.frame["open_ns"][0])

    @property
    def last_ns(self) -> int:
        """When the last bar opened.

        Raises:
            IndexError: there are no bars.
        """
        return int(self.frame["open_ns"][-1])

    @property
    def end_ns(self) -> int:
        """When the last bar closed."""
        return self.last_ns + self.bar_s * NS_PER_S

    def between(
        self, since: str | int | date | None = None, until: str | int | date | None = None
    ) -> BarTable:
        """The bars that open at or after `since` and before `until`; may be none.

        Args:
            since, until: an ISO date or time, a Unix time or a `datetime`, UTC where no zone is
                named; None is open-ended.

        Raises:
            ConfigError: one of them is no time.
        """
        opens = self.frame["open_ns"]
        start = 0 if since is None else opens.search_sorted(instant_ns(since))
        stop = len(opens) if until is None else opens.search_sorted(instant_ns(until))
        return self._with(self.frame.slice(start, max(0, stop - start)), self.bar_s)

    def resample(self, timeframe: str | int) -> BarTable:
        """The same market in longer bars, counted from 00:00 UTC (weeks from Monday).

        Where the data do not cover the first or the last of them, it is left out. One with holes
        inside is built from what is there; one with nothing inside is a hole. Volumes add up as
        decimals do.

        Args:
            timeframe: `1h`, or seconds; a multiple of the bars here.

        Raises:
            ConfigError: it is no such multiple.
        """
        bar_s = timeframe_s(timeframe) if isinstance(timeframe, str) else timeframe
        if bar_s == self.bar_s:
            return self
        if bar_s < self.bar_s or bar_s % self.bar_s:
            raise ConfigError(
                f"seen: timeframe {timeframe_text(bar_s)} of data with bars of {self.timeframe}; "
                f"expected: {self.timeframe} or a multiple of it; "
                "do: choose one, or take finer data"
            )
        if not len(self):
            return self._with(self.frame, bar_s)
        span_ns = bar_s * NS_PER_S
        start_ns = starts_of(pl.col("open_ns"), bar_s)
        parts = self.frame.with_columns(start_ns.alias("start_ns")).filter(
            pl.col("start_ns") >= self.first_ns, pl.col("start_ns") + span_ns <= self.end_ns
        )
        longer = parts.group_by("start_ns", maintain_order=True).agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(),
            pl.col("close").last(),
        )  # fmt: skip
        volume = exact.sums(parts, "start_ns", "volume")
        frame = longer.rename({"start_ns": "open_ns"}).with_columns(volume)
        return self._with(frame, bar_s)

    def gaps(self) -> list[Gap]:
        """The holes, oldest first: where bars of this length are missing between others."""
        span_ns = self.bar_s * NS_PER_S
        wide = self.frame.select(
            "open_ns", pl.col("open_ns").shift(1).alias("before_ns")
        ).filter(pl.col("open_ns") - pl.col("before_ns") >= 2 * span_ns)
        return [
            Gap(iso(before), iso(after), (after - before) // span_ns - 1)
            for after, before in wide.iter_rows()
        ]

    def columns(self) -> BarColumns:
        """The bars as plain lists, as strategies and indicators run over them."""
        lists = {name: column.to_list() for name, column in self.frame.to_dict().items()}
        return BarColumns(symbol=self.symbol, bar_s=self.bar_s, **lists)

    def bars(self) -> Iterator[Bar]:
        """The bars one by one as exact numbers, oldest first."""
        span_ns = self.bar_s * NS_PER_S
        for open_ns, *numbers in self.frame.iter_rows():
            yield Bar(
                self.symbol, open_ns, open_ns + span_ns,
                *(Decimal(repr(number)) for number in numbers),
            )  # fmt: skip

    def dated(self) -> pl.DataFrame:
        """The frame with `open_time` (UTC) instead of `open_ns`, for people and other tools."""
        moment = pl.col("open_ns").cast(pl.Datetime("ns", "UTC")).alias("open_time")
        return self.frame.select(moment, *SCHEMA.names()[1:])

    def __eq__(self, other: object) -> bool:
        """The same bars of the same market, wherever they came from."""
        if not isinstance(other, BarTable):
            return NotImplemented
        same = (self.symbol, self.bar_s) == (other.symbol, other.bar_s)
        return same and self.frame.equals(other.frame)

    __hash__ = None  # type: ignore[assignment]  # as for every table

    def __repr__(self) -> str:
        return f"BarTable({self._title()})"

    def _repr_html_(self) -> str:
        """A notebook's view: what it is, its first and last rows."""
        cut = len(self) > 2 * _SHOWN
        shown = self.dated()
        rows = list((shown.head(_SHOWN) if cut else shown).iter_rows())
        lines = [_html_row(row) for row in rows]
        if cut:
            lines.append("<tr><td>…</td></tr>")
            lines += [_html_row(row) for row in shown.tail(_SHOWN).iter_rows()]
        head = "".join(f"<th>{name}</th>" for name in shown.columns)
        return (
            f"<table><caption>{escape(self._title())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        )

    def _title(self) -> str:
        span = f", {iso(self.first_ns)} to {iso(self.end_ns)}" if len(self) else ""
        return f"{self.symbol} {self.timeframe}, {len(self):,} bars{span}"

    def _with(self, frame: pl.DataFrame, bar_s: int) -> BarTable:
        return BarTable(
            frame, symbol=self.symbol, bar_s=bar_s, sha256=self.sha256, source=self.source
        )


def _html_row(row: tuple[object, ...]) -> str:
    moment, *numbers = row
    cells = [f"{moment:%Y-%m-%d %H:%M:%S}", *(repr(number) for number in numbers)]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
