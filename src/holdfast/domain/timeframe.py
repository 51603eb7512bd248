"""Lengths of bars: as people write them, as seconds, and when the bar that holds a moment opens.

Not here: lengths in file names (market.names).
"""

from __future__ import annotations

import re
from typing import Final

from holdfast.domain.market import NS_PER_S
from holdfast.errors import ConfigError

UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS_LONGEST_FIRST = sorted(UNIT_S.items(), key=lambda item: -item[1])
_LENGTH = re.compile(r"(\d{1,2})([smhdw])")
# The epoch was a Thursday: four days later begins the first whole week.
_MONDAY_NS = 4 * UNIT_S["d"] * NS_PER_S


def length_s(word: str) -> int | None:
    """Seconds of a bar from the usual spelling, `5m`; None for any other word."""
    length = _LENGTH.fullmatch(word)
    return int(length[1]) * UNIT_S[length[2]] if length is not None else None


def timeframe_s(text: str) -> int:
    """Seconds of a bar from the usual spelling, `5m`.

    Raises:
        ConfigError: it is no length of a bar.
    """
    seconds = length_s(text)
    if not seconds:
        raise ConfigError(
            f"seen: timeframe {text!r}; expected: a number and one of s, m, h, d, w; "
            "do: write 5m for five minutes"
        )
    return seconds


def timeframe_text(seconds: int) -> str:
    """The usual spelling of a bar's length: `1h` for 3600, in the largest unit that divides it."""
    unit, unit_s = next(item for item in _UNITS_LONGEST_FIRST if seconds % item[1] == 0)
    # A week is written as such only alone: 14 days are 14d.
    if unit == "w" and seconds != unit_s:
        unit, unit_s = "d", UNIT_S["d"]
    return f"{seconds // unit_s}{unit}"


def phase_ns(bar_s: int) -> int:
    """What bars are counted from: 00:00 UTC of the epoch, weeks from its first Monday."""
    return _MONDAY_NS if bar_s % UNIT_S["w"] == 0 else 0


def span_start(at_ns: int, bar_s: int) -> int:
    """When the bar of `bar_s` seconds that holds `at_ns` opens."""
    return at_ns - (at_ns - phase_ns(bar_s)) % (bar_s * NS_PER_S)
