"""What trading costs in a run: from what its caller says to terms, books, numbers and words.

Not here: how they are applied (lab.bar_venue, lab.depth), the run (research).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from holdfast.domain.money import ZERO, parse, plain
from holdfast.errors import ConfigError
from holdfast.lab.depth import Books, Depth
from holdfast.lab.settlement import CONSERVATIVE, Terms
from holdfast.market.book_replay import BookReplay, open_books
from holdfast.market.table import sha256_of
from holdfast.market.tape import Tape, open_tapes

_BPS = Decimal(10_000)
_NS_PER_MS = 1_000_000
_LATEST_MS = 86_400_000
NO_TAPES: Mapping[str, Tape] = MappingProxyType({})
Money = str | int | Decimal
Paths = str | Path | Iterable[str | Path]


def number_of(name: str, value: Money | float) -> Decimal:
    """An exact number from what a caller gave.

    Raises:
        ConfigError: it is none.
    """
    text = repr(value) if isinstance(value, float) else value
    try:
        return parse(text)
    except (ValueError, InvalidOperation) as error:
        raise ConfigError(f"seen: {name}={value!r}; expected: a finite number") from error


def terms_of(
    fee_bps: Money | float,
    fee_asset: str,
    slippage_bps: Money | float,
    latency_ms: Money | float,
    *,
    conservative: bool,
    has_books: bool,
    has_trades: bool = False,
    order_lists: bool = True,
) -> Terms:
    """What trading costs.

    Args:
        has_books, has_trades: whether prices at any moment are known. Where they are not, a
            conservative run has no latency of its own: a quarter of a second would cost a whole
            bar's move. Where trades are, limits wait for prints, and for no margin.
        order_lists: the venue takes them.

    Raises:
        ConfigError: negative, no number, or another asset.
    """
    fee = number_of("fee_bps", fee_bps) / _BPS
    slippage = number_of("slippage_bps", slippage_bps) / _BPS
    for name, value in (("fee_bps", fee), ("slippage_bps", slippage)):
        if not 0 <= value < 1:
            raise ConfigError(f"seen: {name}={value * _BPS}; expected: from 0 to under 10000")
    if fee_asset not in {"quote", "base"}:
        raise ConfigError(f"seen: fee_asset={fee_asset!r}; expected: quote or base")
    late_ms = number_of("latency_ms", latency_ms)
    if not 0 <= late_ms <= _LATEST_MS:
        raise ConfigError(f"seen: latency_ms={late_ms}; expected: from 0 to {_LATEST_MS}, a day")
    careful = CONSERVATIVE if conservative else Terms()
    return Terms(
        fee_rate=fee,
        fee_in="base" if fee_asset == "base" else "quote",
        slippage=max(slippage, careful.slippage),
        margin=ZERO if has_trades else careful.margin,
        latency_ns=max(
            int(late_ms * _NS_PER_MS), careful.latency_ns if has_books or has_trades else 0
        ),
        order_lists=order_lists,
    )


def open_depth(
    paths: Paths | None, symbols: Sequence[str], *, fallback: bool
) -> dict[str, Depth[BookReplay]]:
    """The recorded books of each symbol; none where no recordings are named.

    Raises:
        ConfigError: a recording cannot be used, or a symbol has none.
    """
    if paths is None:
        return {}
    books = open_books(_given(paths), symbols)
    return {symbol: Depth(one, fallback=fallback) for symbol, one in books.items()}


def open_trades(paths: Paths | None, symbols: Sequence[str]) -> dict[str, Tape]:
    """The recorded trades of each symbol; none where no recordings are named.

    Raises:
        ConfigError: a recording cannot be used, or a symbol has none.
    """
    return {} if paths is None else open_tapes(_given(paths), symbols)


def _given(paths: Paths) -> list[Path]:
    return [Path(one) for one in ([paths] if isinstance(paths, str | Path) else paths)]


def recorded_sha256(costs: Mapping[str, Any]) -> dict[str, str]:
    """Of the files beside the bars that the options of `backtest` name, by option."""
    signals = costs.get("signals") or {}
    named = {
        "depth": _given(costs.get("depth") or ()),
        "trades": _given(costs.get("trades") or ()),
        "signals": [Path(file) for file in signals.values()],
    }
    found = {}
    for option, paths in named.items():
        folders = [sorted(path.iterdir()) if path.is_dir() else [path] for path in paths]
        files = [file for folder in folders for file in folder if file.is_file()]
        if files:
            found[option] = sha256_of(files)
    return found


def joint_sha256(digests: Sequence[str]) -> str | None:
    """Of one symbol's recordings, or of the digests of several symbols in their order."""
    if not digests:
        return None
    return digests[0] if len(digests) == 1 else sha256(" ".join(digests).encode()).hexdigest()


