"""What a log line carries without its caller's doing: ids of process and task, and the time.

Lives here: what is bound where, and how long it lasts. Context variables alone are not enough: a
task keeps those that it was born with, and an account's epoch changes under tasks that go on. So
what is bound is a mapping that may be changed later. Not here: lines (log).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Ids = dict[str, Any]

_process: Ids = {}
_bound: ContextVar[tuple[Ids, ...]] = ContextVar("holdfast_ids", default=())
_market_ns: ContextVar[Callable[[], int] | None] = ContextVar("holdfast_market_ns", default=None)


def identify(**ids: Any) -> None:
    """Put `ids` into every line of this process, and of those that it forks from now on."""
    _process.update(ids)


def bind(**ids: Any) -> Ids:
    """Put `ids` into the lines of this task from here on, and of tasks that it starts.

    Returns:
        The mapping itself: what is changed there shows in all of those tasks; None shows nothing.
    """
    made = dict(ids)
    _bound.set((*_bound.get(), made))
    return made


@contextmanager
def bound(**ids: Any) -> Iterator[Ids]:
    """The same while the block lasts; tasks that were started within keep it."""
    before = _bound.get()
    try:
        yield bind(**ids)
    finally:
        _bound.set(before)


def add_ids(event: MutableMapping[str, Any]) -> None:
    """Add them to a line; what the caller said himself stays, and the nearest wins."""
    for ids in (*reversed(_bound.get()), _process):
        for key, value in ids.items():
            if value is not None:
                event.setdefault(key, value)


@contextmanager
def market_time(now_ns: Callable[[], int]) -> Iterator[None]:
    """Stamp lines with the market's time instead of this machine's while the block lasts.

    For what goes over recorded markets: its lines say `simulated`, so nobody takes them for news.

    Args:
        now_ns: UTC nanoseconds; asked once per line, and never without one.
    """
    token = _market_ns.set(now_ns)
    try:
        yield
    finally:
        _market_ns.reset(token)


def market_ns_now() -> int | None:
    """The market's time that lines are stamped with; None where they have this machine's."""
    now_ns = _market_ns.get()
    return None if now_ns is None else now_ns()
