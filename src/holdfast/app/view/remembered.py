"""The orders that folds remember, newest first, and since when none is missing among them.

Not here: those that only the tables of reports still have (lists).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from holdfast.app.view.journals import Followed, Shown, Where
from holdfast.app.view.orders import shown_of_fold
from holdfast.ledger import fold

_where: Final = attrgetter("where")

CLOCKS_NS: Final = 60 * 10**9
"""The clock guard keeps moments of the exchange and of the journal nearer together than this."""


def remembered(
    of: Sequence[Followed], after: Where | None = None, last: Where | None = None
) -> Iterator[Shown]:
    """Orders, newest first.

    Args:
        after: where the page before ended; only what comes after it.
        last: nothing that comes after this one.
    """
    every = [_newest_first(followed) for followed in of]
    merged = every[0] if len(every) == 1 else heapq.merge(*every, key=_where, reverse=True)
    return merged if after is None and last is None else _between(merged, after, last)


def _between(
    shown: Iterable[Shown], after: Where | None, last: Where | None
) -> Iterator[Shown]:
    for one in shown:
        if last is not None and one.where < last:
            return
        if after is None or one.where < after:
            yield one


def whole_since_ns(of: Iterable[Followed]) -> int:
    """Every order that was armed since this moment of journal time is remembered; 0: every one is.

    A fold forgets orders as they were closed. So what is forgotten was closed before the first that
    is still there, and armed before that.
    """
    return max((_whole_since_ns(followed) for followed in of), default=0)


def _whole_since_ns(followed: Followed) -> int:
    recent = followed.state.recent
    if len(recent) < fold.REMEMBERED:
        return 0
    place = followed.places.get(next(iter(recent)))
    return followed.last_order_ns if place is None else place.changed_ns + CLOCKS_NS


def _newest_first(followed: Followed) -> Iterator[Shown]:
    """An order is made, and written as it goes over the wire, once after each change."""
    name, live, recent = followed.name, followed.state.live, followed.state.recent
    for cid, place in reversed(followed.places.items()):
        order = live.get(cid) or recent.get(cid)
        if order is None:
            continue  # the fold has forgotten it
        one = place.shown
        if one is None:
            one = place.shown = shown_of_fold(name, order, place)
        yield one
