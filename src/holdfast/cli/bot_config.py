"""`holdfast bot create|configure|show|remove`: the configuration of bots, while nodes trade.

Not here: what a change may be (app.live.configuring.take), starting and stopping (bot).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from holdfast.cli.account import ACCOUNT, JSON, account_name, operator
from holdfast.cli.database import DATABASE, database_of
from holdfast.cli.output import emit
from holdfast.cli.run_options import parameters
from holdfast.config import Bot, WrittenLimits
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    from holdfast.app.live.configuring.ask import Changed

T = TypeVar("T")
_NO_LIMIT = (None, "")  # how files and options say so

NAME = Annotated[str, typer.Argument(help="The bot's name.")]
WAIT = Annotated[float, typer.Option(min=0, help="Seconds to wait until it took effect.")]
SYMBOL = Annotated[list[str] | None, typer.Option(help="BTC/USDT; repeat it for more.")]
PARAM = Annotated[list[str] | None, typer.Option(help="name=value; repeat it for more.")]
LIMIT = Annotated[
    list[str] | None,
    typer.Option(help="name=value, such as max_order_notional=500; no value takes it away."),
]


def create(
    name: NAME,
    *,
    strategy: Annotated[str, typer.Option(help="A shipped strategy, or FILE:Class.")],
    symbol: SYMBOL = None,
    timeframe: Annotated[str, typer.Option(help="Of the bars that it decides on.")] = "1m",
    param: PARAM = None,
    limit: LIMIT = None,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Make a bot while the nodes trade; it does nothing until `holdfast bot start`.

    Example: holdfast bot create slow --strategy sma_cross --symbol BTC/USDT --param fast=20
    """
    from holdfast.app.live.configuring import ask  # noqa: PLC0415  # --help needs no journal

    made = _bot(
        {
            "name": name,
            "strategy": strategy,
            "symbols": symbol or [],
            "timeframe": timeframe,
            "params": _values(param),
            "limits": _limits({}, limit),
        }
    )
    whose, journal = account_name(account), database_of(database)
    _tell(ask.create(journal, whose, made, by=operator(), wait_s=wait), "created", json=json)


def configure(
    name: NAME,
    *,
    strategy: Annotated[str | None, typer.Option(help="Another one, or FILE:Class.")] = None,
    symbol: SYMBOL = None,
    timeframe: Annotated[str | None, typer.Option(help="Of the bars.")] = None,
    param: PARAM = None,
    limit: LIMIT = None,
    from_file: Annotated[
        bool, typer.Option("--from-file", help="As holdfast.toml of the nodes says, from now on.")
    ] = False,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Change a bot while the nodes trade. Limits bind at once; for anything else the account
    begins again with it, within a second or two. What is not named stays.

    Example: holdfast bot configure cross --param fast=7 --limit max_order_notional=500
    """
    from holdfast.app.live.configuring import ask  # noqa: PLC0415  # --help needs no journal
    from holdfast.app.live.operator import account_state  # noqa: PLC0415

    journal, whose = database_of(database), account_name(account)
    if from_file:
        done = ask.configure_from_file(journal, whose, name, by=operator(), wait_s=wait)
        _tell(done, "configured", json=json)
        return
    now, version = ask.bot_in(account_state(journal, whose), name)
    told = msgspec.to_builtins(now)
    changed = _bot(
        {
            **told,
            "strategy": strategy or told["strategy"],
            "symbols": symbol or told["symbols"],
            "timeframe": timeframe or told["timeframe"],
            "params": {**({} if strategy else told["params"]), **_values(param)},
            "limits": _limits(told["limits"], limit),
        }
    )
    if changed == now:
        raise ConfigError(
            f"seen: nothing that is new for bot {name}; expected: a change; do: see --help"
        )
    done = ask.configure(journal, whose, changed, version, by=operator(), wait_s=wait)
    _tell(done, "configured", json=json)


def remove(
    name: NAME,
    *,
    wait: WAIT = 10.0,
    account: ACCOUNT = None,
    database: DATABASE = None,
    json: JSON = False,
) -> None:
    """Take away a bot that `bot create` had made, and that is stopped and flat.

    Example: holdfast bot remove slow
    """
    from holdfast.app.live.configuring import ask  # noqa: PLC0415  # --help needs no journal

    whose, journal = account_name(account), database_of(database)
    _tell(ask.remove(journal, whose, name, by=operator(), wait_s=wait), "removed", json=json)


def show(
    name: NAME, *, account: ACCOUNT = None, database: DATABASE = None, json: JSON = False
) -> None:
    """Show how a bot is configured now. Example: holdfast bot show cross --json"""
    from holdfast.app.live.configuring import ask  # noqa: PLC0415  # --help needs no journal
    from holdfast.app.live.operator import account_state  # noqa: PLC0415

    state = account_state(database_of(database), account_name(account))
    bot, version = ask.bot_in(state, name)
    source = "command" if state.bot(name).by_command else "file"
    if json:
        emit({"version": version, "source": source, "bot": bot})
        return
    typer.echo(f"{name}: configuration {version}, by {source}")
    for key, value in msgspec.to_builtins(bot).items():
        if key not in {"name", "account"} and value not in ({}, None):
            typer.echo(f"  {key}: {value}")


def _bot(told: dict[str, Any]) -> Bot:
    """A bot from what was said; limits that are none are left out."""
    given = {key: value for key, value in told["limits"].items() if value not in _NO_LIMIT}
    return _checked({**told, "limits": given}, Bot)


def _checked(told: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(told, kind, strict=False)
    except msgspec.ValidationError as error:
        fact, _, expected = str(error).partition(", expected ")
        raise ConfigError(
            f"seen: {fact}; expected: {expected or 'it as in holdfast.toml'}; do: correct it"
        ) from error


def _values(param: list[str] | None) -> dict[str, Any]:
    return dict(parameters(param or []))


def changed_limits(now: WrittenLimits, changes: list[str]) -> WrittenLimits:
    """Limits with `name=value` texts laid over them.

    Raises:
        ConfigError: a name or a value is none.
    """
    told = _limits(msgspec.to_builtins(now), changes, "--set")
    given = {key: value for key, value in told.items() if value not in _NO_LIMIT}
    return _checked(given, WrittenLimits)


def _limits(
    now: dict[str, Any], limit: list[str] | None, option: str = "--limit"
) -> dict[str, Any]:
    given: dict[str, Any] = dict(parameters(limit or [], option, "max_order_notional=500"))
    unknown = sorted(given.keys() - set(WrittenLimits.__struct_fields__))
    if unknown:
        raise ConfigError(
            f"seen: {option} {unknown[0]}; expected: one of "
            f"{', '.join(WrittenLimits.__struct_fields__)}; do: correct it"
        )
    if "symbols" in given:
        given["symbols"] = [symbol for symbol in given["symbols"].split(",") if symbol]
    return {**now, **given}


def _tell(done: Changed, what: str, *, json: bool) -> None:
    if json:
        emit(done)
        return
    version = f", configuration {done.version}" if done.version else ""
    typer.echo(f"{what} {done.bot}: took effect at record {done.seq}{version}")
