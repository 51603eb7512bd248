"""`holdfast account`: what an account is doing, its limits, waiting until it rests, adding one.

Not here: what it holds (`holdfast positions`) and its orders (`holdfast orders`).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from holdfast.cli.account import ACCOUNT, CONFIG, JSON, account_name, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.config import ReconcilePolicy, WrittenLimits, load
from holdfast.errors import EXIT_FAILED

app = typer.Typer(no_args_is_help=True)


@app.callback()
def account() -> None:
    """Look at what accounts are doing and at their limits, wait until one rests, or add one."""


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
    told = "is led by a node" if found.led else "has no node that leads it"
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


@app.command()
def limits(
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value, such as max_daily_loss=250; no value: no limit."),
    ] = None,
    from_file: Annotated[
        bool, typer.Option("--from-file", help="As holdfast.toml of the nodes says, from now on.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds until it took effect.")] = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Show the limits of all bots together, or set some of them; they bind at once.

    Example: holdfast account limits --set max_daily_loss=250
    """
    from holdfast.app.live.configuring import ask  # noqa: PLC0415  # --help needs no journal
    from holdfast.app.live.operator import account_state  # noqa: PLC0415
    from holdfast.cli.bot_config import changed_limits  # noqa: PLC0415

    journal, name = database_of(database), account_name(account)
    in_file = next((a.limits for a in load().all_accounts if a.name == name), WrittenLimits())
    now = ask.limits_of(account_state(journal, name), in_file)
    if set_ or from_file:
        wanted = None if from_file else changed_limits(now, set_ or [])
        done = ask.limit(journal, name, wanted, by=operator(), wait_s=wait)
        now = ask.limits_of(account_state(journal, name), in_file)
        typer.echo(f"took effect at record {done.seq}", err=True)
    if json:
        emit({"account": name, "limits": now})
        return
    for key, value in msgspec.to_builtins(now).items():
        typer.echo(f"{key}: {'none' if value in (None, []) else value}")


@app.command("list")
def list_(*, config: CONFIG = None, json: JSON = False) -> None:
    """List the exchange accounts that nodes are configured with, and those that were added.

    Example: holdfast account list
    """
    from holdfast.app.accounts import listed  # noqa: PLC0415

    found = listed(load(config))
    if json:
        emit({"accounts": found})
        return
    for one in found:
        told = f"{one.name}: {one.exchange or 'on no exchange'}, key {one.api_key}"
        typer.echo(f"{told}, added by {one.added_by}" if one.added_by else told)
        if one.left_out:
            typer.echo(f"  left out: {one.left_out}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Of the account; its journal is called so.")],
    *,
    api_key: Annotated[str, typer.Option(help="Where nodes find it, such as env:SECOND_KEY.")],
    api_secret: Annotated[str, typer.Option(help="The same for its secret.")],
    like: Annotated[
        str | None,
        typer.Option(help="An account of the file, on whose exchange it is.", show_default=False),
    ] = None,
    reconcile: Annotated[
        ReconcilePolicy, typer.Option(help="What to do about others' trades on it.")
    ] = ReconcilePolicy.HALT,
    config: CONFIG = None,
    json: JSON = False,
) -> None:
    """Let all nodes trade one more exchange account; each begins anew, one after the other.

    Example: holdfast account add second --api-key env:SECOND_KEY --api-secret env:SECOND_SECRET
    """
    from holdfast.app.accounts import add_at_machine  # noqa: PLC0415

    found = load(config)
    wanted = {
        "name": name, "like": like or found.all_accounts[0].name, "api_key": api_key,
        "api_secret": api_secret, "reconcile": reconcile,
    }  # fmt: skip
    added = add_at_machine(found, wanted, by=operator())
    if json:
        emit({"account": added})
    else:
        typer.echo(f"{added.name} was added; nodes begin anew with it, one after the other")


@app.command()
def drop(
    name: Annotated[str, typer.Argument(help="Of an account that was added.")],
    *,
    config: CONFIG = None,
    json: JSON = False,
) -> None:
    """Let nodes trade an added account no more, at which nothing goes on. Its journal stays.

    Example: holdfast account drop second
    """
    from holdfast.app.accounts import drop_at_machine  # noqa: PLC0415

    drop_at_machine(load(config), name, by=operator())
    if json:
        emit({"account": name})
    else:
        typer.echo(f"{name} was dropped; nodes begin anew without it, one after the other")
