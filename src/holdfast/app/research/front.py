"""What a strategy author calls: `backtest`, from Python, a notebook or the command line.

Lives here: a run from a strategy and a table to a finished `Result`. Not here: the stepping
(backtest), figures and the report (lab).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from holdfast import __version__
from holdfast.app.research.backtest import Backtest
from holdfast.app.research.costs import (
    Money,
    Paths,
    joint_sha256,
    number_of,
    numbers,
    open_depth,
    open_trades,
    terms_of,
    words,
)
from holdfast.app.research.simulated import UNLIMITED, Run
from holdfast.app.research.tape_backtest import TapeBacktest
from holdfast.app.research.timeline import Timeline, laid
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import BarColumns
from holdfast.domain.money import ZERO
from holdfast.errors import ConfigError
from holdfast.lab.comparison import compare
from holdfast.lab.depth import Books, Depth
from holdfast.lab.figures import even_prices, figures
from holdfast.lab.result import Provenance, Result
from holdfast.lab.settlement import Terms
from holdfast.market.bar_table import BarTable
from holdfast.market.stamp import iso
from holdfast.market.tape import Tape
from holdfast.signals.file import read_series
from holdfast.strategy.api import Strategy
from holdfast.strategy.load import SHIPPED, create
from holdfast.strategy.parameters import as_json
from holdfast.strategy.signals import Known

__all__ = ["Result", "backtest", "compare", "create", "fine_instrument"]

_FINE = Decimal("0.00000001")


def backtest(
    strategy: Strategy,
    data: BarTable | Sequence[BarTable],
    *,
    cash: Money = "10000",
    fee_bps: Money | float = 10,
    fee_asset: Literal["quote", "base"] = "quote",
    slippage_bps: Money | float = 0,
    latency_ms: Money | float = 0,
    depth: Paths | None = None,
    depth_fallback: bool = False,
    trades: Paths | None = None,
    conservative: bool = False,
    instrument: Instrument | Sequence[Instrument] | None = None,
    limits: Limits = UNLIMITED,
    signals: Mapping[str, Path | str] | None = None,
    order_lists: bool = True,
) -> Result:
    """Run a strategy over recorded bars with the engine that trades live.

    Args:
        data: what `load` returned; of several symbols a list, the bot's own first.
        cash: quote units to begin with, > 0.
        fee_bps: basis points of what is traded, 10 for 0.1 %.
        fee_asset: `base` takes the fee of a buy from what was bought, as spot exchanges do.
        slippage_bps: by which market and stop orders fill worse than the bar says.
        latency_ms: from a decision to its arrival; what arrives inside a bar fills at its close.
        depth: raw recordings of the symbols' order books, or folders of them: market and stop
            orders walk the book that was there when they arrived.
        depth_fallback: where no book is recorded, fill by prices and slippage instead of raising.
        trades: recordings of the symbols' trades, or folders of them: orders fill by prints instead
            of bars, as of their arrival, and the strategy may look at trades and, with `depth`, at
            books, and decide between closes.
        conservative: at least the slippage of `CONSERVATIVE`, limits that must be traded through
            by its margin, and in recorded books at least its latency.
        instrument: the exchange's grid, of each symbol; without it quantities and prices of eight
            decimals.
        limits: of the risk gate; none by default.
        signals: a file of each external series that the strategy declares, by name: JSON lines or
            CSV of `known_at` and `value`.
        order_lists: stop and take-profit rest as one (OCO), if `instrument` takes such lists.

    Raises:
        ConfigError: bars that do not go together, a number that cannot be meant, no book.
        RejectedError: the strategy broke; it says in which bar, or which indicator of its own did.
    """
    tables = [data] if isinstance(data, BarTable) else list(data)
    require_alike(tables)
    grids = _grids(instrument, tables)
    terms = terms_of(
        fee_bps, fee_asset, slippage_bps, latency_ms, conservative=conservative,
        has_books=depth is not None, has_trades=trades is not None,
        order_lists=order_lists and any(grid.takes_lists for grid in grids),
    )  # fmt: skip
    opening = number_of("cash", cash)
    if opening <= ZERO:
        raise ConfigError(f"seen: cash of {cash}; expected: more than zero")
    symbols = [table.symbol for table in tables]
    books = open_depth(depth, symbols, fallback=depth_fallback)
    tapes = open_trades(trades, symbols)
    files = {name: Path(path) for name, path in (signals or {}).items()}
    heard = {name: series(path) for name, path in files.items()}
    run = _prepared(
        strategy, tables, tapes, instruments=grids, cash=opening, terms=terms, limits=limits,
        depth=books, signals=heard,
    )  # fmt: skip
    digests = [table.sha256 for table in tables]
    digests += [sha256(path.read_bytes()).hexdigest() for path in files.values()]
    found = _result(strategy, digests, run.run(), timeline=run.timeline, grids=grids)
    return _with_costs(found, terms, books, tapes)


def _prepared(
    strategy: Strategy, tables: Sequence[BarTable], tapes: Mapping[str, Tape], **options: Any
) -> Backtest | TapeBacktest:
    """Over trades where there are some, else over bars alone, which is much faster."""
    # A strategy is set up once; a copy leaves the author's free for the next run.
    fresh, bars = msgspec.structs.replace(strategy), [table.columns() for table in tables]
    if tapes:
        return TapeBacktest(fresh, bars, tapes=tapes, **options)
    return Backtest(fresh, bars, **options)


def series(path: Path) -> list[Known]:
    """An external series from a file, as a backtest hears it.

    Raises:
        ConfigError: see `read_series`.
    """
    return [Known(entry.known_at_ns or 0, entry.value) for entry in read_series(path)]


def _with_costs(
    found: Result, terms: Terms, books: Mapping[str, Depth[Books]], tapes: Mapping[str, Tape]
) -> Result:
    provenance = msgspec.structs.replace(
        found.provenance,
        depth_sha256=joint_sha256([one.books.sha256 for one in books.values()]),
        trades_sha256=joint_sha256([one.sha256 for one in tapes.values()]),
    )
    return msgspec.structs.replace(
        found,
        provenance=provenance,
        depth_orders=sum(one.walked for one in books.values()) if books else None,
        bar_orders=sum(one.missed for one in books.values()) if books else None,
        assumptions={**words(terms, books, tapes), **_warned(found)},
        terms=numbers(terms),
    )


def _warned(found: Result) -> dict[str, str]:
    return {"warning": "; ".join(found.warnings)} if found.warnings else {}


def _warnings(done: Run, name: str) -> list[str]:
    if not done.asked:
        return [
            f"{name} was never asked: not all of its indicators, which wait for "
            f"{done.warmup_bars:,} bars, were ready by the last of {len(done.times_ns):,}; take "
            "more data, or shorter periods"
        ]
    own = done.markets[0].symbol
    return [
        f"{symbol} was given, but {name} has declared nothing of it and wished nothing of it: it "
        f"trades {own} alone; give each symbol a run of its own, or use a strategy of several "
        "symbols, such as rebalance"
        for symbol in done.idle
    ]


def _grids(
    instrument: Instrument | Sequence[Instrument] | None, tables: Sequence[BarTable]
) -> list[Instrument]:
    given = [instrument] if isinstance(instrument, Instrument) else instrument
    grids = list(given or (fine_instrument(table.symbol) for table in tables))
    if [grid.symbol for grid in grids] != [table.symbol for table in tables]:
        seen, expected = (", ".join(one.symbol for one in each) for each in (grids, tables))
        raise ConfigError(
            f"seen: an instrument of {seen} for bars of {expected}; expected: the same"
        )
    return grids


def require_alike(tables: Sequence[BarTable]) -> None:
    """Refuse bars that are no market: none, of two lengths, of a symbol twice, never together."""
    empty = [table.symbol for table in tables if not len(table)]
    if empty or not tables:
        what = f"no bars of {', '.join(empty)}" if empty else "no bars"
        raise ConfigError(f"seen: {what}; expected: at least one; do: widen the time span")
    symbols = [table.symbol for table in tables]
    if len(set(symbols)) < len(symbols):
        raise ConfigError(f"seen: bars of {', '.join(symbols)}; expected: each symbol once")
    lengths = sorted({table.timeframe for table in tables})
    if len(lengths) > 1:
        raise ConfigError(
            f"seen: bars of {' and '.join(lengths)}; expected: one length for all symbols; do: "
            "load them with the same timeframe"
        )
    quotes = sorted({symbol.split("/")[1] for symbol in symbols})
    if len(quotes) > 1:
        raise ConfigError(f"seen: symbols paid in {', '.join(quotes)}; expected: one quote asset")
    begins = max(table.first_ns for table in tables)
    for table in tables:
        if table.end_ns <= begins:
            raise ConfigError(
                f"seen: bars of {table.symbol} end at {iso(table.end_ns)}, others begin at "
                f"{iso(begins)}; expected: a time that all of them cover; do: take data that "
                "overlap"
            )


def fine_instrument(symbol: str) -> Instrument:
    """A market without a coarse grid or smallest order, for bars that nobody described."""
    base, quote = symbol.split("/")
    return Instrument(
        symbol=symbol,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
        price_tick=_FINE,
        quantity_step=_FINE,
        min_quantity=_FINE,
        max_quantity=Decimal("1e18"),
        min_notional=ZERO,
        takes_lists=True,
    )


def _result(
    strategy: Strategy,
    digests: Sequence[str],
    done: Run,
    *,
    timeline: Timeline,
    grids: Sequence[Instrument],
) -> Result:
    places = zip(done.markets, timeline.index, strict=True)
    markets = [laid(bars, index, done.times_ns) for bars, index in places]
    equity, exposure = _curve(done, markets)
    # What is too little to be sold is no position.
    dust = max(grid.min_notional for grid in grids)
    found = figures(
        cash=done.opening_cash,
        times_ns=done.times_ns,
        equity=equity,
        prices=even_prices([bars.close for bars in markets]),
        exposure=exposure,
        fills=done.fills,
        final_equity=done.final_equity,
        dust=dust,
    )
    name = _name_of(type(strategy))
    return Result(
        name=name,
        cash=done.opening_cash,
        markets=markets,
        equity_at_close=equity,
        exposure=exposure,
        executions=done.fills,
        figures=found,
        provenance=Provenance(
            data_sha256=joint_sha256(digests) or "",
            strategy_sha256=source_sha256(type(strategy)),
            params=as_json(strategy),
            version=__version__,
            seed=None,
        ),
        orders=done.orders,
        rejected=done.rejected + done.refused,
        ambiguous_bars=done.ambiguous_bars,
        run_seconds=done.run_s,
        dust=dust,
        asked=done.asked,
        warnings=tuple(_warnings(done, name)),
    )


def _curve(done: Run, markets: Sequence[BarColumns]) -> tuple[list[float], list[float]]:
    """Equity at each close, and the share of it that is in the market."""
    closes = [bars.close for bars in markets]
    number = {bars.symbol: at for at, bars in enumerate(markets)}
    equity: list[float] = []
    exposure: list[float] = []
    cash, held, since = done.opening_cash, [ZERO] * len(markets), 0
    for at, fill in zip(done.fill_times, done.fills, strict=True):
        if at > since:
            part = [column[since:at] for column in closes]
            _stretch(equity, exposure, part, cash=cash, held=held)
            since = at
        sign = 1 if fill.side == "BUY" else -1
        cash -= sign * fill.quantity * fill.price
        held[number[fill.symbol]] += sign * fill.quantity
        if fill.symbol.startswith(f"{fill.fee_asset}/"):
            held[number[fill.symbol]] -= fill.fee
        else:
            cash -= fill.fee
    part = [column[since:] for column in closes]
    _stretch(equity, exposure, part, cash=cash, held=held)
    return equity, exposure


def _stretch(
    equity: list[float],
    exposure: list[float],
    closes: Sequence[Sequence[float]],
    *,
    cash: Decimal,
    held: Sequence[Decimal],
) -> None:
    """Bars between two fills."""
    first, *others = zip(map(float, held), closes, strict=True)
    invested = [first[0] * close for close in first[1]]
    for quantity, column in others:
        if quantity:
            parts = zip(invested, column, strict=True)
            invested = [value + quantity * close for value, close in parts]
    money = float(cash)
    worth = [money + value for value in invested]
    equity += worth
    exposure += [v / w if w else 0.0 for v, w in zip(invested, worth, strict=True)]


def _name_of(kind: type[Strategy]) -> str:
    """What a shipped strategy is asked for by; the class's name for an author's own."""
    place = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, home in SHIPPED.items() if home == place), kind.__name__)


def source_sha256(kind: type[Strategy]) -> str:
    """Of the file that a strategy's class is in, or of its text where there is no file."""
    try:
        file = inspect.getsourcefile(kind)
        source = Path(file).read_bytes() if file else inspect.getsource(kind).encode()
    except (OSError, TypeError):  # typed into a prompt: there is no source to be had
        return ""
    return sha256(source).hexdigest()