def numbers(terms: Terms) -> dict[str, str]:
    """The terms as scripts read them: basis points, milliseconds."""
    return {
        "fee_bps": plain(terms.fee_rate * _BPS),
        "fee_asset": terms.fee_in,
        "slippage_bps": plain(terms.slippage * _BPS),
        "margin_bps": plain(terms.margin * _BPS),
        "latency_ms": plain(Decimal(terms.latency_ns) / _NS_PER_MS),
        "order_lists": "yes" if terms.order_lists else "no",
    }


def words(
    terms: Terms, depth: Mapping[str, Depth[Books]], tapes: Mapping[str, Tape] = NO_TAPES
) -> dict[str, str]:
    """What a run took for granted, as its report says it: name to text."""
    if tapes:
        return _on_tape(terms, depth, tapes)
    told = numbers(terms)
    slipped = f", {told['slippage_bps']} basis points worse" if terms.slippage else ""
    beyond = f" by {told['margin_bps']} basis points" if terms.margin else ""
    late = f"{told['latency_ms']} ms after the decision" if terms.latency_ns else "at once"
    found = {
        "market orders": f"fill whole at the next bar's open{slipped}",
        "limit orders": f"fill whole when a bar trades through them{beyond}, at the better of open "
        "and limit",
        "stops": f"fill inside the bar, before a take-profit in the same bar{slipped}",
        "take-profits": _take_profits(terms),
        "fees": f"{told['fee_bps']} basis points, in "
        + ("base of buys and quote of sells" if terms.fee_in == "base" else "quote"),
        "end": "the last position is marked at the last close, not sold",
    }
    if terms.latency_ns:
        found["market orders"] = (
            f"fill whole at the first price known when they arrive, {late}: the close of that bar, "
            f"or the open where they arrive between bars{slipped}"
        )
        found["latency"] = (
            f"orders and cancels arrive {late}; in the bar in which they do, a limit is not there "
            "yet, and what is cancelled still is; a stop is there"
        )
    return {**found, **_of_books(found, depth, late)} if depth else found


def _on_tape(
    terms: Terms, depth: Mapping[str, Depth[Books]], tapes: Mapping[str, Tape]
) -> dict[str, str]:
    told = numbers(terms)
    late = f"{told['latency_ms']} ms after the decision" if terms.latency_ns else "at once"
    slipped = f", {told['slippage_bps']} basis points worse" if terms.slippage else ""
    by_print = f"fill whole at the first recorded trade from then on{slipped}"
    found = {
        "market orders": f"arrive {late}, and {by_print}",
        "limit orders": "fill when a recorded trade goes through their price, never more than it "
        "traded; one that is beyond the market as it arrives fills whole at the first trade",
        "stops": f"are set off by recorded trades, and fill whole at that price{slipped}",
        "take-profits": _take_profits(terms),
        "fees": f"{told['fee_bps']} basis points, in "
        + ("base of buys and quote of sells" if terms.fee_in == "base" else "quote"),
        "end": "the last position is marked at the last close, not sold",
        "trades": "; ".join(f"{symbol}, SHA-256 {one.sha256}" for symbol, one in tapes.items()),
    }
    if not depth:
        return found
    is_soft = any(one.fallback for one in depth.values())
    missing = f"they {by_print}" if is_soft else "it is an error"
    return {
        **found,
        "market orders": f"arrive {late}, and walk the recorded book, one fill for each level; "
        f"what it does not hold expires; where no book is known {missing}",
        "limit orders": "take what the book offers up to their price; what rests fills when a "
        "recorded trade goes through its price, or at it once all that stood there before has "
        "traded, never more than it traded",
        "stops": "are set off by recorded trades, and walk the book of that moment",
        "order books": _books(depth),
    }


def _take_profits(terms: Terms) -> str:
    alone = "are watched, and sold at market when the price reaches them"
    if not terms.order_lists:
        return alone
    return f"rest beside their stop as one list, as limit orders; without a stop they {alone}"


def _books(depth: Mapping[str, Depth[Books]]) -> str:
    return "; ".join(
        f"{symbol} {one.books.coverage}, SHA-256 {one.books.sha256}"
        for symbol, one in depth.items()
    )


def _of_books(
    by_bars: Mapping[str, str], depth: Mapping[str, Depth[Books]], late: str
) -> dict[str, str]:
    is_soft = any(one.fallback for one in depth.values())
    missing = f"they {by_bars['market orders']}" if is_soft else "it is an error"
    return {
        "market orders": "walk the recorded book, one fill for each level, and what it does not "
        f"hold expires, {late}; where no book is known {missing}",
        "stops": "walk the book in which their price was reached; where none saw it they "
        + by_bars["stops"],
        "order books": _books(depth),
    }
