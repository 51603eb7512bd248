"""Commands that configure: checked beside trading, journaled, and in effect from that record on.

Limits bind at once. Whatever else changes needs another runtime, whose indicators begin anew: the
account comes to rest and is followed and led again, the way that every release and crash takes,
within a second or two; orders that rest go on meanwhile. Not here: the configuration in effect
(in_effect), who may give such a command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import msgspec

from holdfast.app.live.bots import make_bot
from holdfast.app.live.configuring.in_effect import (
    config_text,
    limits_text,
    only_limits_differ,
    read_bot,
    read_written_limits,
)
from holdfast.app.live.follower import Follower, OutgrownError
from holdfast.config import Bot
from holdfast.domain.event import OperatorAsked
from holdfast.domain.fact import BotConfigured, BotRemoved, CommandTaken, LimitsSet
from holdfast.errors import ConfigError
from holdfast.execution.recorder import Recorder
from holdfast.journal.chain import require_writable
from holdfast.journal.port import Appender
from holdfast.ledger.state import BotState
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import Venue

log = get_logger("app.configure")

LIMITS = "limits"  # the account's own: the only one that asks the exchange nothing
COMMANDS = frozenset({"configure", "create", "remove", LIMITS})


class Configurator:
    """Takes them, for the leader of an account."""

    def __init__(
        self, follower: Follower, venue: Venue, recorder: Recorder, writer: Appender
    ) -> None:
        self._follower = follower
        self._account = follower.account
        self._venue = venue
        self._recorder = recorder
        self._writer = writer
        self._one_at_a_time = asyncio.Lock()

    async def take(self, asked: OperatorAsked) -> None:
        """Journal what it comes to, or why it comes to nothing; one after the other, in order.

        Each is checked against what those before it left, which is known once it is durable.

        Raises:
            OutgrownError: it is in effect, and the account must begin again with it.
            RetryableError, RejectedError: the exchange does not tell what it lists; ask again.
        """
        async with self._one_at_a_time:
            await self._take(asked)

    async def _take(self, asked: OperatorAsked) -> None:
        told = {name: value for name, value in asked.arguments.items() if name != "config"}
        taken = CommandTaken(
            command_id=asked.command_id,
            name=asked.name,
            by=asked.by,
            arguments=str(sorted(told.items())),
        )
        try:
            fact = await self._fact(asked)
            require_writable((fact,), self._writer.head.format)
        except ConfigError as error:
            log.warning("not configured", action="configure_refused", why=str(error))
            await self._recorder.record(msgspec.structs.replace(taken, refused=str(error)))
            return
        await self._recorder.record(taken, fact)
        log.info("configured", action="configured", what=asked.name, by=asked.by)
        if isinstance(fact, BotRemoved) or (isinstance(fact, BotConfigured) and fact.anew):
            raise OutgrownError(
                f"seen: bot {fact.bot} is another one from here on; expected: that; do: nothing, "
                "the account begins again with it"
            )

    async def _fact(self, asked: OperatorAsked) -> BotConfigured | BotRemoved | LimitsSet:
        told = asked.arguments
        if asked.name == LIMITS:
            return self._limits(asked)
        name = told.get("bot", "")
        state = self._account.bot(name)
        _require_version(told, state.config_version, f"of bot {name}")
        if asked.name == "remove":
            return self._removed(name, state, asked.by)
        is_new = name not in self._account.bots or state.removed
        if is_new is not (asked.name == "create"):
            seen = "no such bot" if is_new else f"bot {name}, which is there already"
            raise _refused(seen, "another name" if not is_new else "one that is there")
        if told.get("from_file"):
            return await self._from_file(name, state, asked.by)
        return await self._configured(read_bot(told.get("config", "")), name, asked.by)

    def _limits(self, asked: OperatorAsked) -> LimitsSet:
        in_force = 1 + self._account.limits_version  # the first are the file's
        _require_version(asked.arguments, in_force, "of the account's limits")
        text = asked.arguments.get("limits", "")
        if not text:
            return LimitsSet(limits="", by=asked.by)
        limits = read_written_limits(text)
        outside = {
            symbol
            for bot in self._follower.bots
            for symbol in bot.symbols
            if limits.symbols and symbol not in limits.symbols
        }
        if outside:
            raise _refused(
                f"bots trade {', '.join(sorted(outside))}, which these limits do not allow",
                "their symbols among `symbols`",
            )
        return LimitsSet(limits=limits_text(limits), by=asked.by)

    def _removed(self, name: str, state: BotState, by: str) -> BotRemoved:
        if not state.by_command or name in self._follower.in_file:
            raise _refused(
                f"bot {name} is not one that a command made",
                "one that is; what stands in holdfast.toml is removed there",
            )
        self._require_out_of(name, state, ())
        return BotRemoved(bot=name, by=by)

    async def _from_file(self, name: str, state: BotState, by: str) -> BotConfigured:
        written = self._follower.in_file.get(name)
        if written is None:
            raise _refused(f"bot {name} is in no file of this node", "one that is")
        if not state.by_command:
            raise _refused(f"bot {name} is as its file says already", "a change")
        fact = await self._configured(written, name, by)
        return msgspec.structs.replace(fact, from_file=True)

    async def _configured(self, written: Bot, name: str, by: str) -> BotConfigured:
        if written.name != name:
            raise _refused(f"a configuration of {written.name!r} for bot {name!r}", "its own name")
        if written.account not in {None, self._account.account}:
            raise _refused(
                f"bot {name} on account {written.account}",
                f"{self._account.account}: to change its account, remove it and create it there",
            )
        runtime = make_bot(written)
        allowed = self._follower.engine.limits.symbols
        outside = [symbol for symbol in written.symbols if allowed and symbol not in allowed]
        if outside:
            raise _refused(f"{outside[0]} is outside the account's limits", "a symbol they allow")
        listed = {i.symbol for i in await self._venue.instruments(written.symbols)}
        missing = [symbol for symbol in written.symbols if symbol not in listed]
        if missing:
            raise _refused(f"{missing[0]}, which the exchange does not list", "one that it lists")
        state = self._account.bot(name)
        self._require_out_of(name, state, written.symbols)
        text = config_text(runtime, written)
        return BotConfigured(
            bot=name,
            config_version=state.config_version + 1,
            config=text,
            by=by,
            anew=not (state.config and only_limits_differ(state.config, text)),
        )

    def _require_out_of(self, name: str, state: BotState, symbols: Collection[str]) -> None:
        """A bot leaves only symbols in which it is flat, and can open nothing meanwhile."""
        runtime = self._follower.engine.bots.get(name)
        if runtime is None or not set(runtime.symbols) - set(symbols):
            return
        left = self._account.elsewhere(name, symbols)
        if left:
            raise _refused(
                f"bot {name} has a position or orders in {', '.join(left)}",
                "a bot that is flat where it is to trade no more: `holdfast bot drain` it first",
            )
        if (state.running and not state.draining) or runtime.is_busy:
            raise _refused(
                f"bot {name} may open a position at any moment",
                "one that is stopped or drained where symbols are taken from it",
            )


def _require_version(told: Mapping[str, str], in_force: int, of_what: str) -> None:
    """A change is made to the version that its sender has seen; the CLI names none."""
    version = told.get("version", "")
    if version and version != str(in_force):
        raise _refused(
            f"configuration {in_force} {of_what}",
            f"{version}, which the change was made to; look at it again",
        )


def _refused(seen: str, expected: str) -> ConfigError:
    return ConfigError(f"seen: {seen}; expected: {expected}; do: correct the command")
