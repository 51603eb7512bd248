"""The configuration in effect: what commands have set in the journal goes before the file.

Lives here: one bot's configuration as text and back, and both sources as one. Not here: taking a
command (take), reading the file (holdfast.config).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from holdfast.config import Bot, Config, WrittenLimits
from holdfast.domain.limits import Limits
from holdfast.domain.timeframe import timeframe_text
from holdfast.engine.bot import BotRuntime
from holdfast.errors import ConfigError, CorruptionError
from holdfast.ledger.state import AccountState
from holdfast.strategy.parameters import as_json
from holdfast.telemetry.log import get_logger

T = TypeVar("T")

log = get_logger("app.configuration")

_canonical = msgspec.json.Encoder(decimal_format="string", order="sorted")
_exact = msgspec.json.Decoder(float_hook=Decimal)  # 0.1 is exactly that
_OWN = ("join_timeout_s", "decide_budget_ms")


def config_text(bot: BotRuntime, written: Bot) -> str:
    """A bot's configuration as canonical JSON: what its decisions name the version of.

    All of it, so that who changes one thing by command leaves the others as the file had them.
    """
    told: dict[str, Any] = {
        "strategy": written.strategy,
        **({"symbol": bot.symbol} if len(bot.symbols) == 1 else {"symbols": bot.symbols}),
        "timeframe_s": bot.timeframe_s,
        "params": as_json(bot.strategy),
        "limits": written.limits,
    }
    told |= {name: getattr(written, name) for name in _OWN}
    return _canonical.encode(told).decode()


def limits_text(limits: Limits) -> str:
    """An account's limits as canonical JSON."""
    return _canonical.encode(limits).decode()


def written_in(name: str, text: str) -> Bot:
    """The bot called `name` that `config_text` told of.

    Raises:
        CorruptionError: this program cannot read it.
    """
    told = _exact.decode(text)
    try:
        return msgspec.convert(
            {
                "name": name,
                "strategy": told["strategy"],
                "symbols": told.get("symbols") or [told["symbol"]],
                "timeframe": timeframe_text(told["timeframe_s"]),
                "params": told["params"],
                "limits": _given(told["limits"]),
                **{own: float(told[own]) for own in _OWN if own in told},
            },
            Bot,
        )
    except (KeyError, msgspec.ValidationError) as error:
        raise CorruptionError(
            f"seen: the configuration of bot {name} in the journal ({error}); expected: one that "
            "this version reads; do: configure it again with `holdfast bot configure`"
        ) from error


def _given(limits: dict[str, Any]) -> dict[str, Any]:
    """Limits without those that are none: the file has no way to say so but leaving them out."""
    return {name: value for name, value in limits.items() if value is not None}


def only_limits_differ(one: str, other: str) -> bool:
    """Whether two configurations of a bot ask for the same decisions."""
    first, second = (
        {k: v for k, v in msgspec.json.decode(text).items() if k != "limits"}
        for text in (one, other)
    )
    return bool(first == second)


def effective(config: Config, account: AccountState) -> Config:
    """The bots of one account as they are to run: the journal's where a command set them.

    Args:
        config: of this account alone.
    """
    bots: list[Bot] = []
    for written in config.bots:
        state = account.bot(written.name)
        if not state.by_command:
            bots.append(written)
            continue
        set_so = written_in(written.name, state.config)
        if set_so != written:
            log.info(
                "a command's configuration goes before the file's",
                action="configured", bot=written.name,
                config_version=state.config_version,
            )  # fmt: skip
        bots.append(set_so)
    named = {bot.name for bot in bots}
    bots += [
        written_in(name, state.config)
        for name, state in account.bots.items()
        if state.by_command and name not in named
    ]
    return msgspec.structs.replace(config, bots=tuple(bots))


def read_bot(text: str) -> Bot:
    """A bot from the JSON of a command.

    Raises:
        ConfigError: it is none; the text says where.
    """
    return _converted(text, Bot, "a bot")


def read_written_limits(text: str) -> WrittenLimits:
    """Limits from the JSON of a command, or of the journal.

    Raises:
        ConfigError: they are none; the text says where.
    """
    return _converted(text, WrittenLimits, "limits")


def _converted(text: str, kind: type[T], what: str) -> T:
    try:
        told = _exact.decode(text)
        if isinstance(told, dict):
            told = _given(told) | ({"limits": _given(told["limits"])} if "limits" in told else {})
        return msgspec.convert(told, kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(
            f"seen: {str(error)[:300]}; expected: {what} as in holdfast.toml; do: correct it"
        ) from error
