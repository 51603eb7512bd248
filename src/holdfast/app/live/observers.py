"""Who watches a led account: each is told of every durable fact and of every request on its way.

Lives here: the seam, and that a watcher which fails is left out instead of ending the account.
Logs, metrics and traces are made behind it, so the path of an order names none of them. Not here:
what they make of it.
"""

from __future__ import annotations

from typing import Protocol

from holdfast.domain.event import Committed
from holdfast.execution.passage import Passage, Watcher
from holdfast.telemetry.log import get_logger

log = get_logger("app.observers")


class Observer(Watcher, Protocol):
    """One of them. It runs in the event loop: it returns at once and waits for nothing."""

    def committed(self, event: Committed) -> None:
        """A fact is durable, and the fold has it; in the order of the stream, exactly once."""
        ...


class Observers:
    """All of an account."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def committed(self, event: Committed) -> None:
        """See `Observer`."""
        for observer in self._observers:
            try:
                observer.committed(event)
            except Exception:  # noqa: BLE001 - see there
                self._leave_out(observer)

    def leaving(self, passage: Passage) -> None:
        """See `Watcher`."""
        for observer in self._observers:
            try:
                observer.leaving(passage)
            except Exception:  # noqa: BLE001 - see there
                self._leave_out(observer)

    def passed(self, passage: Passage) -> None:
        """See `Watcher`."""
        for observer in self._observers:
            try:
                observer.passed(passage)
            except Exception:  # noqa: BLE001 - see there
                self._leave_out(observer)

    def _leave_out(self, observer: Observer) -> None:
        """Whatever failed there: an account does not end because of who watches it."""
        self._observers = tuple(each for each in self._observers if each is not observer)
        name = type(observer).__name__
        log.exception("left out from now on", action="observer_failed", observer=name)
