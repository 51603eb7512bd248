"""Lists that go back in history: orders, fills, logs, failovers, equity.

The tables of reports lag by a second, so orders and fills that are remembered are shown as they are
here; while these fill the page, the tables are not asked.
Not here: asking the tables (history).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from holdfast.api.ports import Mark, NotThereError, Part, Which
from holdfast.api.shapes.base import amount
from holdfast.api.shapes.bots import LogLine
from holdfast.api.shapes.cluster import Failover
from holdfast.api.shapes.trading import EquityPoint, EquitySeries, Fill, Order, OrderStory
from holdfast.app.view.account import RATIO_DIGITS
from holdfast.app.view.fills import REMEMBERED
from holdfast.app.view.history import History
from holdfast.app.view.journals import Followed
from holdfast.app.view.model import Model
from holdfast.app.view.orders import (
    entry_of,
    failover_of_row,
    fill_of_row,
    line_of,
    order_of_fold,
    order_of_row,
)
from holdfast.app.view.recent import Recent
from holdfast.app.view.remembered import remembered, whole_since_ns
from holdfast.app.view.shared import Shared
from holdfast.app.view.shown import Shown, Where, merged
from holdfast.domain.money import ZERO
from holdfast.journal.report_months import moment, nanoseconds
from holdfast.journal.report_query import Wanted
from holdfast.journal.reports import Reports, Row, Series
from holdfast.platform.identity.values import Principal

T = TypeVar("T")
Passes = Callable[[Shown[Any]], bool]

SAME_S: Final = 0.5
LONGEST_STORY: Final = 1000
"""Records about one order that are told; one that rests for a year has a few dozen."""


class _Asked(NamedTuple):
    """A question for equity; `names` are the accounts that count."""

    names: tuple[str, ...]
    account: str | None
    bot: str | None
    points: int
    since_ns: int | None
    until_ns: int | None


class Lists:
    """Questions of one caller at a time; what is not his is as if it were not there."""

    def __init__(self, model: Model, history: History, recent: Recent) -> None:
        self._model = model
        self._history = history
        self._recent = recent
        self._drawn: Shared[EquitySeries] = Shared()
        self._moves: Shared[Part[Failover]] = Shared()

    async def orders(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Order]:
        """Orders that pass the filters, newest first."""
        of = self._of(who, which.account)
        begin, passes = _place(after), _filter(of, who, which)
        found, is_enough = _page_of(remembered(of, begin), whole_since_ns(of), passes, limit)
        if is_enough:
            return _part(found, limit)
        wanted = _wanted(who, which, limit, has_condition=True)
        names = [f.name for f in of]
        rows = await self._history.newest("report_order", names, wanted, begin)
        # Beyond the last row of a full page the tables have more: so far, and no further.
        last = _mark(rows[-1], "armed_at") if len(rows) == limit else None
        known = {(f.name, cid) for f in of for cid in f.places if f.state.order(cid)}
        told = [
            (_where(row, "armed_at"), order_of_row(row)) for row in rows
            if (row["account"], row["cid"]) not in known and who.owns(row["account"], row["bot"])
        ]  # fmt: skip
        return _joined(told, filter(passes, remembered(of, begin, _place(last))), limit, last)

    async def order(self, who: Principal, account: str, cid: str) -> OrderStory:
        """One order with every record about it."""
        (followed,) = self._of(who, account)
        known, place = followed.state.order(cid), followed.places.get(cid)
        one = order_of_fold(account, known, place) if known and place else None
        wanted = Wanted(where={"cid": [cid]}, limit=LONGEST_STORY)
        if one is None:
            rows = await self._history.newest("report_order", [account], wanted, None)
            one = order_of_row(rows[0]) if rows else None
        if one is None or not who.owns(account, one.bot):
            raise NotThereError("order", "seen: no such order that you may see")
        told = await self._history.newest("report_event", [account], wanted, None)
        heard = place.seqs if place is not None else []
        seqs = sorted({one.seq, *heard, *(row["seq"] for row in told)})
        records = await self._history.records(account, seqs)
        return OrderStory(order=one, timeline=tuple(entry_of(record) for record in records))

    async def fills(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Fill]:
        """Executions that pass the filters, newest first."""
        of = self._of(who, which.account)
        begin, passes = _place(after), _filter(of, who, which)
        await self._learn_fills([f for f in of if f.fills.lacks_past()])
        since_ns = max((f.fills.since_ns for f in of), default=0)
        found, is_enough = _page_of(_executions(of, begin), since_ns, passes, limit)
        if is_enough:
            return _part(found, limit)
        wanted = _wanted(who, which, limit, has_condition=False)
        names = [f.name for f in of]
        rows = await self._history.newest("report_fill", names, wanted, begin)
        last = _mark(rows[-1], "at") if len(rows) == limit else None
        known = {one.where[1:] for one in _executions(of)}
        told = [
            (_where(row, "at"), fill_of_row(row)) for row in rows
            if (row["account"], row["seq"]) not in known
            and who.owns(row["account"], row["bot"] or "")
        ]  # fmt: skip
        return _joined(told, filter(passes, _executions(of, begin, _place(last))), limit, last)

    async def _learn_fills(self, of: Sequence[Followed]) -> None:
        """Have the fills from before this process began to follow, once the tables have them."""
        wanted = Wanted(limit=REMEMBERED)

        def look(reports: Reports) -> list[tuple[Followed, list[Row]]]:
            return [
                (followed, reports.newest("report_fill", followed.name, wanted))
                for followed in of
                if followed.fills.lacks_past(reports.reached(followed.name))
            ]

        if of:
            for followed, rows in await self._history.ask(look):
                followed.fills.learn(rows)

    async def bot_log(
        self, who: Principal, account: str, bot: str, after: Mark | None, limit: int
    ) -> Part[LogLine]:
        """What happened to a bot, newest first."""
        if not who.owns(account, bot):
            raise NotThereError("bot", "seen: no such bot that you may see")
        self._of(who, account)
        wanted = Wanted(where={"bot": [bot]}, limit=limit + 1)
        rows = await self._history.newest("report_event", [account], wanted, _place(after))
        records = await self._history.records(account, [row["seq"] for row in rows[:limit]])
        return Part(tuple(line_of(record) for record in records), _end(rows, limit))

    async def failovers(
        self, who: Principal, account: str | None, after: Mark | None, limit: int
    ) -> Part[Failover]:
        """How leadership moved, newest first."""
        of, place = tuple([f.name for f in self._of(who, account)]), _place(after)

        async def read() -> Part[Failover]:
            wanted = Wanted(limit=limit + 1)
            rows = await self._history.newest("report_takeover", of, wanted, place)
            return Part(tuple([failover_of_row(row) for row in rows[:limit]]), _end(rows, limit))

        # As late as the tables are at worst: whoever asks within it is told the same.
        version = int(time.monotonic() / SAME_S)
        return await self._moves.answer((of, place, limit), version, read)

    async def equity(
        self,
        who: Principal,
        account: str | None,
        bot: str | None,
        points: int,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> EquitySeries:
        """Equity of an account, profit of a bot, or the equity of all accounts together."""
        if account is not None and not who.owns(account, bot or ""):
            raise NotThereError("account", "seen: no such account or bot that you may see")
        of = [f for f in self._of(who, account) if who.owns(f.name, bot or "")]
        asked = _Asked(
            tuple([f.name for f in of]), account, bot, points, _ns(since), _ns(until)
        )
        # Between two looks only a mark is new, and there is one every five minutes.
        version = self._recent.looks, tuple([f.marked_seq for f in of])
        return await self._drawn.answer(asked, version, lambda: self._equity(of, asked))

    async def _equity(self, of: Sequence[Followed], asked: _Asked) -> EquitySeries:
        as_of_seq = of[0].state.seq if len(of) == 1 else None
        bot, points, since_ns, until_ns = asked.bot, asked.points, asked.since_ns, asked.until_ns
        found: list[Series] = await self._history.ask(
            lambda reports: [
                reports.series(
                    f.name, bot or "", since_ns=since_ns, until_ns=until_ns, points=points
                )
                for f in of
            ]
        )
        if not bot:
            found = [
                self._recent.joined(f.name, each, since_ns, until_ns, points)
                for f, each in zip(of, found, strict=True)
            ]
        reporting = {f.state.reporting for f in of}
        if len(reporting) > 1:  # what cannot be added up
            found = []
        series = found[0] if len(found) == 1 else _together(found, points)
        return EquitySeries(
            account=asked.account,
            bot=bot,
            reporting=reporting.pop() if len(reporting) == 1 else "",
            items=tuple(
                EquityPoint(at=moment(at_ns), equity=amount(value), drawdown_pct=_percent(fall))
                for at_ns, value, fall in series.points
            ),
            max_drawdown_pct=_percent(series.worst),
            as_of_seq=as_of_seq,
        )

    def _of(self, who: Principal, account: str | None) -> list[Followed]:
        """The accounts of which he may see something; the one that is named.

        Raises:
            NotThereError: there is no such account, or nothing of it is his.
        """
        accounts = self._model.journals.accounts
        if account is None:
            return [f for _, f in sorted(accounts.items()) if sees(who, f.name)]
        if account not in accounts or not sees(who, account):
            raise NotThereError("account", "seen: no such account that you may see")
        return [accounts[account]]


def sees(who: Principal, account: str) -> bool:
    """Whether something of an account is his."""
    return who.accounts is None or account in who.accounts


def _executions(
    of: Sequence[Followed], after: Where | None = None, last: Where | None = None
) -> Iterator[Shown[Fill]]:
    """Fills that are remembered, newest first; `after` and `last` as of `merged`."""
    return merged([followed.fills.newest_first() for followed in of], after, last)


def _page_of(
    every: Iterable[Shown[T]], since_ns: int, passes: Passes | None, limit: int
) -> tuple[list[Shown[T]], bool]:
    """What memory has of a page, up to one more than fits; whether no table has to be asked.

    Args:
        since_ns: of this moment or later nothing is missing in memory.
    """
    shown: list[Shown[T]] = []
    for one in every:
        if one.where[0] < since_ns:
            return shown, False
        if passes is None or passes(one):
            shown.append(one)
            if len(shown) > limit:
                return shown, True
    return shown, not since_ns


def _part(found: Sequence[Shown[T]], limit: int) -> Part[T]:
    """The page of what memory has: all of it, and one more where there is one."""
    end = Mark(*found[limit - 1].where) if len(found) > limit else None
    page = found[:limit]
    return Part(tuple([one.item for one in page]), end, tuple([one.written for one in page]))


def _joined(
    told: Sequence[tuple[Where, T]], here: Iterable[Shown[T]], limit: int, last: Mark | None
) -> Part[T]:
    """The page of what the tables and memory have.

    Args:
        last: the tables' last, where they may have more.
    """
    found = [*told, *((one.where, one.item) for one in islice(here, limit + 1))]
    found.sort(key=lambda one: one[0], reverse=True)
    if len(found) > limit:
        last = Mark(*found[limit - 1][0])
    return Part(tuple([item for _, item in found[:limit]]), last)


def _own_bots(who: Principal, account: str | None) -> list[str] | None:
    """The only bots that he sees; None where he sees whole accounts."""
    if who.accounts is None or any(not grant.bot for grant in who.grants):
        return None
    return [g.bot for g in who.grants if account is None or g.account == account]


def _wanted(who: Principal, which: Which, limit: int, *, has_condition: bool) -> Wanted:
    where: dict[str, Sequence[object]] = {}
    bots = _own_bots(who, which.account)
    if which.bot is not None:
        where["bot"] = [which.bot]
    elif bots is not None:
        where["bot"] = bots or [""]
    if which.symbol is not None:
        where["symbol"] = [which.symbol]
    if has_condition and which.condition is not None:
        where["condition"] = [which.condition.value]
    return Wanted(
        where=where, since_ns=_ns(which.since), until_ns=_ns(which.until), limit=limit
    )


def _filter(of: Sequence[Followed], who: Principal, which: Which) -> Passes | None:
    """Whether an item of memory belongs into the list; None where each one does."""
    is_all_his = all(who.owns(followed.name, "") for followed in of)
    if is_all_his and which == Which(account=which.account):
        return None

    bot, symbol, condition = which.bot, which.symbol, which.condition
    since_ns, until_ns = _ns(which.since), _ns(which.until)

    def passes(shown: Shown[Any]) -> bool:
        one = shown.item
        return (
            (bot is None or one.bot == bot)
            and (symbol is None or one.symbol == symbol)
            and (condition is None or one.condition == condition)
            and (since_ns is None or shown.where[0] >= since_ns)
            and (until_ns is None or shown.where[0] < until_ns)
            and (is_all_his or who.owns(one.account, one.bot or ""))
        )

    return passes


def _ns(at: datetime | None) -> int | None:
    return None if at is None else nanoseconds(at)


def _place(mark: Mark | None) -> Where | None:
    return None if mark is None else (mark.at_ns, mark.account, mark.seq)


def _where(row: Row, at: str) -> Where:
    return row[at], row["account"], row["seq"]


def _mark(row: Row, at: str) -> Mark:
    return Mark(*_where(row, at))


def _end(rows: Sequence[Row], limit: int) -> Mark | None:
    """Where a page ends; None when it is the last: one row more than wanted was asked for."""
    return _mark(rows[limit - 1], "at") if len(rows) > limit else None


def _percent(value: float) -> str:
    text = f"{value:.{RATIO_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _together(found: Sequence[Series], points: int) -> Series:
    """Several accounts as one: each counts with what it was worth last."""
    marks = sorted(
        (at_ns, which, value)
        for which, series in enumerate(found)
        for at_ns, value, _ in series.points
    )
    worth: dict[int, Decimal] = {}
    every: list[tuple[int, Decimal, float]] = []
    peak, worst = ZERO, 0.0
    for at_ns, which, value in marks:
        worth[which] = value
        if len(worth) < len(found):
            continue  # before the youngest began there is no whole
        total = sum(worth.values(), ZERO)
        peak = max(peak, total)
        fall = float((peak - total) / peak * 100) if peak > ZERO else 0.0
        worst = max(worst, fall)
        every.append((at_ns, total, fall))
    stride = max(1, -(-len(every) // points))
    return Series(tuple(every[(len(every) - 1) % stride :: stride]), worst)
