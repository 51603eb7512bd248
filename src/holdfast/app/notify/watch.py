"""What is noticed without a record: an order that stays in doubt, and the day before.

Not here: what records say (facts, follow).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from holdfast.app.jobs.daily import AccountDay, filled_day
from holdfast.app.notify.claim import Claim
from holdfast.app.notify.follow import put_all
from holdfast.app.reports.projector import accounts_in
from holdfast.app.view.journals import Followed, Journals
from holdfast.config import Config
from holdfast.domain.money import plain
from holdfast.errors import ConfigError, CorruptionError, RetryableError
from holdfast.journal.database import Database
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import Kind, Notice
from holdfast.platform.port import Change, PlatformStore
from holdfast.telemetry.log import get_logger

log = get_logger("app.notify")

LOOK_S: Final = 1.0
DAMAGED: Final = timedelta(minutes=10)
"""Until a day is looked for again where the tables of reports are damaged."""
_DOUBT: Final = "@doubt "
_SUMMARY: Final = "@summary"
_S: Final = 1_000_000_000


class Watch:
    """Looks at how things are, now and then."""

    def __init__(
        self,
        config: Config,
        database: Database,
        store: PlatformStore,
        claim: Claim,
        journals: Journals,
    ) -> None:
        self._config = config
        self._settings = config.notify
        self._database = database
        self._store = store
        self._claim = claim
        self._journals = journals
        self._told: set[str] | None = None
        self._days_from = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            FencedError: another process tells people.
        """
        while True:
            try:
                await self.look_for_doubts(time.time_ns())
                await self.look_for_days(datetime.now(UTC))
            except (RetryableError, ConfigError) as error:
                log.warning("cannot look", action="notify_wait", why=str(error))
            await asyncio.sleep(LOOK_S)

    # -- orders in doubt ---------------------------------------------------------------------------

    async def look_for_doubts(self, now_ns: int) -> None:
        """Tell of orders that have been in doubt for too long, and of those that are no more."""
        if self._told is None:
            found = await asyncio.to_thread(self._store.look, lambda k: rows.begun(k, _DOUBT))
            self._told = set(found)
        doubtful = {
            f"{_DOUBT}{followed.name} {cid}": (followed, cid)
            for followed in list(self._journals.accounts.values())
            for cid, order in followed.state.live.items()
            if order.in_doubt
        }
        old = {
            name for name, (followed, cid) in doubtful.items()
            if _doubted_s(followed, cid, now_ns) > self._settings.doubt_s
        }  # fmt: skip
        # An account that was not read yet says nothing about its doubts.
        over = {
            name for name in self._told - doubtful.keys()
            if name.split(" ")[1] in self._journals.accounts
        }  # fmt: skip
        new = old - self._told
        if not new and not over:
            return
        notices = [_in_doubt(*doubtful[name], now_ns) for name in sorted(new)]
        notices += [_resolved(self._journals, name, now_ns) for name in sorted(over)]

        def put(change: Change) -> None:
            put_all(change, notices)
            for name in new:
                rows.move(change, name, now_ns)
            rows.forget(change, over)

        await self._claim.changing(put)
        self._told = (self._told | new) - over

    # -- days --------------------------------------------------------------------------------------

    async def look_for_days(self, now: datetime) -> None:
        """Tell the day before, once, when its hour has come."""
        known = await asyncio.to_thread(self._store.look, lambda k: rows.position(k, _SUMMARY))
        yesterday = (now - timedelta(seconds=self._settings.summary_s)).date() - timedelta(days=1)
        day = yesterday.toordinal()
        if now < self._days_from or (known is not None and known[0] >= day):
            return
        notices: list[Notice] = []
        if known is not None:  # a new installation has no day before
            try:
                days = await asyncio.to_thread(self._days, yesterday)
            except CorruptionError as error:  # doubts, and halts from a chat, do not wait for it
                log.warning("a day cannot be told", action="notify_wait", why=str(error))
                self._days_from = now + DAMAGED
                return
            notices = [summary(one, yesterday, round(now.timestamp() * _S)) for one in days]

        def put(change: Change) -> None:
            put_all(change, notices)
            rows.move(change, _SUMMARY, day)

        await self._claim.changing(put)

    def _days(self, day: date) -> list[AccountDay]:
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        with closing(self._database.reports(self._config.reports)) as reports:
            reports.make(time.time_ns())
            return [
                filled_day(self._database, reports, account, round(begin.timestamp()) * _S)
                for account in accounts_in(self._database)
            ]


def summary(day: AccountDay, date_: date, at_ns: int) -> Notice:
    """An account's day in a few sentences."""
    if day.fault:
        told = f"{day.fault} Nothing is told of its {date_.isoformat()}."
        return Notice(kind=Kind.FAULT, account=day.account, at_ns=at_ns, told=told)
    worth = "Equity unknown"
    if day.closed is not None and day.change is not None:
        worth = f"Equity {_short(day.closed)} ({_signed(day.change)})"
    made = ", ".join(f"{bot} {_signed(pnl)}" for bot, pnl in day.profit.items())
    fees = ", ".join(f"{plain(fee)} {asset}" for asset, fee in day.fees.items() if fee)
    text = f"{date_.isoformat()}. {worth}, {day.fills} fills, largest fall "
    text += f"{_short(day.drawdown_pct)} %."
    text += f" By bot: {made}." if made else ""
    text += f" Fees: {fees}." if fees else ""
    return Notice(kind=Kind.SUMMARY, account=day.account, at_ns=at_ns, told=text)


def _short(value: Decimal) -> str:
    return f"{value:.2f}"


def _signed(value: Decimal) -> str:
    return f"{value:+.2f}"


def _doubted_s(followed: Followed, cid: str, now_ns: int) -> float:
    place = followed.places.get(cid)
    return 0.0 if place is None else (now_ns - place.armed_ns) / _S


def _in_doubt(followed: Followed, cid: str, now_ns: int) -> Notice:
    order = followed.state.live[cid]
    waited_s = _doubted_s(followed, cid, now_ns)
    return Notice(
        kind=Kind.DOUBT, account=followed.name, bot=order.armed.bot, at_ns=now_ns,
        told=f"Order {cid} has been in doubt for {waited_s:.0f} s. The exchange is asked; it is "
        "never sent again.",
    )  # fmt: skip


def _resolved(journals: Journals, name: str, now_ns: int) -> Notice:
    _, account, cid = name.split(" ", 2)
    order = journals.accounts[account].state.order(cid)
    return Notice(
        kind=Kind.DOUBT, account=account, bot=order.armed.bot if order is not None else "",
        at_ns=now_ns, told=f"Order {cid} is in doubt no more.",
    )  # fmt: skip
