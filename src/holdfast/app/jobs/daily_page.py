"""The report of a day in words: as a page for mail programs, and as plain text.

Everything that stands in it is escaped: bots and symbols are named by people. Not here: the figures
(daily), the charts (daily_chart).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from holdfast.domain.money import ZERO

if TYPE_CHECKING:
    from holdfast.app.jobs.daily import AccountDay

_FONT = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"
_CELL = "padding:3px 0;font-size:14px;vertical-align:top"
_NUMBER = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums"
_NONE = "–"

Rows = list[tuple[str, str]]


def subject_of(deployment: str, day: str, days: Sequence[AccountDay]) -> str:
    """What the mail is called: the day, and what came of it."""
    changes = [one.change for one in days if one.change is not None]
    return f"{deployment} {day}: {_signed(sum(changes, ZERO)) if changes else 'nothing marked'}"


def as_text(day: str, days: Sequence[AccountDay]) -> str:
    """For who reads no pages."""
    lines = [f"Report of {day} (UTC)"]
    for one in days:
        rows = figures_of(one)
        width = max(len(name) for name, _ in rows)
        lines += ["", one.account, *(f"  {name:<{width}}  {value}" for name, value in rows)]
    return "\n".join([*lines, ""])


def as_html(deployment: str, day: str, days: Sequence[AccountDay]) -> str:
    """The page; charts are the images `equity-0`, `equity-1`, …"""
    sections = "".join(_section(number, one) for number, one in enumerate(days))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(deployment)} {day}</title></head>"
        f'<body style="margin:0;padding:24px;background:#f6f8fa;color:#1f2328;{_FONT}">'
        '<div style="max-width:640px;margin:0 auto">'
        f'<h1 style="font-size:18px;margin:0 0 16px">{escape(deployment)}, {day} (UTC)</h1>'
        f"{sections}</div></body></html>"
    )


def _section(number: int, day: AccountDay) -> str:
    chart = ""
    if day.equity:
        chart = (
            f'<img src="cid:equity-{number}" alt="Equity of {escape(day.account)} over the day" '
            'width="592" style="width:100%;height:auto;margin:8px 0">'
        )
    rows = "".join(
        f'<tr><td style="{_CELL};color:#57606a">{escape(name)}</td>'
        f'<td style="{_NUMBER}">{escape(value)}</td></tr>'
        for name, value in figures_of(day)
    )
    return (
        '<div style="background:#fff;border:1px solid #d1d9e0;border-radius:8px;padding:16px 24px;'
        f'margin:0 0 16px"><h2 style="font-size:16px;margin:0">{escape(day.account)}</h2>{chart}'
        f'<table style="width:100%;border-collapse:collapse">{rows}</table></div>'
    )


def figures_of(day: AccountDay) -> Rows:
    """What is told of an account, by name."""
    if day.fault:
        return [("Journal at fault", day.fault)]
    orders = ", ".join(f"{count} {what}" for what, count in sorted(day.orders.items()))
    return [
        ("Equity at the end", _amount(day.closed)),
        ("Change", _change(day)),
        ("Largest fall within the day", f"{day.drawdown_pct:.2f} %"),
        ("Fills", str(day.fills)),
        ("Turnover", _by_asset(day.turnover)),
        ("Fees", _by_asset(day.fees)),
        ("Orders", orders or "none"),
        *((f"Profit of {bot}", _signed(pnl)) for bot, pnl in day.profit.items()),
        *_holdings(day),
    ]


def _holdings(day: AccountDay) -> Iterable[tuple[str, str]]:
    for one in day.holdings:
        base, _, quote = one.symbol.partition("/")
        held = f"{one.quantity.normalize():f} {base} for {one.cost:,.2f} {quote}"
        yield f"{one.bot or 'nobody'} holds", held


def _change(day: AccountDay) -> str:
    if day.change is None:
        return _NONE
    if not day.opened:
        return _signed(day.change)
    return f"{_signed(day.change)} ({day.change / day.opened * 100:+.2f} %)"


def _by_asset(amounts: Mapping[str, Decimal]) -> str:
    # Fees in a coin are small: as many digits as they have.
    told = (f"{_plain(amount)} {asset}" for asset, amount in sorted(amounts.items()))
    return ", ".join(told) or "none"


def _plain(amount: Decimal) -> str:
    return f"{amount:,.2f}" if abs(amount) >= 1 else f"{amount.normalize():f}"


def _amount(value: Decimal | None) -> str:
    return _NONE if value is None else f"{value:,.2f}"


def _signed(value: Decimal) -> str:
    return f"{value:+,.2f}"
