"""Order books for tests: a recording's, put together without any code of the project; small ones.

Not here: where recordings lie (`recordings`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

MS = 1_000_000
Sides = dict[str, dict[Decimal, Decimal]]


def raw_book(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """`snapshot` and `change` messages of a recording in their order, as plain JSON."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = json.loads(line.partition(" ")[2])
            if "lastUpdateId" in message:
                yield "snapshot", message
            elif message["data"].get("e") == "depthUpdate":
                yield "change", message["data"]


class BookByHand:
    """The book of a recording with one snapshot, in two dicts, and what was taken from it."""

    def __init__(self, path: Path) -> None:
        messages = list(raw_book(path))
        whole = next(told for kind, told in messages if kind == "snapshot")
        self.changes = [
            told
            for kind, told in messages
            if kind == "change" and told["u"] > whole["lastUpdateId"]
        ]
        self.sides: Sides = {"bids": {}, "asks": {}}
        self._put(whole["bids"], whole["asks"])
        self._done = 0

    def at(self, at_ms: int) -> Sides:
        """The sides with every change up to `at_ms`, exchange time; times must not fall."""
        while self._done < len(self.changes) and self.changes[self._done]["E"] <= at_ms:
            change = self.changes[self._done]
            self._put(change["b"], change["a"])
            self._done += 1
        return self.sides

    def take(self, side: str, quantity: Decimal) -> list[tuple[Decimal, Decimal]]:
        """Prices and quantities that an order gets, which are then gone."""
        found = []
        levels = self.sides[side]
        for price in sorted(levels, reverse=side == "bids"):
            part = min(quantity, levels[price])
            if part:
                found.append((price, part))
                levels[price] -= part
                quantity -= part
        return found

    def _put(self, bids: Iterable[Any], asks: Iterable[Any]) -> None:
        for side, levels in (("bids", bids), ("asks", asks)):
            for price, quantity in levels:
                self.sides[side][Decimal(price)] = Decimal(quantity)


def halved(line: bytes) -> bytes:
    """A change of the book that brings half as much at each level; any other line as it is."""
    if b"depthUpdate" not in line:
        return line
    stamp, _, text = line.partition(b" ")
    message = json.loads(text)
    for side in "ab":
        levels = message["data"][side]
        message["data"][side] = [[price, str(Decimal(quantity) / 2)] for price, quantity in levels]
    return stamp + b" " + json.dumps(message, separators=(",", ":")).encode() + b"\n"
