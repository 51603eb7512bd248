"""`holdfast notify`: who hears of what, and the process that tells.

Not here: what is told, and how (app.notify, operations.notify).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.account import JSON, operator
from holdfast.cli.output import emit
from holdfast.cli.when import moment
from holdfast.config import load
from holdfast.errors import ConfigError
from holdfast.operations.notify.port import USUAL, Kind, Subscription, Wanted

if TYPE_CHECKING:
    from holdfast.app.notify.own import OwnNotifications
    from holdfast.platform.identity.values import Principal

app = typer.Typer(no_args_is_help=True)
link = typer.Typer(no_args_is_help=True)
app.add_typer(link, name="link", help="Make a chat a user's.")

USER = Annotated[str, typer.Argument(help="The user's name.")]
NAME = Annotated[str, typer.Argument(help="The subscription's name.")]
CONFIG = Annotated[
    Path | None, typer.Option(help="A TOML file (holdfast.toml).", show_default=False)
]


@app.callback()
def notify() -> None:
    """Tell people what happened, each what he asked for."""


@app.command()
def add(
    user: USER,
    name: NAME,
    *,
    by: Annotated[str, typer.Option("--by", help="A channel's name, or telegram.")],
    kind: Annotated[
        list[Kind], typer.Option("--kind", help="What to hear of; again for more.")
    ] = [],  # noqa: B006 - Typer reads it, nobody changes it
    account: Annotated[
        list[str], typer.Option("--account", help="Of which accounts; again for more.")
    ] = [],  # noqa: B006 - the same
    least: Annotated[
        str, typer.Option(help="No fills of a smaller value, in their quote asset.")
    ] = "0",
    config: CONFIG = None,
    json: JSON = False,
) -> None:
    """Let a user hear of something; without --kind of what usually matters.

    Example: holdfast notify add ana@example.com night --by ops --kind halt --kind ghost
    """
    wanted = Wanted(
        name=name, channel=by, kinds=frozenset(kind), accounts=frozenset(account),
        least=_amount(least),
    )  # fmt: skip
    made = _do(config, user, lambda own, who: own.add(who, wanted))
    if json:
        emit({"subscription": made})
    else:
        typer.echo(_line(made))


@app.command("list")
def list_subscriptions(user: USER, *, config: CONFIG = None, json: JSON = False) -> None:
    """Show what a user hears of, how that goes, and the channels that he may use.

    Example: holdfast notify list ana@example.com
    """

    async def find(own: OwnNotifications, who: Principal) -> dict[str, Any]:
        return {
            "subscriptions": await own.subscriptions(who), "channels": own.channels(who),
            "chats": await own.chats(who),
        }  # fmt: skip

    found = _do(config, user, find)
    if json:
        emit(found)
        return
    for one in found["subscriptions"]:
        typer.echo(_line(one))
    chats = len(found["chats"])
    typer.echo(f"may use: {', '.join(found['channels']) or 'no channel'}; {chats} chats linked")


@app.command()
def remove(user: USER, name: NAME, *, config: CONFIG = None, json: JSON = False) -> None:
    """Let a user hear of it no more. Example: holdfast notify remove ana@example.com night"""
    _do(config, user, lambda own, who: _with(own, who, name, own.remove))
    if json:
        emit({"name": name, "removed": True})
    else:
        typer.echo(f"{name}: removed")


@app.command("test")
def send_test(user: USER, name: NAME, *, config: CONFIG = None, json: JSON = False) -> None:
    """Let the process that tells send a message, to see whether it comes.

    Example: holdfast notify test ana@example.com night
    """
    _do(config, user, lambda own, who: _with(own, who, name, own.test))
    if json:
        emit({"name": name, "asked": True})
    else:
        typer.echo(f"{name}: asked for; `holdfast notify list {user}` shows whether it came")


@link.command()
def telegram(user: USER, *, config: CONFIG = None, json: JSON = False) -> None:
    """Show a one-time code with which a chat with Telegram's bot becomes a user's.

    Example: holdfast notify link telegram ana@example.com
    """
    made = _do(config, user, lambda own, who: own.link(who))
    if json:
        emit({"user": user, "send": f"/start {made.code}", "expires_ns": made.expires_ns})
        return
    typer.echo(f"Until {moment(made.expires_ns)}, send this to the bot:\n  /start {made.code}")


@app.command()
def unlink(user: USER, *, config: CONFIG = None, json: JSON = False) -> None:
    """Let no chat be a user's any more. Example: holdfast notify unlink ana@example.com"""
    count = _do(config, user, lambda own, who: own.unlink(who))
    if json:
        emit({"user": user, "unlinked": count})
    else:
        typer.echo(f"{user}: {count} chats unlinked")


@app.command()
def serve(*, config: CONFIG = None, json: JSON = False) -> None:
    """Tell people, and listen to their chats, until SIGTERM or Ctrl-C. Any number may run.

    Example: holdfast notify serve --config holdfast.toml
    """
    from holdfast.app.logs import begin_exports, begin_logs, end_exports  # noqa: PLC0415  # heavy
    from holdfast.app.notify.serve import Serving, run_notifier  # noqa: PLC0415

    loaded = load(config)
    begin_logs(loaded, "notify")

    def told(what: Serving) -> None:
        if json:
            emit(what)
        else:
            ways = [*what.channels, *([f"Telegram ({what.telegram})"] if what.telegram else [])]
            typer.echo(f"tells by {', '.join(ways) or 'no channel: add [[notify.channels]]'}")

    begin_exports("notify")
    try:
        run_notifier(loaded, told)
    finally:
        end_exports()


def _do(
    config: Path | None,
    user: str,
    act: Callable[[OwnNotifications, Principal], Coroutine[Any, Any, Any]],
) -> Any:
    from holdfast.app.notify.own import at_machine  # noqa: PLC0415  # --help needs no database

    async def run() -> Any:
        with at_machine(load(config), user, operator()) as (own, who):
            return await act(own, who)

    return asyncio.run(run())


async def _with(
    own: OwnNotifications,
    who: Principal,
    name: str,
    act: Callable[[Principal, str], Coroutine[Any, Any, None]],
) -> None:
    """Do something with a user's subscription of this name."""
    found = {one.name: one.subscription_id for one in await own.subscriptions(who)}
    if name not in found:
        raise ConfigError(
            f"seen: no subscription {name!r} of {who.name}; expected: "
            f"{', '.join(sorted(found)) or 'one that was added'}; do: correct the name"
        )
    await act(who, found[name])


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and amount >= 0):
        raise ConfigError(
            f"seen: --least {text[:40]}; expected: an amount such as 250; do: correct it"
        )
    return amount


def _line(one: Subscription) -> str:
    kinds = ", ".join(sorted(one.kinds)) if one.kinds != USUAL and one.kinds else "what matters"
    accounts = f" on {', '.join(sorted(one.accounts))}" if one.accounts else ""
    least = f", fills from {one.least}" if one.least else ""
    said = f"{one.name}: {kinds}{accounts}{least}, by {one.channel}; {one.sent} delivered"
    if one.waiting:
        said += f", {one.waiting} waiting"
    if one.lost:
        said += f", {one.lost} LOST"
    if one.failing_ns:
        said += f"; FAILS since {moment(one.failing_ns)}: {one.why}"
    return said
