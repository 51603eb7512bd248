"""Spans of time, nanoseconds with their ends left out: what is there, and what is missing.

Not here: whose spans they are (`catalogue`).
"""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as possible, oldest first."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def without(wanted: Span, held: Iterable[Span]) -> list[Span]:
    """What of `wanted` lies in none of `held`, oldest first."""
    missing: list[Span] = []
    at, until = wanted
    for start, end in union(held):
        if start >= until:
            break
        if start > at:
            missing.append((at, start))
        at = max(at, end)
    return [*missing, (at, until)] if at < until else missing
