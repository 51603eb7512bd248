"""The report of a day by mail: what each account was worth, what it traded, what it holds.

Not here: the page (daily_page), the charts (daily_chart), the way to the server (mail).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from holdfast.app.jobs.daily_chart import equity_chart
from holdfast.app.jobs.daily_page import as_html, as_text, subject_of
from holdfast.app.jobs.inputs import ReportJob
from holdfast.app.jobs.installation import database_of, has_journal
from holdfast.app.jobs.mail import Letter, send
from holdfast.app.reports.projector import accounts_in, fill
from holdfast.config import Config, load
from holdfast.domain.market import NS_PER_S
from holdfast.domain.money import ZERO
from holdfast.errors import ConfigError, CorruptionError, FencedError
from holdfast.journal.database import Database
from holdfast.journal.report_query import Wanted
from holdfast.journal.reports import Reports, Row
from holdfast.platform.jobs.kinds import Work
from holdfast.telemetry.log import get_logger

log = get_logger("app.reports")

_DAY_NS: Final = 86_400 * NS_PER_S
_MOST_ROWS: Final = 200_000


class Holding(msgspec.Struct, frozen=True):
    """A bot's position at the time of the report, base units and what they cost."""

    bot: str
    symbol: str
    quantity: Decimal
    cost: Decimal


class AccountDay(msgspec.Struct, frozen=True, kw_only=True):
    """One account's day. Amounts are in reporting units unless they name an asset.

    Attributes:
        opened, closed: equity at its beginning and end; None when nothing was marked.
        drawdown_pct: the largest fall from a high within the day, as a percentage of it.
        turnover, fees: by asset.
        orders: how many, by what became of them.
        profit: of each bot within the day.
        equity: UTC nanoseconds, and equity then, oldest first.
        fault: why nothing of it is told; empty when it is.
    """

    account: str
    opened: Decimal | None = None
    closed: Decimal | None = None
    drawdown_pct: Decimal = ZERO
    fills: int = 0
    turnover: Mapping[str, Decimal] = {}
    fees: Mapping[str, Decimal] = {}
    orders: Mapping[str, int] = {}
    profit: Mapping[str, Decimal] = {}
    holdings: Sequence[Holding] = ()
    equity: Sequence[tuple[int, Decimal]] = ()
    fault: str = ""

    @property
    def change(self) -> Decimal | None:
        """Of equity within the day."""
        if self.opened is None or self.closed is None:
            return None
        return self.closed - self.opened


class Reported(msgspec.Struct, frozen=True):
    """What was sent: the day, its accounts, and to how many; nobody when nothing was journaled."""

    day: str
    accounts: tuple[str, ...]
    recipients: int


