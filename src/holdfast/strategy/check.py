"""The five laws of a strategy, tried on bars: what breaks one in a test would break it live.

Lives here: replaying a strategy under other circumstances and comparing its wishes. Not here: the
engine, which has proofs of its own; reading data and printing (app, cli).
"""

from __future__ import annotations

import copy
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.domain.market import NS_PER_S, Bar, BarColumns
from holdfast.errors import ConfigError
from holdfast.strategy.api import Strategy
from holdfast.strategy.memory import MemoryFault
from holdfast.strategy.play import Actor, Played, bars_of, play_actor
from holdfast.strategy.process import FileState
from holdfast.strategy.watch import CHANCE, OUTSIDE, Watch
from holdfast.strategy.wish import OneWish

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
# Of updates when indicators without snapshots are fed anew at each failover.
_FEEDING_BUDGET = 2_000_000


class Law(msgspec.Struct, frozen=True):
    """What became of one law.

    Attributes:
        verdict: `holds`, `broken`, `not checked` or `n/a`.
        bar: number of the first bar that broke it, from 0; None where no bar did.
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
        bars: how many it was tried on.
        decisions: how often the strategy was asked.
        changes: how often its wish was another than before; with none the laws say little.
    """

    laws: Sequence[Law]
    bars: int
    decisions: int
    changes: int

    @property
    def broken(self) -> list[Law]:
        """Laws that do not hold."""
        return [law for law in self.laws if law.verdict == BROKEN]

    @property
    def holds(self) -> bool:
        """Whether no law is broken."""
        return not self.broken


def check_strategy(
    strategy: Strategy, bars: Iterable[Bar] | None = None, *, watch: Watch | None = None
) -> Check:
    """Try the five laws: `assert check_strategy(Mine()).broken == []`.

    Args:
        bars: oldest first; without them an invented market, the same each time.
        watch: one that has seen already how the strategy's file was imported.

    Raises:
        ConfigError: so few bars that the strategy is never asked.
    """
    return _Trial(strategy, bars, watch).check()


def invented(count: int, seed: int = 7) -> tuple[Bar, ...]:
    """One-minute bars of a market with calm and wild hours, trends and wicks."""
    source = random.Random(seed)
    log_price, drift, width, closes = math.log(30_000), 0.0, 0.002, []
    for at in range(count):
        if at % 60 == 0:
            drift, width = source.gauss(0, 0.0004), source.choice((0.0008, 0.002, 0.005))
        log_price += source.gauss(drift, width)
        closes.append(round(math.exp(log_price), 2))
    return tuple(
        msgspec.structs.replace(
            bar,
            high=bar.high + Decimal(source.randrange(3000)) / 100,
            low=bar.low - Decimal(source.randrange(3000)) / 100,
            volume=Decimal(source.randrange(1, 5000)) / 1000,
        )
        for bar in bars_of(closes)
    )


