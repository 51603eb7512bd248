"""What every indicator promises, and what the shipped ones promise on top: columns and snapshots.

Not here: any formula (one module per family).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, ClassVar, Protocol, TypeAlias

from holdfast.domain.market import Bar

NAN = math.nan
MOST_BARS = 100_000
MOST_MULTIPLIER = 1_000.0

Outputs: TypeAlias = tuple[list[float], ...]
State: TypeAlias = dict[str, Any]


class Indicator(Protocol):
    """What `on.bars().add(...)` accepts."""

    @property
    def value(self) -> float:
        """The latest value; undefined (nan) while not ready."""
        ...

    @property
    def ready(self) -> bool:
        """Whether enough bars were seen."""
        ...

    @property
    def warmup(self) -> int:
        """How many bars it needs before it is ready, >= 1."""
        ...

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        ...


class Columns(Protocol):
    """Bars as columns of equal length, oldest first, as `BarColumns` has them.

    Plain lists of float are the fastest. Prices are quote units per base unit, volume base units.
    """

    @property
    def high(self) -> Sequence[float]:
        """The highest price of each bar."""
        ...

    @property
    def low(self) -> Sequence[float]:
        """The lowest."""
        ...

    @property
    def close(self) -> Sequence[float]:
        """The last."""
        ...

    @property
    def volume(self) -> Sequence[float]:
        """What was traded."""
        ...


class Shipped:
    """An indicator that comes with the platform: bar by bar, over columns, and from a snapshot.

    All three give the same bits: what is fed, computed at once and continued after `restore` cannot
    be told apart. Outputs are nan before `ready`, and all of them exist from the same bar on.

    Attributes:
        outputs: the attributes that hold results, first the one that `value` is or shows.
        warmup: the number of the bar, counted from 1, on which the first result exists.
    """

    outputs: ClassVar[tuple[str, ...]] = ("value",)
    _parameters: ClassVar[tuple[str, ...]] = ()
    _memory: ClassVar[tuple[str, ...]] = ()

    __slots__ = ("ready", "warmup")

    ready: bool
    warmup: int

    @property
    def value(self) -> float:
        """The main output as it is after the latest bar."""
        shown: float = getattr(self, self.outputs[0])
        return shown

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        raise NotImplementedError

    def over(self, columns: Columns) -> Outputs:
        """Results for all bars at once, one list per output in the order of `outputs`.

        Starts from nothing, whatever was fed before, and changes nothing here. Each list is as
        long as the columns, and nan before the first result.
        """
        raise NotImplementedError

    def state(self) -> State:
        """A snapshot: names, numbers and lists of them, as msgspec encodes to any format."""
        kept = {name: _plain(getattr(self, name)) for name in self._kept()}
        return {"of": repr(self), **kept}

    def restore(self, state: State) -> None:
        """Continue bit for bit from a snapshot.

        Raises:
            ValueError: it is of another indicator, or broken; nothing was changed.
        """
        of = state.get("of")
        if of != repr(self):
            raise ValueError(f"seen: a snapshot of {of}; expected: one of {self!r}")
        names = self._kept()
        missing = [name for name in names if name not in state]
        if missing:
            raise ValueError(f"seen: a snapshot of {self!r} without {missing[0]}; expected: all")
        # All are read before the first is set, so that a broken snapshot leaves nothing behind.
        read = {name: _read(state[name], getattr(self, name), name) for name in names}
        for name, value in read.items():
            setattr(self, name, value)

    @classmethod
    def _kept(cls) -> tuple[str, ...]:
        return ("ready", *cls._memory)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._parameters)
        return f"{type(self).__name__}({given})"


def checked_bars(owner: str, name: str, seen: int, *, least: int = 1) -> int:
    """A number of bars that an indicator may look back.

    Raises:
        ValueError: it is no whole number from `least` to 100,000.
    """
    if isinstance(seen, bool) or not isinstance(seen, int) or not least <= seen <= MOST_BARS:
        raise ValueError(
            f"seen: {owner}({name}={seen!r}); expected: a whole number of bars, "
            f"at least {least} and at most {MOST_BARS}"
        )
    return seen


def checked_multiplier(owner: str, seen: float) -> float:
    """A width in deviations or ranges.

    Raises:
        ValueError: it is nan, not above 0, or above 1000.
    """
    if not isinstance(seen, int | float) or not 0 < seen <= MOST_MULTIPLIER:
        raise ValueError(
            f"seen: {owner}(multiplier={seen!r}); expected: a number above 0 and at most "
            f"{MOST_MULTIPLIER:g}"
        )
    return float(seen)


def mean(values: Sequence[float]) -> float:
    """The plain mean; of equal values exactly that value, which sum / length need not be."""
    origin = values[-1]
    return origin + math.fsum([value - origin for value in values]) / len(values)


def tails(values: Sequence[float]) -> list[float]:
    """Sums of the last 1, 2, … all values, added from the end."""
    return list(accumulate(reversed(values)))


def padded(values: list[float], length: int) -> list[float]:
    """`values` at the end of a list of `length`, nan before them."""
    return [NAN] * (length - len(values)) + values


def _plain(value: Any) -> Any:
    """A value of a snapshot. None stands for nan, which JSON does not have."""
    if isinstance(value, Shipped):
        return value.state()
    if isinstance(value, list | deque):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _read(seen: Any, current: Any, name: str) -> Any:
    """The way back, of the kind that `current` is."""
    if isinstance(current, Shipped) and isinstance(seen, dict):
        fresh = type(current)(*(getattr(current, one) for one in current._parameters))
        fresh.restore(seen)
        return fresh
    if isinstance(current, list | deque) and isinstance(seen, list | tuple):
        kind: Callable[..., Any] = type(current)
        return kind(_number(item, name) for item in seen)
    if isinstance(current, float):
        return _number(seen, name)
    if type(seen) is type(current):
        return seen
    raise _unreadable(seen, name, type(current).__name__)


def _number(seen: Any, name: str) -> float:
    if seen is None:
        return NAN
    if isinstance(seen, bool) or not isinstance(seen, int | float):
        raise _unreadable(seen, name, "a number")
    return seen


def _unreadable(seen: Any, name: str, expected: str) -> ValueError:
    return ValueError(f"seen: {name}={seen!r} in a snapshot; expected: {expected}")
