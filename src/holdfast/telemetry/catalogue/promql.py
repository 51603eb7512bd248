"""Which metrics a PromQL expression asks for: rules and panels are held to the catalogue by it.

Not here: whether the expression is right; promtool says that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*")
# What may hold words that are no metrics: texts, matchers, ranges, lists of labels.
_ASIDE: Final = re.compile(
    r"""
    "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*`
    | \b(?:by | without | on | ignoring | group_left | group_right) \s* \([^)]*\)
    """,
    re.VERBOSE,
)
_MATCHERS: Final = re.compile(r"\{[^}]*\} | \[[^\]]*\]", re.VERBOSE)
_KEYWORDS: Final = frozenset({
    "and", "or", "unless", "bool", "offset", "inf", "nan", "by", "without", "on", "ignoring",
    "group_left", "group_right", "atan2",
})  # fmt: skip


def names_in(expr: str) -> Iterator[str]:
    """The metrics that `expr` asks for, in their order, as often as it does."""
    left = _MATCHERS.sub(" ", _ASIDE.sub(" ", expr))
    for found in _WORD.finditer(left):
        is_function = left[found.end() :].lstrip().startswith("(")
        if not is_function and found.group().lower() not in _KEYWORDS:
            yield found.group()