class _Trial:
    """One strategy on one series."""

    def __init__(self, strategy: Strategy, bars: Iterable[Bar] | None, watch: Watch | None) -> None:
        self._kind = type(strategy)
        names = strategy.__struct_fields__
        self._parameters = {name: copy.deepcopy(getattr(strategy, name)) for name in names}
        self._file = FileState(self._kind)
        self._watch = watch or Watch(_file_name(self._kind))
        self._settling = SETTLING
        self.bars: Sequence[Bar] = () if bars is None else tuple(bars)
        self._invent = bars is None

    def check(self) -> Check:
        try:
            actor = Actor(self._fresh(), self._watch)
            self._settling = SETTLING * actor.warmup
            if self._invent:
                self.bars = invented(
                    min(MOST_BARS, max(_FEWEST, self._settling + 4 * _LEAST_COMPARED))
                )
            first = play_actor(_Noting(actor, self._watch), self.bars)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy may raise anything
            return self._raised(error)
        if not first.wishes:
            raise ConfigError(
                f"seen: {len(self.bars)} bars, and the strategy waits for {actor.warmup}; "
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
        return Check(
            laws, len(self.bars), len(first.wishes), sum(one != other for one, other in pairs)
        )

    def _raised(self, error: BaseException) -> Check:
        broken = 4 if isinstance(error, MemoryFault) else 0
        why = f"raised {type(error).__name__}: {error}"
        laws = [Law(law, NOT_CHECKED, why="it does not run") for law in LAWS]
        laws[broken] = self._broken(broken, self._watch.at, why)
        return Check(laws, len(self.bars), 0, 0)

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
        return self._compare(0, self._played(self.bars), "asked once more it wished")

    def _truncated(self) -> Law | None:
        if OUTSIDE in self._watch.seen:
            at, what = self._watch.seen[OUTSIDE]
            return self._broken(1, at, f"the strategy {what}; the future may be in there")
        broken = self._columns()
        count = len(self.bars)
        for cut in (count * part // (_CUTS + 1) for part in range(_CUTS, 0, -1)):
            if broken is not None:
                return broken
            self._file.restore()
            played = self._played(self.bars[:cut])
            broken = self._compare(1, played, f"without the bars from {cut} on it wished")
        return broken

    def _columns(self) -> Law | None:
        """A backtest computes indicators over all bars at once, if they offer it."""
        actor = Actor(self._fresh())
        columns = _columns_of(self.bars)
        offering: list[Any] = [one for one in actor.indicators if hasattr(one, "over")]
        found = [tuple(zip(one.outputs, one.over(columns), strict=True)) for one in offering]
        for at, bar in enumerate(self.bars):
            self._watch.at = at
            actor.feed(bar)
            for one, outputs in zip(offering, found, strict=True):
                for name, values in outputs:
                    fed = getattr(one, name)
                    if one.ready and values[at] != fed:
                        why = f"{one!r}.{name} is {values[at]!r} over columns, {fed!r} when fed"
                        return self._broken(1, at, why)
        return None

    def _later(self) -> Law | None:
        needed = self._settling + max(_STARTS) + _LEAST_COMPARED
        if len(self.bars) < needed:
            why = f"needs {needed} bars, {SETTLING} warm-ups and {_LEAST_COMPARED}"
            return Law(LAWS[2], NOT_CHECKED, why=why)
        first = self._first
        for start in _STARTS:
            self._file.restore()
            actor = Actor(self._fresh())
            for at in range(start, len(self.bars)):
                self._watch.at = at
                if not actor.feed(self.bars[at]):
                    continue
                wish = actor.decide(self.bars[at], first.told[at - first.first])
                expected = first.wishes[at - first.first]
                if at >= start + self._settling and not _alike(wish, expected):
                    why = f"started {start} bars later it still wished {wish}, not {expected}"
                    return self._broken(2, at, why)
        return None

    def _failing_over(self) -> Law | None:
        """A new process after each bar, with nothing but parameters, bars and facts."""
        first, held = self._first, Actor(self._fresh())
        stride = self._stride(held)
        for at, bar in enumerate(self.bars):
            self._watch.at = at
            if not held.feed(bar) or (at - first.first) % stride:
                continue
            self._file.restore()
            fresh = Actor(self._fresh())
            self._hand_over(held, fresh, at)
            wish, memory = fresh.answer(bar, first.told[at - first.first])
            expected = first.wishes[at - first.first]
            if wish != expected:
                return self._broken(3, at, f"a new process wished {wish}, not {expected}")
            kept = first.memory_after(at)
            if memory != kept:
                return self._broken(3, at, f"a new process remembers {memory}, not {kept}")
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
        for old, new in zip(held.indicators, fresh.indicators, strict=True):
            state, restore = getattr(old, "state", None), getattr(new, "restore", None)
            if state is not None and restore is not None:
                restore(state())
                continue
            for bar in self.bars[: at + 1]:
                new.update(bar)

    def _stride(self, actor: Actor) -> int:
        fed = sum(not hasattr(one, "restore") for one in actor.indicators)
        return 1 + fed * len(self.bars) ** 2 // 2 // _FEEDING_BUDGET

    # -- tools -------------------------------------------------------------------------------------

    def _fresh(self) -> Strategy:
        return self._kind(**copy.deepcopy(self._parameters))

    def _played(self, bars: Sequence[Bar]) -> Played:
        return play_actor(_Noting(Actor(self._fresh()), self._watch), bars)

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
        closed_s = self.bars[at].close_ns // NS_PER_S
        stamp = datetime.fromtimestamp(closed_s, UTC).isoformat().replace("+00:00", "Z")
        return Law(LAWS[number], BROKEN, at, stamp, why)


class _Noting(Actor):
    """An actor that tells which bar it is at."""

    def __init__(self, actor: Actor, watch: Watch) -> None:
        self.__dict__.update(vars(actor))
        self._noted = watch

    def feed(self, bar: Bar) -> bool:
        self._noted.at = 0 if self._noted.at is None else self._noted.at + 1
        return super().feed(bar)


def _file_name(kind: type) -> str:
    return Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "").name


def _columns_of(bars: Sequence[Bar]) -> BarColumns:
    bar_s = (bars[0].close_ns - bars[0].open_ns) // NS_PER_S
    names = ("open", "high", "low", "close", "volume")
    return BarColumns(
        bars[0].symbol,
        bar_s,
        [bar.open_ns for bar in bars],
        *([float(getattr(bar, name)) for bar in bars] for name in names),
    )


def _alike(one: OneWish, other: OneWish) -> bool:
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
    elif isinstance(value, list | tuple):
        yield len(value)
        for item in value:
            yield from _parts(item)
    else:
        yield value
