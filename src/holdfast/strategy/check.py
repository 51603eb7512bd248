"""The five laws of a strategy, tried on bars: what breaks one in a test would break it live.

Lives here: replaying a strategy under other circumstances and comparing its wishes. Not here: the
engine, which has proofs of its own; reading data and printing (app, cli).
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.domain.market import NS_PER_S, Bar, BarColumns
from holdfast.domain.timeframe import timeframe_s
from holdfast.errors import ConfigError
from holdfast.strategy.api import Strategy
from holdfast.strategy.feed import Longer
from holdfast.strategy.invented import invented_around, invented_market
from holdfast.strategy.memory import MemoryFault
from holdfast.strategy.play import Actor, Close, Closes, Played, play_actor
from holdfast.strategy.process import FileState
from holdfast.strategy.sight import Sight, sight_of
from holdfast.strategy.watch import CHANCE, OUTSIDE, Watch
from holdfast.strategy.wish import Wish

LAWS = (
    "same bars, same wishes",
    "truncating the future changes nothing",
    "starting later converges",
    "failing over after every bar changes nothing",
    "memory survives being written and read",
)
HOLDS, BROKEN, NOT_CHECKED, NOT_APPLICABLE = "holds", "broken", "not checked", "n/a"

SETTLING = 20
"""Warm-ups after which a later start has to agree: what is left of a seed is then e^-20 or less."""
TOLERANCE = 1e-6
"""Of numbers in a wish after a later start, relative: an average that never ends keeps a trace."""
_STARTS = (1, 2, 7)
_CUTS = 5
_LEAST_COMPARED = 100
_FEWEST, MOST_BARS = 800, 20_000
_MOST_INVENTED = 80_000  # what is warm after hours is long in minutes
# Of updates when indicators without snapshots are fed anew at each failover.
_FEEDING_BUDGET = 2_000_000


class Law(msgspec.Struct, frozen=True):
    """What became of one law.

    Attributes:
        verdict: `holds`, `broken`, `not checked` or `n/a`.
        bar: number of the first close that broke it, from 0; None where none did.
        at: when that bar closed, ISO 8601 UTC.
        why: what was seen, or why it was not checked.
    """

    law: str
    verdict: str
    bar: int | None = None
    at: str | None = None
    why: str = ""


class Check(msgspec.Struct, frozen=True):
    """All five laws.

    Attributes:
        bars: how many it was tried on; of several symbols those that close together count once.
        decisions: how often the strategy was asked.
        changes: how often its wish was another than before; with none the laws say little.
        looks_at: what it has declared; None when it does not run.
    """

    laws: Sequence[Law]
    bars: int
    decisions: int
    changes: int
    looks_at: Sight | None = None

    @property
    def broken(self) -> list[Law]:
        """Laws that do not hold."""
        return [law for law in self.laws if law.verdict == BROKEN]

    @property
    def holds(self) -> bool:
        """Whether no law is broken."""
        return not self.broken


def check_strategy(
    strategy: Strategy,
    bars: Iterable[Bar] | None = None,
    *,
    symbols: Sequence[str] = (),
    timeframe: str = "1m",
    watch: Watch | None = None,
) -> Check:
    """Try the five laws: `assert check_strategy(Mine()).broken == []`.

    Args:
        bars: oldest first, of all symbols; without them an invented market, the same each time.
            Books and trades are invented around them.
        symbols: what is traded, the strategy's own first; else those of the bars, or one.
        timeframe: of the invented bars.
        watch: one that has seen already how the strategy's file was imported.

    Raises:
        ConfigError: so few bars that the strategy is never asked; bars of several lengths.
    """
    given = None if bars is None else tuple(bars)
    try:
        market = None if given is None else Closes(given, symbols)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return _Trial(strategy, market, symbols or ("BTC/USDT",), timeframe_s(timeframe), watch).check()


class _Trial:
    """One strategy on one market."""

    def __init__(
        self,
        strategy: Strategy,
        market: Closes | None,
        symbols: Sequence[str],
        bar_s: int,
        watch: Watch | None,
    ) -> None:
        self._kind = type(strategy)
        names = strategy.__struct_fields__
        self._parameters = {name: copy.deepcopy(getattr(strategy, name)) for name in names}
        self._file = FileState(self._kind)
        self._watch = watch or Watch(_file_name(self._kind))
        self._settling = SETTLING
        self._seen: dict[tuple[str, int], tuple[list[Bar], list[int]]] = {}
        self._invent = market is None
        self.market = market or Closes((), symbols, bar_s)

    def check(self) -> Check:
        try:
            actor = self._actor(self._watch)
            self._settling = SETTLING * actor.warmup
            if self._invent:
                wanted = max(_FEWEST, self._settling + 4 * _LEAST_COMPARED)
                self.market = invented_market(
                    min(_MOST_INVENTED, wanted), self.market.symbols, self.market.bar_s
                )
            first = play_actor(_Noting(actor, self._watch), self.market)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy may raise anything
            return self._raised(error)
        if not first.wishes:
            raise ConfigError(
                f"seen: {len(self.market)} bars, and the strategy waits for {actor.warmup}; "
                "expected: more; do: give a longer series, or shorter periods"
            )
        self._first = first
        laws = [
            self._law(0, self._again),
            self._law(1, self._truncated),
            self._law(2, self._later),
            self._law(3, self._failing_over),
            self._remembered(actor),
        ]
        pairs = zip(first.wishes, first.wishes[1:], strict=False)
        changes = sum(one != other for one, other in pairs)
        return Check(laws, len(self.market), len(first.wishes), changes, sight_of(actor.on))

    def _raised(self, error: BaseException) -> Check:
        broken = 4 if isinstance(error, MemoryFault) else 0
        why = f"raised {type(error).__name__}: {error}"
        laws = [Law(law, NOT_CHECKED, why="it does not run") for law in LAWS]
        laws[broken] = self._broken(broken, self._watch.at, why)
        return Check(laws, len(self.market), 0, 0)

    def _law(self, number: int, attempt: Callable[[], Law | None]) -> Law:
        self._watch.at = None
        try:
            return attempt() or Law(LAWS[number], HOLDS)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy may raise anything
            return self._broken(number, self._watch.at, f"raised {type(error).__name__}: {error}")

    # -- the laws ----------------------------------------------------------------------------------

    def _again(self) -> Law | None:
        """Once more in the same process: nothing may be left over from the first time."""
        if CHANCE in self._watch.seen:
            at, what = self._watch.seen[CHANCE]
            return self._broken(0, at, f"the strategy {what}; now.time_ns is its only clock")
        return self._compare(0, self._played(self.market), "asked once more it wished")

    def _truncated(self) -> Law | None:
        if OUTSIDE in self._watch.seen:
            at, what = self._watch.seen[OUTSIDE]
            return self._broken(1, at, f"the strategy {what}; the future may be in there")
        broken = self._columns()
        count = len(self.market)
        for cut in (count * part // (_CUTS + 1) for part in range(_CUTS, 0, -1)):
            if broken is not None:
                return broken
            self._file.restore()
            played = self._played(self.market.up_to(cut))
            broken = self._compare(1, played, f"without the bars from {cut} on it wished")
        return broken

    def _columns(self) -> Law | None:
        """A backtest computes indicators over all bars at once, if they offer it."""
        actor = self._actor()
        offering: list[tuple[Any, str, Sequence[float], list[int]]] = []
        for (symbol, bar_s), indicators in actor.on.series.items():
            shown, newest = self._shown(symbol, bar_s)
            columns = _columns_of(shown, symbol, bar_s)
            for one in indicators:
                if hasattr(one, "over"):
                    over: Any = one
                    each = zip(over.outputs, over.over(columns), strict=True)
                    offering += ((one, name, values, newest) for name, values in each)
        for at, close in enumerate(self.market.closes):
            self._watch.at = at
            actor.feed(close)
            for one, name, values, newest in offering:
                if one.ready and values[newest[at]] != getattr(one, name):
                    seen, fed = values[newest[at]], getattr(one, name)
                    why = f"{one!r}.{name} is {seen!r} over columns, {fed!r} when fed"
                    return self._broken(1, at, why)
        return None

    def _shown(self, symbol: str, bar_s: int) -> tuple[list[Bar], list[int]]:
        """All bars of a series, and at each close the number of the newest of them."""
        known = self._seen.get((symbol, bar_s))
        if known is not None:
            return known
        longer = Longer(bar_s) if bar_s > self.market.bar_s else None
        shown: list[Bar] = []
        newest: list[int] = []
        for close in self.market.closes:
            for bar in close.bars:
                if bar.symbol == symbol:
                    shown += (bar,) if longer is None else longer.take(bar)
            newest.append(len(shown) - 1)
        self._seen[symbol, bar_s] = shown, newest
        return shown, newest

    def _later(self) -> Law | None:
        needed = self._settling + max(_STARTS) + _LEAST_COMPARED
        if len(self.market) < needed:
            why = f"needs {needed} bars, {SETTLING} warm-ups and {_LEAST_COMPARED}"
            return Law(LAWS[2], NOT_CHECKED, why=why)
        first = self._first
        for start in _STARTS:
            self._file.restore()
            actor = self._actor()
            for at in range(start, len(self.market)):
                self._watch.at = at
                close = self.market.closes[at]
                if not actor.feed(close) or at < first.first:
                    continue
                wish = actor.decide(close, first.told[at - first.first])
                expected = first.wishes[at - first.first]
                if at >= start + self._settling and not _alike(wish, expected):
                    why = f"started {start} bars later it still wished {wish}, not {expected}"
                    return self._broken(2, at, why)
        return None

    def _failing_over(self) -> Law | None:
        """A new process after each bar, with nothing but parameters, bars and facts."""
        first, held = self._first, self._actor()
        stride = self._stride(held)
        for at, close in enumerate(self.market.closes):
            self._watch.at = at
            if not held.feed(close) or (at - first.first) % stride:
                continue
            self._file.restore()
            fresh = self._actor()
            self._hand_over(held, fresh, at)
            wish, memory = fresh.answer(close, first.told[at - first.first])
            expected = first.wishes[at - first.first]
            if wish != expected:
                return self._broken(3, at, f"a new process wished {wish}, not {expected}")
            kept = first.memory_after(at)
            if memory != kept:
                return self._broken(3, at, f"a new process remembers {memory}, not {kept}")
            held = fresh
        often = f"once in {stride} bars, because its own indicators are fed anew each time"
        return Law(LAWS[3], HOLDS, why=often if stride > 1 else "")

    def _remembered(self, actor: Actor) -> Law:
        """Each memory was written and read as the journal does it, or the first run had raised."""
        if not actor.has_memory:
            return Law(LAWS[4], NOT_APPLICABLE, why="the strategy keeps no memory")
        if self._first.memory is None:
            return Law(LAWS[4], NOT_CHECKED, why="it never returned another memory on these bars")
        return Law(LAWS[4], HOLDS)

    def _hand_over(self, held: Actor, fresh: Actor, at: int) -> None:
        """Indicators continue from a snapshot; those without are fed from the anchor on."""
        fresh.take_over(held)
        for series, before in held.on.series.items():
            for old, new in zip(before, fresh.on.series[series], strict=True):
                state, restore = getattr(old, "state", None), getattr(new, "restore", None)
                if state is not None and restore is not None:
                    restore(state())
                    continue
                shown, newest = self._shown(*series)
                for bar in shown[: newest[at] + 1]:
                    new.update(bar)

    def _stride(self, actor: Actor) -> int:
        every = (one for series in actor.on.series.values() for one in series)
        fed = sum(not hasattr(one, "restore") for one in every)
        return 1 + fed * len(self.market) ** 2 // 2 // _FEEDING_BUDGET

    # -- tools -------------------------------------------------------------------------------------

    def _actor(self, around: Watch | None = None) -> Actor:
        fresh = self._kind(**copy.deepcopy(self._parameters))
        return Actor(
            fresh, self.market.symbols, self.market.bar_s, around, invent=invented_around
        )

    def _played(self, market: Closes) -> Played:
        return play_actor(_Noting(self._actor(), self._watch), market)

    def _compare(self, number: int, played: Played, seen: str) -> Law | None:
        """With the first time, as far as the other one goes."""
        first = self._first
        if played.wishes and played.first != first.first:
            why = f"{seen} for the first time in bar {played.first}, not {first.first}"
            return self._broken(number, min(played.first, first.first), why)
        for at, (wish, expected) in enumerate(
            zip(played.wishes, first.wishes, strict=False), first.first
        ):
            if wish != expected:
                return self._broken(number, at, f"{seen} {wish}, not {expected}")
        return None

    def _broken(self, number: int, at: int | None, why: str) -> Law:
        if at is None:
            return Law(LAWS[number], BROKEN, why=f"{why} (before the first bar)")
        closed_s = self.market.closes[at].time_ns // NS_PER_S
        stamp = datetime.fromtimestamp(closed_s, UTC).isoformat().replace("+00:00", "Z")
        return Law(LAWS[number], BROKEN, at, stamp, why)


class _Noting(Actor):
    """An actor that tells which bar it is at."""

    def __init__(self, actor: Actor, watch: Watch) -> None:
        self.__dict__.update(vars(actor))
        self._noted = watch

    def feed(self, close: Close) -> bool:
        self._noted.at = 0 if self._noted.at is None else self._noted.at + 1
        return super().feed(close)


def _file_name(kind: type) -> str:
    return Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "").name


def _columns_of(bars: Sequence[Bar], symbol: str, bar_s: int) -> BarColumns:
    names = ("open", "high", "low", "close", "volume")
    return BarColumns(
        symbol,
        bar_s,
        [bar.open_ns for bar in bars],
        *([float(getattr(bar, name)) for bar in bars] for name in names),
    )


def _alike(one: Wish, other: Wish) -> bool:
    """Whether wishes are the same up to the tolerance of their numbers."""
    if one == other:
        return True
    if type(one) is not type(other):
        return False
    for left, right in zip(_parts(one), _parts(other), strict=True):
        both = isinstance(left, float | Decimal) and isinstance(right, float | Decimal)
        if left != right and not (
            both and math.isclose(float(left), float(right), rel_tol=TOLERANCE)
        ):
            return False
    return True


def _parts(value: Any) -> Iterator[Any]:
    """Every plain value in a wish, and how many there are of each."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _parts(getattr(value, name))
    elif isinstance(value, Mapping):
        yield sorted(value)
        for name in sorted(value):
            yield from _parts(value[name])
    elif isinstance(value, list | tuple):
        yield len(value)
        for item in value:
            yield from _parts(item)
    else:
        yield value
