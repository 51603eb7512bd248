"""A fact as one sentence for people.

Not here: facts (domain).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MOST: Final = 300


def told(fact: Mapping[str, Any]) -> str:
    """What a fact says, as `name=value` of what is not empty, without `kind` and `by`."""
    parts = [
        f"{name}={value}"
        for name, value in fact.items()
        if name not in {"kind", "by"} and value not in ("", None, [], {})
    ]
    return " ".join(parts)[:_MOST]
