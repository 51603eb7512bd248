"""The newest fills of an account as lists show them, and since when none is missing among them.

A fold keeps no fills, so they are kept here: those that this process hears of, and, learnt once
from the tables of reports, those before. Not here: older ones (lists).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Final

import msgspec

from holdfast.api.shapes.trading import Fill
from holdfast.app.view.orders import fill_of_fact, fill_of_row
from holdfast.app.view.shown import Shown, Where
from holdfast.domain.fact import Filled
from holdfast.journal.reports import Row

REMEMBERED: Final = 512
_NEVER_NS: Final = 2**63
_where: Final = attrgetter("where")


class _Heard(msgspec.Struct):
    """A fill; it never changes, so it is made for lists once.

    Attributes:
        held: by its bot after it, base units.
    """

    where: Where
    fact: Filled
    held: Decimal | None
    shown: Shown[Fill] | None = None


class Fills:
    """At least the newest `REMEMBERED` fills of an account, if it has so many.

    Args:
        begin: the record after which each fill is heard.
    """

    def __init__(self, account: str, begin: int) -> None:
        self._account = account
        self._begin = begin
        self._kept: list[_Heard | Shown[Fill]] = []
        self._learnt_ns = 0 if not begin else _NEVER_NS
        self._cut_ns = 0

    @property
    def since_ns(self) -> int:
        """Every fill of this moment of exchange time or later is here; 0: every one is."""
        return max(self._learnt_ns, self._cut_ns)

    def lacks_past(self, reached: int | None = None) -> bool:
        """Whether there is something to `learn`; from tables that have reached a record."""
        return self._learnt_ns == _NEVER_NS and (reached is None or reached >= self._begin)

    def learn(self, rows: Sequence[Row]) -> None:
        """Take the newest `REMEMBERED` rows in, of tables that do not lack the past."""
        if not self.lacks_past():
            return  # another question was quicker
        for row in rows:
            if row["seq"] <= self._begin:
                self._keep(_shown(fill_of_row(row), row["at"]))
        self._learnt_ns = 0 if len(rows) < REMEMBERED else rows[-1]["at"] + 1
        self._cut()

    def hear(self, seq: int, fact: Filled, held: Decimal | None) -> None:
        """Take the next record in."""
        at_ns = fact.fill.at_ns // 1000 * 1000  # as the tables keep it
        self._keep(_Heard((at_ns, self._account, seq), fact, held))
        self._cut()

    def newest_first(self) -> Iterator[Shown[Fill]]:
        """All that are here."""
        for one in reversed(self._kept):
            if isinstance(one, Shown):
                yield one
                continue
            if one.shown is None:
                at_ns, account, seq = one.where
                one.shown = _shown(fill_of_fact(account, seq, one.fact, one.held), at_ns)
            yield one.shown

    def _keep(self, one: _Heard | Shown[Fill]) -> None:
        insort(self._kept, one, key=_where)

    def _cut(self) -> None:
        """Forget now and then what is beyond what is kept."""
        if len(self._kept) > 2 * REMEMBERED:
            self._cut_ns = self._kept[-REMEMBERED - 1].where[0] + 1
            del self._kept[:-REMEMBERED]


def _shown(one: Fill, at_ns: int) -> Shown[Fill]:
    return Shown((at_ns, one.account, one.seq), one, msgspec.Raw(msgspec.json.encode(one)))
