"""Strategies for people and forms: described, begun as a file, and tried by the five laws.

Not here: finding or running them (strategy, engine), the laws themselves (strategy.check).
"""

from __future__ import annotations

import decimal
import keyword
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from holdfast.app.markets.data import BarTable, load
from holdfast.domain.market import Bar
from holdfast.domain.timeframe import timeframe_s
from holdfast.errors import ConfigError
from holdfast.strategy.api import Setup, Strategy
from holdfast.strategy.check import MOST_BARS, Check, check_strategy
from holdfast.strategy.load import SHIPPED, create, find
from holdfast.strategy.sight import Sight, sight_of
from holdfast.strategy.watch import Watch


class Description(msgspec.Struct, frozen=True):
    """A strategy.

    Attributes:
        about: the first line of its docstring.
        parameters: JSON schema of each; one without `default` must be given.
        looks_at: what it declares with the parameters given, else with their defaults; None where
            one must be given and was not.
    """

    name: str
    about: str
    parameters: dict[str, dict[str, Any]]
    looks_at: Sight | None = None


def described() -> list[Description]:
    """Every shipped strategy, by name."""
    return [describe(name) for name in sorted(SHIPPED)]


def describe(
    name: str,
    given: Mapping[str, Any] = MappingProxyType({}),
    *,
    symbols: Sequence[str] = ("BTC/USDT",),
    timeframe: str = "1m",
) -> Description:
    """The strategy called `name`, or `FILE:Class`.

    Args:
        given: parameters.
        symbols, timeframe: of the bot that it would be for.

    Raises:
        ConfigError: there is none, or `given` or `timeframe` cannot be used.
    """
    kind = find(name)
    schema = msgspec.json.schema(kind)
    own = schema["$defs"][kind.__name__]["properties"]
    parameters = {field: _plain(own[field]) for field in kind.__struct_fields__}
    about = (kind.__doc__ or "").strip().splitlines()
    missing = [each for each, told in parameters.items() if "default" not in told]
    sight = None
    if not set(missing) - set(given):
        sight = sight_of(_set_up(create(name, given), symbols, timeframe))
    return Description(name, about[0] if about else "", parameters, sight)


def _set_up(strategy: Strategy, symbols: Sequence[str], timeframe: str) -> Setup:
    on = Setup(symbols, timeframe_s(timeframe))
    try:
        with decimal.localcontext():  # a precision that it sets is its own
            strategy.setup(on)
    except Exception as error:  # the author's code may raise anything
        raise ConfigError(
            f"seen: setup raised {type(error).__name__}: {error}; expected: declarations for bars "
            f"of {timeframe} of {', '.join(symbols)}; do: name others with --timeframe or --symbol"
        ) from error
    return on


def check(
    name: str,
    parameters: Mapping[str, Any],
    data: Sequence[Path] = (),
    *,
    symbols: Sequence[str] = (),
    timeframe: str | None = None,
) -> Check:
    """Try the five laws on a strategy.

    Args:
        name: a shipped strategy, or `FILE:Class`.
        data: files of candles, one for each symbol, of which the first 20,000 closes are used;
            without any a market is invented.
        symbols: of the files, in their order, where they do not tell; or of the invented market.

    Raises:
        ConfigError: strategy, parameters or data cannot be used.
    """
    watch = Watch(Path(name.rpartition(":")[0]).name)
    with watch:
        strategy = create(name, parameters)
    if not data:
        return check_strategy(
            strategy, symbols=symbols, timeframe=timeframe or "1m", watch=watch
        )
    if symbols and len(symbols) != len(data):
        raise ConfigError(
            f"seen: {len(data)} × --data, {len(symbols)} × --symbol; expected: a symbol for each "
            "file, in their order, or none where the files tell"
        )
    names: Sequence[str | None] = symbols or [None] * len(data)
    tables = [
        load(path, symbol=symbol, timeframe=timeframe)
        for path, symbol in zip(data, names, strict=True)
    ]
    begins = max(table.first_ns for table in tables)
    bars = [bar for table in tables for bar in _first_bars(table, begins)]
    return check_strategy(
        strategy, bars, symbols=[table.symbol for table in tables], watch=watch
    )


def _first_bars(table: BarTable, begins_ns: int) -> Iterator[Bar]:
    """As many as are tried, from where all symbols have some."""
    columns = table.columns()
    first = bisect_left(columns.open_ns, begins_ns)
    return (columns.bar(at) for at in range(first, min(len(columns), first + MOST_BARS)))


def begin(name: str, folder: Path) -> tuple[Path, str]:
    """Write a first strategy called `name` into `folder`; the file and its class.

    Raises:
        ConfigError: the name is no Python name, or there is such a file, which stays as it is.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise ConfigError(
            f"seen: strategy name {name!r}; expected: letters, digits and _, such as my_first; "
            "do: leave out .py and folders"
        )
    kind = "".join(part[:1].upper() + part[1:] for part in name.split("_")) or "Mine"
    if f" {kind}," in _TEMPLATE or f" {kind}\n" in _TEMPLATE:
        kind += "Bot"  # the file imports that name already
    file = folder / f"{name}.py"
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(_TEMPLATE.replace("Template", kind))
    except FileExistsError as error:
        raise ConfigError(
            f"seen: {file} is there already; expected: a new name; do: choose another, or move it"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"seen: {file} cannot be written ({error.strerror}); expected: a folder that is yours"
        ) from error
    return file, kind


_TEMPLATE = '''"""What it waits for, what it does then, and why that should pay."""

from typing import Annotated

from holdfast.strategy import FLAT, KEEP, Percent, Range, Setup, Strategy, Target, View, Wish


class Template(Strategy):
    """Hold while the price is above a rising average; a stop limits the loss."""

    # Parameters: type, bounds, default. `--param period=30` sets one, and an optimiser searches
    # within the bounds.
    period: Annotated[int, Range(2, 500)] = 50
    weight: Annotated[float, Range(0.01, 1)] = 0.5  # share of the account's equity
    stop_pct: Annotated[float, Range(0.1, 50)] = 5.0

    def setup(self, on: Setup) -> None:
        """Runs once. Declare indicators; all of them are ready before `decide` is asked.

        on.bars("1h") are longer bars, on.bars(symbol="ETH/USDT") another symbol's.
        """
        self.slow = on.bars().ema(self.period)
        self.fast = on.bars().ema(max(1, self.period // 3))

    def decide(self, now: View) -> Wish:
        """Runs at each bar's close. Say what you want; the engine makes the orders.

        Use nothing but parameters, indicators and `now`: now.bar, now.position, now.equity,
        now.last_exit, now.time_ns. No files, no clock, no state of your own: then a new process
        goes on as if nothing had happened, and live does what the backtest did.

        With several symbols there are now.bars and now.positions too, and a wish for each:
        {"BTC/USDT": FLAT, "ETH/USDT": KEEP}.
        """
        close = float(now.bar.close)
        if close < self.slow.value:
            return FLAT  # hold nothing
        if self.fast.value > self.slow.value:
            return Target(weight=self.weight, stop=Percent(self.stop_pct))
        return KEEP  # what was wished last still stands
'''


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in schema.items()}
