"""The orders that folds remember, newest first, and since when none is missing among them.

Not here: those that only the tables of reports still have (lists).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from holdfast.api.shapes.trading import Order
from holdfast.app.view.journals import Followed
from holdfast.app.view.orders import order_of_fold
from holdfast.app.view.shown import Shown, Where, merged


def remembered(
    of: Sequence[Followed], after: Where | None = None, last: Where | None = None
) -> Iterator[Shown[Order]]:
    """Orders, newest first; `after` and `last` as of `merged`."""
    return merged([_newest_first(followed) for followed in of], after, last)


def whole_since_ns(of: Iterable[Followed]) -> int:
    """Every order that was armed since this moment (journal time) is here; 0: every one is."""
    return max((followed.whole_ns for followed in of), default=0)


def _newest_first(followed: Followed) -> Iterator[Shown[Order]]:
    """An order is made, and written as it goes over the wire, once after each change."""
    name, live, recent = followed.name, followed.state.live, followed.state.recent
    for cid, place in reversed(followed.places.items()):
        order = live.get(cid) or recent.get(cid)
        if order is None:
            continue  # the fold has forgotten it
        one = place.shown
        if one is None:
            made = order_of_fold(name, order, place)
            where = (place.armed_ns // 1000 * 1000, name, place.seq)
            one = place.shown = Shown(where, made, msgspec.Raw(msgspec.json.encode(made)))
        yield one
