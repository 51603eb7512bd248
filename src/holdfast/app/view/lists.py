"""Lists that go back in history: orders, fills, logs, failovers, equity.

The tables of reports lag by a second, so orders that the fold remembers are shown as it has them;
while these fill the page, the tables are not asked.
Not here: asking the tables (history).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from holdfast.api.ports import Mark, NotThereError, Part, Which
from holdfast.api.shapes.base import amount
from holdfast.api.shapes.bots import LogLine
from holdfast.api.shapes.cluster import Failover
from holdfast.api.shapes.trading import EquityPoint, EquitySeries, Fill, Order, OrderStory
from holdfast.app.view.account import RATIO_DIGITS
from holdfast.app.view.history import History
from holdfast.app.view.journals import Followed, Shown, Where
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
from holdfast.domain.money import ZERO
from holdfast.journal.report_months import moment, nanoseconds
from holdfast.journal.report_query import Wanted
from holdfast.journal.reports import Row, Series
from holdfast.platform.identity.values import Principal, Role

LONGEST_STORY: Final = 1000
"""Records about one order that are told; one that rests for a year has a few dozen."""


class Lists:
    """Questions of one caller at a time; what is not his is as if it were not there."""

    def __init__(self, model: Model, history: History, recent: Recent) -> None:
        self._model = model
        self._history = history
        self._recent = recent

    async def orders(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Order]:
        """Orders that pass the filters, newest first."""
        of = self._of(who, which.account)
        begin = _place(after)
        found, is_enough = _from_folds(of, who, which, begin, limit)
        if is_enough:
            end = Mark(*found[limit - 1].where) if len(found) > limit else None
            page = found[:limit]
            return Part(tuple([x.order for x in page]), end, tuple([x.written for x in page]))
        wanted = _wanted(who, which, limit, has_condition=True)
        names = [f.name for f in of]
        rows = await self._history.newest("report_order", names, wanted, begin)
        # Beyond the last row of a full page the tables have more: so far, and no further.
        last = _mark(rows[-1], "armed_at") if len(rows) == limit else None
        known = {(f.name, cid) for f in of for cid in f.places if f.state.order(cid)}
        shown = [
            order_of_row(row) for row in rows
            if (row["account"], row["cid"]) not in known and who.owns(row["account"], row["bot"])
        ]  # fmt: skip
        of_folds = (one.order for one in remembered(of, begin, _place(last)))
        shown += islice((one for one in of_folds if _passes(who, which, one)), limit + 1)
        shown.sort(key=lambda one: (one.armed_at, one.account, one.seq), reverse=True)
        if len(shown) > limit:
            last = _mark_of(shown[limit - 1])
        return Part(tuple(shown[:limit]), last)

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
        of = [f.name for f in self._of(who, which.account)]
        wanted = _wanted(who, which, limit + 1, has_condition=False)
        rows = await self._history.newest("report_fill", of, wanted, _place(after))
        own = [row for row in rows[:limit] if who.owns(row["account"], row["bot"] or "")]
        return Part(tuple(fill_of_row(row) for row in own), _end(rows, limit))

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
        of = [f.name for f in self._of(who, account)]
        wanted = Wanted(limit=limit + 1)
        rows = await self._history.newest("report_takeover", of, wanted, _place(after))
        return Part(tuple(failover_of_row(row) for row in rows[:limit]), _end(rows, limit))

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
        names = [f.name for f in of]
        since_ns, until_ns = _ns(since), _ns(until)
        found: list[Series] = await self._history.ask(
            lambda reports: [
                reports.series(
                    name, bot or "", since_ns=since_ns, until_ns=until_ns, points=points
                )
                for name in names
            ]
        )
        if not bot:
            found = [
                self._recent.joined(name, each, since_ns, until_ns, points)
                for name, each in zip(names, found, strict=True)
            ]
        reporting = {f.state.reporting for f in of}
        if len(reporting) > 1:  # what cannot be added up
            found = []
        series = found[0] if len(found) == 1 else _together(found, points)
        return EquitySeries(
            account=account,
            bot=bot,
            reporting=reporting.pop() if len(reporting) == 1 else "",
            items=tuple(
                EquityPoint(at=moment(at_ns), equity=amount(value), drawdown_pct=_percent(fall))
                for at_ns, value, fall in series.points
            ),
            max_drawdown_pct=_percent(series.worst),
            as_of_seq=of[0].state.seq if len(of) == 1 else None,
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


def _from_folds(
    of: Sequence[Followed], who: Principal, which: Which, after: Where | None, limit: int
) -> tuple[list[Shown], bool]:
    """What folds have of a page, up to one more than fits; whether no table has to be asked."""
    shown: list[Shown] = []
    since_ns = whole_since_ns(of)
    every_one_passes = who.role is Role.ADMIN and which == Which()
    for one in remembered(of, after):
        if one.where[0] < since_ns:
            return shown, False
        if every_one_passes or _passes(who, which, one.order):
            shown.append(one)
            if len(shown) > limit:
                return shown, True
    return shown, not since_ns


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


def _passes(who: Principal, which: Which, one: Order) -> bool:
    """Whether an order of the fold belongs into the list."""
    return (
        who.owns(one.account, one.bot)
        and which.bot in {None, one.bot}
        and which.symbol in {None, one.symbol}
        and which.condition in {None, one.condition}
        and (which.since is None or one.armed_at >= which.since)
        and (which.until is None or one.armed_at < which.until)
    )


def _ns(at: datetime | None) -> int | None:
    return None if at is None else nanoseconds(at)


def _place(mark: Mark | None) -> Where | None:
    return None if mark is None else (mark.at_ns, mark.account, mark.seq)


def _mark_of(one: Order) -> Mark:
    return Mark(nanoseconds(one.armed_at), one.account, one.seq)


def _mark(row: Row, at: str) -> Mark:
    return Mark(row[at], row["account"], row["seq"])


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
