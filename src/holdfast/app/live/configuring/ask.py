"""Changing the configuration of an account beside its nodes: asked for, awaited, and told.

Not here: what a change may be (take, in the leader's process), how it is shown (cli).
"""

from __future__ import annotations

from itertools import islice

import msgspec

from holdfast.app.live.configuring.in_effect import read_written_limits, written_in
from holdfast.app.live.operator import ask
from holdfast.config import Bot, WrittenLimits
from holdfast.domain.fact import BotConfigured, BotRemoved, LimitsSet
from holdfast.errors import ConfigError
from holdfast.journal.database import Database
from holdfast.journal.reading import proved
from holdfast.ledger.state import AccountState

_encoder = msgspec.json.Encoder(decimal_format="string")


class Changed(msgspec.Struct, frozen=True):
    """A change in effect.

    Attributes:
        seq: where in the account's stream it took effect.
        version: the bot's configuration from there on; 0 for what has none.
        anew: the account began again with it; otherwise it was bound to at once.
    """

    account: str
    bot: str
    seq: int
    version: int = 0
    anew: bool = False


def bot_in(state: AccountState, name: str) -> tuple[Bot, int]:
    """A bot as it is configured now, and the version of that.

    Raises:
        ConfigError: there is none of that name.
    """
    found = state.bots.get(name)
    if found is None or found.removed or not found.config:
        known = [n for n, bot in sorted(state.bots.items()) if bot.config and not bot.removed]
        raise ConfigError(
            f"seen: no bot {name!r} in account {state.account}; expected: one of "
            f"{', '.join(known) or 'none yet'}; do: correct the name"
        )
    return written_in(name, found.config), found.config_version


def create(database: Database, account: str, bot: Bot, *, by: str, wait_s: float) -> Changed:
    """Make a bot; it does nothing until it is started.

    Raises:
        ConfigError: it cannot be like that; the text says why.
        UnreachableError: nobody took the command within `wait_s`; it stays asked for.
    """
    arguments = {"bot": bot.name, "config": _encoder.encode(bot).decode()}
    return _changed(database, account, "create", arguments, by=by, wait_s=wait_s)


def configure(
    database: Database, account: str, bot: Bot, version: int, *, by: str, wait_s: float
) -> Changed:
    """Give a bot another configuration.

    Args:
        version: of the configuration that the change was made to; 0 for whatever there is.

    Raises: as `create`; ConfigError also when it has another version by now.
    """
    arguments = {"bot": bot.name, "config": _encoder.encode(bot).decode()}
    if version:
        arguments["version"] = str(version)
    return _changed(database, account, "configure", arguments, by=by, wait_s=wait_s)


def configure_from_file(
    database: Database, account: str, bot: str, *, by: str, wait_s: float
) -> Changed:
    """Let the file of the nodes decide over a bot again. Raises: as `create`."""
    arguments = {"bot": bot, "from_file": "1"}
    return _changed(database, account, "configure", arguments, by=by, wait_s=wait_s)


def remove(database: Database, account: str, bot: str, *, by: str, wait_s: float) -> Changed:
    """Take away a bot that a command had made, stopped and flat. Raises: as `create`."""
    return _changed(database, account, "remove", {"bot": bot}, by=by, wait_s=wait_s)


def limit(
    database: Database, account: str, limits: WrittenLimits | None, *, by: str, wait_s: float
) -> Changed:
    """Set the account's limits; None lets the file decide again. Raises: as `create`."""
    text = "" if limits is None else _encoder.encode(limits).decode()
    return _changed(database, account, "limits", {"limits": text}, by=by, wait_s=wait_s)


def limits_of(state: AccountState, in_file: WrittenLimits) -> WrittenLimits:
    """The account's limits as they bind now."""
    return read_written_limits(state.limits) if state.limits else in_file


def _changed(
    database: Database,
    account: str,
    name: str,
    arguments: dict[str, str],
    *,
    by: str,
    wait_s: float,
) -> Changed:
    seq = ask(database, account, name, arguments, by=by, wait_s=wait_s)
    with database.one_moment() as rows:
        records = islice(proved(database.name, rows, account, seq - 1), 2)
        _, *rest = (record.fact for record in records)
    bot = arguments.get("bot", "")
    match rest:
        case [BotConfigured() as fact]:
            return Changed(account, bot, seq, fact.config_version, fact.anew)
        case [BotRemoved()]:
            return Changed(account, bot, seq, anew=True)
        case [LimitsSet()]:
            return Changed(account, bot, seq)
        case _:
            raise ConfigError(
                f"seen: `{name}` taken without an effect, by a node that does not know it; "
                "expected: nodes of this version; do: roll the others first"
            )
