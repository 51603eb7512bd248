"""`holdfast bot`: the bots of an account, and starting, draining, stopping and moving one.

Not here: what stopping means (engine).
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli import bot_config
from holdfast.cli.account import ACCOUNT, CONFIG, JSON, account_name, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.config import load
from holdfast.errors import ConfigError

app = typer.Typer(no_args_is_help=True)

NAME = Annotated[str, typer.Argument(help="The bot's name in the configuration.")]
WAIT = Annotated[float, typer.Option(min=0, help="Seconds to wait until it took effect.")]


@app.callback()
def bot() -> None:
    """Look at the bots of an account, make, change, start, drain, stop or move one."""


for verb in (bot_config.create, bot_config.configure, bot_config.show, bot_config.remove):
    app.command()(verb)


@app.command("list")
def list_bots(*, account: ACCOUNT = None, database: DATABASE = None, json: JSON = False) -> None:
    """Show each bot's state, decisions and positions. Example: holdfast bot list --json"""
    from holdfast.app.live.activity import condition  # noqa: PLC0415  # --help needs no journal
    from holdfast.app.live.operator import account_state, symbols_of  # noqa: PLC0415

    state = account_state(database_of(database), account_name(account))
    rows: list[dict[str, Any]] = [
        {
            "bot": name,
            "state": condition(state, name),
            "reason": found.failed or found.halted or state.halted,
            "halt": state.halt(name),
            "decisions": found.number,
            "symbols": symbols_of(found),
            "positions": {
                symbol: position.quantity
                for symbol, position in found.positions.items()
                if position.quantity
            },
        }
        for name, found in sorted(state.present.items())
    ]
    if json:
        emit({"bots": rows})
        return
    for row in rows:
        name = f"{row['bot']} on {', '.join(row['symbols'])}" if row["symbols"] else row["bot"]
        held = ", ".join(f"{q.normalize():f} {s}" for s, q in row["positions"].items()) or "flat"
        told = f" ({row['reason']})" if row["reason"] else ""
        typer.echo(f"{name}: {row['state']}{told}, {held}, {row['decisions']} decisions")


@app.command()
def start(
    name: NAME,
    *,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Start a bot that was stopped, failed or drains. Example: holdfast bot start cross"""
    _ask("start", name, wait, account, database, json=json)


@app.command()
def stop(
    name: NAME,
    *,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Stop a bot: no more decisions, its resting orders are taken back, its position stays.

    Example: holdfast bot stop cross
    """
    _ask("stop", name, wait, account, database, json=json)


@app.command()
def drain(
    name: NAME,
    *,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Let a bot go on without new exposure: it leaves its positions as it wishes. It survives
    restarts, until `holdfast bot start`.

    Example: holdfast bot drain cross
    """
    _ask("drain", name, wait, account, database, json=json)


@app.command()
def handover(
    name: NAME,
    *,
    to: Annotated[str, typer.Option(help="The node that is to lead, by its name, or a version.")],
    wait: WAIT = 30.0,
    config: CONFIG = None,
    json: JSON = False,
) -> None:
    """Move a bot to another node; its whole account moves, with all bots on it. With a version, as
    `holdfast cluster nodes` shows them, to one of its nodes that is warm; the answer names it.

    Example: holdfast bot handover cross --to second
    """
    from holdfast.app.live.members import hand_over  # noqa: PLC0415

    loaded = load(config)
    whose = loaded.account_of(name)
    moved = hand_over(loaded, whose, to, wait)
    if json:
        emit(moved)
    else:
        gap = f", {moved.gap_ms:.0f} ms after the old leader" if moved.gap_ms is not None else ""
        typer.echo(f"account {moved.account}: led by {moved.node} from record {moved.seq} on{gap}")


def _ask(
    command: str, name: str, wait_s: float, account: str | None, database: str | None, *, json: bool
) -> None:
    from holdfast.app.live.operator import account_state, ask  # noqa: PLC0415

    journal, whose = database_of(database), account_name(account)
    known = account_state(journal, whose).present
    if name not in known:
        raise ConfigError(
            f"seen: no bot {name!r} in account {whose}; expected: one of "
            f"{', '.join(sorted(known)) or 'none yet'}; do: correct the name"
        )
    seq = ask(journal, whose, command, {"bot": name}, by=operator(), wait_s=wait_s)
    if json:
        emit({"command": command, "bot": name, "seq": seq})
    else:
        typer.echo(f"{command} {name}: took effect at record {seq}")
