"""Moments as the command line writes them.

Not here: how long something took (the verbs).
"""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at_ns: int) -> str:
    """UTC, to the minute."""
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC"
