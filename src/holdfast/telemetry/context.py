"""The ids that a log line carries without its caller's doing: of the process, and of the task.

Lives here: what is bound where, and how long it lasts. Context variables alone are not enough: a
task keeps those that it was born with, and an account's epoch changes under tasks that go on. So
what is bound is a mapping that may be changed later. Not here: lines (log).
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Ids = dict[str, Any]

_process: Ids = {}
_bound: ContextVar[tuple[Ids, ...]] = ContextVar("holdfast_ids", default=())


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


def add_ids(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The processor that adds them; what the caller said himself stays, and the nearest wins."""
    for ids in (*reversed(_bound.get()), _process):
        for key, value in ids.items():
            if value is not None:
                event.setdefault(key, value)
    return event
