"""What a strategy author calls: `backtest`, from Python, a notebook or the command line.

Lives here: a run from a strategy and a table to a finished `Result`. Not here: the stepping
(app.backtest), figures and the report (lab).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from holdfast import __version__
from holdfast.app.backtest import UNLIMITED, Backtest, Run
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import NS_PER_S
from holdfast.domain.money import ZERO, parse, plain
from holdfast.errors import ConfigError
from holdfast.lab.bar_venue import CONSERVATIVE, Terms
from holdfast.lab.figures import figures
from holdfast.lab.result import Provenance, Result
from holdfast.market.bar_table import BarTable
from holdfast.strategy.api import Strategy
from holdfast.strategy.load import SHIPPED, create
from holdfast.strategy.parameters import as_json

__all__ = ["Result", "backtest", "create", "fine_instrument", "terms_of"]

_FINE = Decimal("0.00000001")
_BPS = Decimal(10_000)
Money = str | int | Decimal


def backtest(
    strategy: Strategy,
    data: BarTable,
    *,
    cash: Money = "10000",
    fee_bps: Money | float = 10,
    fee_asset: Literal["quote", "base"] = "quote",
    slippage_bps: Money | float = 0,
    conservative: bool = False,
    instrument: Instrument | None = None,
    limits: Limits = UNLIMITED,
) -> Result:
    """Run a strategy over recorded bars with the engine that trades live.

    Args:
        data: what `load` returned.
        cash: quote units to begin with, > 0.
        fee_bps: basis points of what is traded, 10 for 0.1 %.
        fee_asset: `base` takes the fee of a buy from what was bought, as spot exchanges do.
        slippage_bps: by which market and stop orders fill worse than the bar says.
        conservative: at least the slippage of `CONSERVATIVE`, and limits that must be traded
            through by its margin.
        instrument: the exchange's grid; without it quantities and prices of eight decimals.
        limits: of the risk gate; none by default.

    Raises:
        ConfigError: no bars, or a number that cannot be meant.
        RejectedError: the strategy broke; it says in which bar.
    """
    if not len(data):
        raise ConfigError("seen: no bars; expected: at least one; do: widen the time span")
    terms = terms_of(fee_bps, fee_asset, slippage_bps, conservative=conservative)
    opening = _number("cash", cash)
    if opening <= ZERO:
        raise ConfigError(f"seen: cash of {cash}; expected: more than zero")
    market = instrument or fine_instrument(data.symbol)
    if market.symbol != data.symbol:
        raise ConfigError(
            f"seen: an instrument of {market.symbol} for bars of {data.symbol}; expected: the same"
        )
    # A strategy is set up once; a copy leaves the author's free for the next run.
    fresh = msgspec.structs.replace(strategy)
    done = Backtest(
        fresh, data.columns(), instrument=market, cash=opening, terms=terms, limits=limits
    ).run()
    return _result(strategy, data, done, terms, market)


def terms_of(
    fee_bps: Money | float, fee_asset: str, slippage_bps: Money | float, *, conservative: bool
) -> Terms:
    """What trading costs.

    Raises:
        ConfigError: negative, no number, or another asset.
    """
    fee, slippage = _number("fee_bps", fee_bps) / _BPS, _number("slippage_bps", slippage_bps) / _BPS
    for name, value in (("fee_bps", fee), ("slippage_bps", slippage)):
        if not 0 <= value < 1:
            raise ConfigError(f"seen: {name}={value * _BPS}; expected: from 0 to under 10000")
    if fee_asset not in {"quote", "base"}:
        raise ConfigError(f"seen: fee_asset={fee_asset!r}; expected: quote or base")
    careful = CONSERVATIVE if conservative else Terms()
    return Terms(
        fee_rate=fee,
        fee_in="base" if fee_asset == "base" else "quote",
        slippage=max(slippage, careful.slippage),
        margin=careful.margin,
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
    )


def _result(
    strategy: Strategy, data: BarTable, done: Run, terms: Terms, market: Instrument
) -> Result:
    equity, exposure = _curve(done)
    close_ns = [at + data.bar_s * NS_PER_S for at in done.bars.open_ns]
    # What is too little to be sold is no position.
    dust = market.min_notional
    found = figures(
        cash=done.opening_cash,
        times_ns=close_ns,
        equity=equity,
        prices=done.bars.close,
        exposure=exposure,
        fills=done.fills,
        final_equity=done.final_equity,
        dust=dust,
    )
    return Result(
        name=_name_of(type(strategy)),
        cash=done.opening_cash,
        bars=done.bars,
        equity_at_close=equity,
        exposure=exposure,
        executions=done.fills,
        figures=found,
        provenance=Provenance(
            data_sha256=data.sha256,
            strategy_sha256=_source_sha256(strategy),
            params=as_json(strategy),
            version=__version__,
            seed=None,
        ),
        orders=done.orders,
        rejected=done.rejected + done.refused,
        ambiguous_bars=done.ambiguous_bars,
        run_seconds=done.run_s,
        dust=dust,
        assumptions=_assumptions(terms),
    )


def _curve(done: Run) -> tuple[list[float], list[float]]:
    """Equity at each close, and the share of it that is in the market."""
    closes = done.bars.close
    equity: list[float] = []
    exposure: list[float] = []
    cash, held, since = done.opening_cash, ZERO, 0
    for at, fill in zip(done.fill_bars, done.fills, strict=True):
        if at > since:
            _stretch(equity, exposure, closes[since:at], float(cash), float(held))
            since = at
        sign = 1 if fill.side == "BUY" else -1
        cash -= sign * fill.quantity * fill.price
        held += sign * fill.quantity
        if fill.symbol.startswith(f"{fill.fee_asset}/"):
            held -= fill.fee
        else:
            cash -= fill.fee
    _stretch(equity, exposure, closes[since:], float(cash), float(held))
    return equity, exposure


def _stretch(
    equity: list[float], exposure: list[float], closes: Sequence[float], cash: float, held: float
) -> None:
    """Bars between two fills."""
    worth = [cash + held * close for close in closes]
    equity += worth
    exposure += [held * c / w if w else 0.0 for c, w in zip(closes, worth, strict=True)]


def _assumptions(terms: Terms) -> Mapping[str, str]:
    slipped = f", {plain(terms.slippage * _BPS)} basis points worse" if terms.slippage else ""
    beyond = f" by {plain(terms.margin * _BPS)} basis points" if terms.margin else ""
    return {
        "market orders": f"fill whole at the next bar's open{slipped}",
        "limit orders": f"fill whole when a bar trades through them{beyond}, at the better of open "
        "and limit",
        "stops": f"fill inside the bar, before a take-profit in the same bar{slipped}",
        "fees": f"{plain(terms.fee_rate * _BPS)} basis points, in "
        + ("base of buys and quote of sells" if terms.fee_in == "base" else "quote"),
        "end": "the last position is marked at the last close, not sold",
    }


def _name_of(kind: type[Strategy]) -> str:
    """What a shipped strategy is asked for by; the class's name for an author's own."""
    place = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, home in SHIPPED.items() if home == place), kind.__name__)


def _source_sha256(strategy: Strategy) -> str:
    """Of the file that the strategy's class is in, or of its text where there is no file."""
    kind = type(strategy)
    try:
        file = inspect.getsourcefile(kind)
        source = Path(file).read_bytes() if file else inspect.getsource(kind).encode()
    except (OSError, TypeError):  # typed into a prompt: there is no source to be had
        return ""
    return sha256(source).hexdigest()


def _number(name: str, value: Money | float) -> Decimal:
    text = repr(value) if isinstance(value, float) else value
    try:
        return parse(text)
    except (ValueError, InvalidOperation) as error:
        raise ConfigError(f"seen: {name}={value!r}; expected: a finite number") from error
