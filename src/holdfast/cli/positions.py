"""`holdfast positions`: what the account holds, and what each bot's position earned.

Not here: the arithmetic (ledger.portfolio).
"""

from __future__ import annotations

from typing import Any

import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.domain.money import plain

DIGITS = 8  # an average is a ratio: it has no last digit of its own

app = typer.Typer(no_args_is_help=True)


@app.callback()
def positions() -> None:
    """Look at holdings and positions as the journal tells them."""


@app.command("list")
def list_positions(
    *, account: ACCOUNT = None, database: DATABASE = None, json: JSON = False
) -> None:
    """Show holdings by asset and positions by bot.

    Example: holdfast positions list --json
    """
    from holdfast.app.live.operator import account_state  # noqa: PLC0415

    state = account_state(database_of(database), account_name(account))
    rows: list[dict[str, Any]] = [
        {
            "bot": name,
            "symbol": symbol,
            "quantity": position.quantity,
            "average_price": round(position.average_price, DIGITS),
            "cash": position.cash,
            "fees": position.fees,
            "unconverted_fees": position.unconverted,
        }
        for name, bot in sorted(state.bots.items())
        for symbol, position in sorted(bot.positions.items())
    ]
    holdings = {asset: amount for asset, amount in sorted(state.holdings.items()) if amount}
    if json:
        emit({"account": state.account, "holdings": holdings, "positions": rows})
        return
    for asset, amount in holdings.items():
        typer.echo(f"{asset:<8} {plain(amount)}")
    for row in rows:
        fees = ", ".join(f"{plain(v)} {a}" for a, v in row["fees"].items()) or "none"
        typer.echo(
            f"{row['bot']}: {plain(row['quantity'])} {row['symbol']} at "
            f"{plain(row['average_price'])}, cash {plain(row['cash'])}, fees {fees}"
        )
