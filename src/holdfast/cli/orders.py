"""`holdfast orders`: what is open or in doubt, and the story of one order.

Not here: the fold (ledger).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit

app = typer.Typer(no_args_is_help=True)


@app.callback()
def orders() -> None:
    """Look at orders as the journal tells them."""


@app.command("list")
def list_orders(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Recently closed ones as well.")] = False,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Show attempts that may still matter: on their way, open, in doubt.

    Example: holdfast orders list --all
    """
    from holdfast.app.live.operator import account_state  # noqa: PLC0415

    state = account_state(database_of(database), account_name(account))
    found = [*(state.recent.values() if all_ else ()), *state.live.values()]
    rows: list[dict[str, Any]] = [
        {
            "cid": order.armed.cid,
            "bot": order.armed.bot,
            "symbol": order.armed.spec.symbol,
            "side": order.armed.spec.side,
            "type": order.armed.spec.type,
            "quantity": order.armed.spec.quantity,
            "price": order.armed.spec.price,
            "stop_price": order.armed.spec.stop_price,
            "list": order.armed.list_cid or None,
            "attempt": order.state,
            "order": order.order_state,
            "executed": order.executed,
        }
        for order in found
    ]
    if json:
        emit({"orders": rows, "unresolved": sum(o.is_unresolved for o in found)})
        return
    for row in rows:
        known = f"{row['attempt']} {row['order'] or ''}".strip()
        of = f", of list {row['list']}" if row["list"] else ""
        typer.echo(
            f"{row['cid']}  {row['bot']:<12} {row['side']:<4} {row['quantity'].normalize():f} "
            f"{row['symbol']} {_at(row)}: {known}, executed {row['executed'].normalize():f}{of}"
        )
    if not rows:
        typer.echo("nothing open, nothing in doubt")


def _at(row: dict[str, Any]) -> str:
    """Where an order executes, in words."""
    at = "at market" if row["price"] is None else f"at {row['price'].normalize():f}"
    stop = row["stop_price"]
    return at if stop is None else f"{at} from {stop.normalize():f} on"


@app.command()
def show(
    cid: Annotated[str, typer.Argument(help="Client order id, or its beginning.")],
    *,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Tell the story of one order, record by record. Example: holdfast orders show 535c9192"""
    from holdfast.app.live.operator import story  # noqa: PLC0415

    entries = story(database_of(database), account_name(account), cid)
    if json:
        emit({"records": entries})
        return
    for entry in entries:
        moment = datetime.fromtimestamp(entry.at_ns / 1e9, UTC).isoformat(timespec="milliseconds")
        told = msgspec.to_builtins(entry.fact)
        kind = told.pop("kind")
        text = " ".join(f"{key}={value}" for key, value in told.items())
        typer.echo(f"{entry.seq:>8}  {moment}  {kind}: {text}")
