"""Questions to the tables of reports, as SQL that each database understands.

Not here: running them (journal.reports), the tables (journal.report_schema).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Table

END_OF_STREAM: Final = 2**62
"""A record number that none comes after."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a table by month, newest first.

    Attributes:
        where: columns, and the values that each may have.
        since_ns, until_ns: at or after, and before.
        before: moment (ns) and record number that the rows come before, where a page ended.
        limit: at most so many.
    """

    where: Mapping[str, Sequence[object]] = {}
    since_ns: int | None = None
    until_ns: int | None = None
    before: tuple[int, int] | None = None
    limit: int = 100


Statement = tuple[str, list[object]]


def newest_first(table: Table, account: str, wanted: Wanted) -> Statement:
    """The rows that are wanted; moments among the parameters are nanoseconds in a `Moment`."""
    at = f'"{table.info["moment"]}"'
    where, parameters = ["account = ?"], list[object]([account])
    _between(at, wanted.since_ns, wanted.until_ns, where, parameters)
    if wanted.before is not None:
        where.append(f"({at}, seq) < (?, ?)")
        parameters += [Moment(wanted.before[0]), wanted.before[1]]
    for column, values in wanted.where.items():
        where.append(f'"{table.columns[column].name}" IN ({", ".join("?" * len(values))})')
        parameters += values
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return (
        f"SELECT {columns} FROM {table.name} WHERE {' AND '.join(where)} "  # noqa: S608 - ours
        f"ORDER BY {at} DESC, seq DESC LIMIT ?",
        [*parameters, wanted.limit],
    )


class Moment(msgspec.Struct, frozen=True):
    """A parameter that is a moment, UTC nanoseconds."""

    at_ns: int


_THINNED = """
    drawn AS (
        SELECT at, seq, value, drawdown, row_number() OVER (ORDER BY at, seq) AS n,
            count(*) OVER () AS total, max(drawdown) OVER () AS worst FROM fallen
    )
    SELECT at, value, drawdown, worst FROM drawn
    WHERE n / ((total + ? - 1) / ?) * ((total + ? - 1) / ?) = n OR n = total ORDER BY at, seq
"""
"""Every so many, without the sign of a remainder, which is a parameter's in a driver."""

_EQUITY = """
    WITH fallen AS (
        SELECT at, seq, value, CASE WHEN peak > 0 THEN (1 - unit / peak) * 100 ELSE 0 END
            AS drawdown
        FROM (
            SELECT at, seq, value, unit, max(unit) OVER (ORDER BY at, seq) AS peak
            FROM (
                SELECT at, seq, equity AS value, CAST(unit AS DOUBLE PRECISION) AS unit
                FROM report_equity WHERE {where}
            ) AS marks
        ) AS peaks
    ),
"""
_PROFIT = """
    WITH fallen AS (
        SELECT at, seq, value,
            CASE WHEN lost > 0 AND equity + lost > 0 THEN lost / (equity + lost) * 100 ELSE 0 END
            AS drawdown
        FROM (
            SELECT at, seq, value, equity, max(pnl) OVER (ORDER BY at, seq) - pnl AS lost
            FROM (
                SELECT p.at, p.seq, p.pnl AS value, CAST(p.pnl AS DOUBLE PRECISION) AS pnl,
                    CAST(e.equity AS DOUBLE PRECISION) AS equity
                FROM report_pnl p JOIN report_equity e
                    ON e.account = p.account AND e.at = p.at AND e.seq = p.seq
                WHERE {where}
            ) AS marks
        ) AS peaks
    ),
"""


def thinned(
    account: str, bot: str, since_ns: int | None, until_ns: int | None, points: int
) -> Statement:
    """Moment, value, drawdown in percent and the worst one of all; at most so many, and the last.

    Args:
        bot: its profit; the account's equity when empty. Money that comes or goes is neither.
    """
    prefix = "p." if bot else ""
    where, parameters = [f"{prefix}account = ?"], list[object]([account])
    if bot:
        where.append("p.bot = ?")
        parameters.append(bot)
    _between(f"{prefix}at", since_ns, until_ns, where, parameters)
    head = (_PROFIT if bot else _EQUITY).format(where=" AND ".join(where))
    return head + _THINNED, [*parameters, *[points] * 4]


def _between(
    at: str, since_ns: int | None, until_ns: int | None, where: list[str], parameters: list[object]
) -> None:
    for sign, moment_ns in ((">=", since_ns), ("<", until_ns)):
        if moment_ns is not None:
            where.append(f"{at} {sign} ?")
            parameters.append(Moment(moment_ns))
