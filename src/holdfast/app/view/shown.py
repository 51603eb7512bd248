"""What lists are made of: an item, its place, and how it goes over the wire.

Not here: which items there are (remembered, fills), lists of them (lists).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Generic, TypeVar

import msgspec

from holdfast.api.shapes.trading import Order

T = TypeVar("T")

Where = tuple[int, str, int]
"""An item's moment (ns), account and record: in this order lists are, newest first."""

_where: Final = attrgetter("where")


class Shown(msgspec.Struct, Generic[T], frozen=True):
    """An item as lists show it.

    Attributes:
        where: its place in them.
        written: the same item as it goes over the wire.
    """

    where: Where
    item: T
    written: msgspec.Raw


class Place(msgspec.Struct):
    """When and where an order was armed, and when it last changed; journal time.

    Attributes:
        seqs: of the records about it that were read since this process follows.
        shown: the order as it was last shown; None after a change.
    """

    seq: int
    armed_ns: int
    changed_ns: int
    seqs: list[int] = []
    shown: Shown[Order] | None = None


def merged(
    each: Sequence[Iterator[Shown[T]]], after: Where | None = None, last: Where | None = None
) -> Iterator[Shown[T]]:
    """Items of several accounts, newest first, as those of each one are.

    Args:
        after: where the page before ended; only what comes after it.
        last: nothing that comes after this one.
    """
    every = each[0] if len(each) == 1 else heapq.merge(*each, key=_where, reverse=True)
    return every if after is None and last is None else _between(every, after, last)


def _between(
    shown: Iterable[Shown[T]], after: Where | None, last: Where | None
) -> Iterator[Shown[T]]:
    for one in shown:
        if last is not None and one.where < last:
            return
        if after is None or one.where < after:
            yield one
