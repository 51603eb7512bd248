"""Signals: external series as a strategy sees them, each the newest that was known at a close.

Not here: where they come from (signals), where they are kept (the journal).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from holdfast.errors import ConfigError


class Known(NamedTuple):
    """One value of a series.

    Attributes:
        at_ns: when it was known, UTC nanoseconds.
        value: JSON text.
    """

    at_ns: int
    value: str


class Signal:
    """The last value of an external series, as far as the decision may know it.

    Attributes:
        name: as in the configuration.
        at_ns: when its source says that it was known, UTC nanoseconds; 0 before the first.
    """

    __slots__ = ("_text", "at_ns", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.at_ns = 0
        self._text = ""

    @property
    def ready(self) -> bool:
        """Whether there was a value at all; `decide` is asked before that, too."""
        return bool(self._text)

    @property
    def value(self) -> Any:
        """What the source sent, a new object each time; None before the first."""
        return msgspec.json.decode(self._text) if self._text else None

    def age_s(self, now_ns: int) -> float:
        """Seconds from when it was known to `now_ns`, which is `now.time_ns`; without end before
        the first."""
        return (now_ns - self.at_ns) / 1e9 if self._text else float("inf")

    def hear(self, known: Known | None) -> None:
        """Show `known` from now on, or that there is nothing."""
        self.at_ns, self._text = known or (0, "")


def hearing(
    decide: Callable[[Any], Any],
    signals: Mapping[str, Signal],
    series: Mapping[str, Sequence[Known]],
) -> Callable[[Any], Any]:
    """Asks for a wish at one view after the other, with what was known by then.

    Args:
        series: of each signal, oldest first.

    Raises:
        ConfigError: a signal has no series, or a series no signal.
    """
    missing, unknown = sorted(set(signals) - set(series)), sorted(set(series) - set(signals))
    if missing or unknown:
        raise ConfigError(
            f"seen: a series of {', '.join(series) or 'no signal'}; expected: of "
            f"{', '.join(signals) or 'none'}, which the strategy declares; do: give each as "
            "NAME=FILE, lines of known_at and value"
        )
    if not signals:
        return decide
    rows = ((known, signal) for name, signal in signals.items() for known in series[name])
    waiting = deque(sorted(rows, key=lambda row: row[0].at_ns))

    def ask(view: Any) -> Any:
        now_ns = view.time_ns
        while waiting and waiting[0][0].at_ns <= now_ns:
            known, signal = waiting.popleft()
            signal.hear(known)
        return decide(view)

    return ask
