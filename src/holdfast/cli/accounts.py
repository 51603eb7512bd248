"""`holdfast account`: what an account is doing, and waiting until nothing of it is on its way.

Not here: what it holds (`holdfast positions`) and its orders (`holdfast orders`).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.errors import EXIT_FAILED

app = typer.Typer(no_args_is_help=True)


@app.callback()
def account() -> None:
    """Look at what an account is doing, or wait until it rests."""


@app.command()
def status(*, account: ACCOUNT = None, database: DATABASE = None, json: JSON = False) -> None:
    """Show whether it trades, what holds it back, and what is on its way.

    Example: holdfast account status --json
    """
    from holdfast.app.live.activity import look  # noqa: PLC0415  # --help needs no journal

    found = look(database_of(database), account_name(account))
    if json:
        emit({**msgspec.to_builtins(found), "trades": found.trades, "complete": found.is_complete})
        return
    told = "is traded" if found.led else "has no node that trades it"
    if found.halt:
        told += f", halted at level {found.halt} ({found.reason})"
    typer.echo(f"{found.account} {told}")
    if found.in_maintenance:
        typer.echo("  the exchange is under maintenance: nothing is opened")
    for what, why in found.quarantine.items():
        typer.echo(f"  {what} in quarantine: {why}")
    for endpoint, what in found.breakers.items():
        typer.echo(f"  circuit breaker for {endpoint} requests: {what}")
    for name, what in found.bots.items():
        typer.echo(f"  {name}: {what}")
    typer.echo(
        f"  {len(found.in_doubt)} orders under way or in doubt, {len(found.resting)} resting, "
        f"{len(found.protecting)} protecting a position"
    )


@app.command()
def wait(
    *,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds; 0 looks once.")] = 120.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Wait until nothing is on its way and nothing rests but what protects a position.

    It stops nothing: drain the bots, or halt, before. Exit code 1 when it did not come about.

    Example: holdfast bot drain cross && holdfast account wait --timeout 120
    """
    from holdfast.app.live.activity import wait_until_complete  # noqa: PLC0415

    journal, name = database_of(database), account_name(account)
    done = wait_until_complete(journal, name, timeout)
    if json:
        emit({"account": name, "complete": done})
    else:
        typer.echo(f"{name}: {'nothing' if done else 'something'} is on its way")
    if not done:
        raise typer.Exit(EXIT_FAILED)