def send_daily_report(given: ReportJob, work: Work) -> Reported:
    """Send the report of the day before `given.before`.

    A try that is repeated has the same Message-ID, by which mailboxes know it.

    Raises:
        ConfigError: no mail is configured, or `before` is no time.
        RetryableError: the server does not answer now.
        RejectedError: it refuses the mail.
    """
    config = load(work.config_file)
    mail = config.jobs.mail
    if mail is None:
        raise ConfigError("seen: no `[jobs.mail]`; expected: a server; do: configure it")
    begin_ns = _day_before(given.before)
    day = datetime.fromtimestamp(begin_ns // NS_PER_S, UTC).date().isoformat()
    days = _days(config, begin_ns, work)
    if not days:
        return Reported(day, (), 0)
    work.tell(0.7, "drawing")
    letter = Letter(
        subject=subject_of(config.deployment, day, days),
        text=as_text(day, days),
        html=as_html(config.deployment, day, days),
        images={f"equity-{n}": equity_chart(one) for n, one in enumerate(days) if one.equity},
        message_id=f"daily-report.{day}.{config.deployment}",
    )
    work.tell(0.9, "sending")
    send(letter, mail)
    return Reported(day, tuple(one.account for one in days), len(mail.to))


def _day_before(before: str) -> int:
    try:
        moment = datetime.fromisoformat(before)
    except ValueError as error:
        raise ConfigError(f"seen: before {before[:40]!r}; expected: ISO 8601 with zone") from error
    if moment.tzinfo is None:
        raise ConfigError(f"seen: before {before[:40]!r} without a zone; expected: with one")
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round((midnight - timedelta(days=1)).timestamp()) * NS_PER_S


def _days(config: Config, begin_ns: int, work: Work) -> list[AccountDay]:
    database = database_of(config)
    if not has_journal(database):
        return []
    reports = database.reports(config.reports)
    try:
        reports.make(time.time_ns())
        found = []
        accounts = accounts_in(database)
        for number, account in enumerate(accounts, start=1):
            found.append(filled_day(database, reports, account, begin_ns))
            work.tell(0.6 * number / len(accounts), account)
        return found
    finally:
        reports.close()
        database.close()


def filled_day(database: Database, reports: Reports, account: str, begin_ns: int) -> AccountDay:
    """As `account_day`, of tables that are filled first; without figures if they cannot be."""
    try:
        fill(database, reports, account)
    except FencedError:
        log.debug("another process fills reports", action="notify_day")
    except CorruptionError as error:
        log.warning("reports wait", action="reports_wait", why=str(error))
        return AccountDay(account=account, fault=str(error))
    return account_day(reports, account, begin_ns)


def account_day(reports: Reports, account: str, begin_ns: int) -> AccountDay:
    """What the tables of reports say of the day that begins then."""
    end_ns = begin_ns + _DAY_NS

    def rows(table: str, since_ns: int = begin_ns) -> list[Row]:
        return reports.read(table, account, since_ns, end_ns, limit=_MOST_ROWS)

    marks = [(int(row["at"]), row["equity"]) for row in rows("report_equity", begin_ns - _DAY_NS)]
    before = [mark for mark in marks if mark[0] < begin_ns]
    within = [mark for mark in marks if mark[0] >= begin_ns]
    # The day begins with what the last mark before it said.
    course = [*((begin_ns, equity) for _, equity in before[-1:]), *within]
    fills = rows("report_fill")
    return AccountDay(
        account=account,
        opened=course[0][1] if course else None,
        closed=course[-1][1] if course else None,
        drawdown_pct=_drawdown_pct([equity for _, equity in course]),
        fills=len(fills),
        turnover=_sums((row["symbol"].split("/")[1], row["quantity"] * row["price"])
                       for row in fills),
        fees=_sums((row["fee_asset"], row["fee"]) for row in fills),
        orders=Counter(_became(row) for row in rows("report_order")),
        profit=_profits(reports, account, begin_ns, rows("report_pnl")),
        holdings=[
            Holding(row["bot"], row["symbol"], row["quantity"], row["cost"])
            for row in reports.read("report_position", account, limit=_MOST_ROWS)
            if row["quantity"]
        ],
        equity=course,
    )  # fmt: skip


def _became(row: Row) -> str:
    return str(row["state"] or row["attempt"]).lower().replace("_", " ")


def _sums(amounts: Any) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for asset, amount in amounts:
        found[asset] = found.get(asset, ZERO) + amount
    return found


def _profits(
    reports: Reports, account: str, begin_ns: int, within: Sequence[Row]
) -> dict[str, Decimal]:
    """By bot: its last profit within the day less the last before, however long ago that was."""
    found = {row["bot"]: row["pnl"] for row in within}  # in order of time
    for bot in found:
        wanted = Wanted(where={"bot": [bot]}, until_ns=begin_ns, limit=1)
        for before in reports.newest("report_pnl", account, wanted):
            found[bot] -= before["pnl"]
    return dict(sorted(found.items()))


def _drawdown_pct(course: Sequence[Decimal]) -> Decimal:
    high, worst = ZERO, ZERO
    for equity in course:
        high = max(high, equity)
        if high > ZERO:
            worst = max(worst, (high - equity) / high * 100)
    return worst
