"""What a chat asks to be done, in words, as commands to the leaders of accounts.

Not here: whether it is done now or after a confirmation (desk), what it does (engine).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from holdfast.api.ports import Given, Reads
from holdfast.domain.guard import HaltLevel
from holdfast.errors import RejectedError
from holdfast.platform.identity.values import ForbiddenError, Principal, Scope

_IDS: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "telegram.holdfast")
_LEVELS: Final = frozenset(level.value for level in HaltLevel)


class Target(msgspec.Struct, frozen=True):
    """An account, or one bot of it."""

    account: str
    bot: str = ""

    def __str__(self) -> str:
        return f"{self.account}/{self.bot}" if self.bot else self.account


class Order(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        risky: it adds risk, or sells: it needs a confirmation.
    """

    name: str
    targets: tuple[Target, ...]
    arguments: Mapping[str, str]
    risky: bool

    def __str__(self) -> str:
        level = self.arguments.get("level")
        what = f"{self.name} ({level})" if level else self.name
        return f"{what} {', '.join(map(str, self.targets))}"

    def given(self, once: str) -> list[Given]:
        """The commands; those of the same `once` are the same ones, however often they come."""
        return [
            Given(
                command_id=uuid.uuid5(_IDS, f"{once} {target}").hex,
                account=target.account, name=self.name,
                arguments={**self.arguments, **({"bot": target.bot} if target.bot else {})},
            )
            for target in self.targets
        ]  # fmt: skip


async def order_of(reads: Reads, who: Principal, verb: str, words: list[str]) -> Order:
    """What `/verb words` asks for.

    Raises:
        ForbiddenError: he may not do such things.
        RejectedError: it names nothing that is his, or is not understood.
    """
    risky = verb == "resume"
    level = ""
    if verb == "halt":
        level = next((word for word in words if word in _LEVELS), HaltLevel.ENTRIES.value)
        words = [word for word in words if word != level]
        risky = level == HaltLevel.FLATTEN
    scope = Scope.RISK if risky else Scope.TRADE
    if not who.may(scope):
        raise ForbiddenError("scope", f"{who.role} {who.name} may not do that.")
    if len(words) > 1:
        raise RejectedError("words", f"{words[1]!r} is not understood. /help tells what is.")
    if verb == "drain" and not words:
        raise RejectedError("words", "Which bot? /drain BOT, or /drain ACCOUNT/BOT.")
    targets = await _targets(reads, who, words[0] if words else "")
    if verb == "drain":
        targets = tuple(target for target in targets if target.bot)
    if not targets:
        raise RejectedError(
            "absent", f"No {'bot' if verb == 'drain' else 'account or bot'} of that name is yours."
        )
    arguments = {"reason": "asked for by Telegram"} if verb != "resume" else {}
    return Order(verb, targets, arguments | ({"level": level} if level else {}), risky)


async def _targets(reads: Reads, who: Principal, word: str) -> tuple[Target, ...]:
    """What a word names of what is his; all of it without one."""
    accounts = [Target(one.name) for one in await reads.accounts(who)]
    bots = [Target(one.account, one.name) for one in await reads.bots(who)]
    if not word:
        whole = {one.account for one in accounts}
        return (*accounts, *(bot for bot in bots if bot.account not in whole))
    return tuple(_named(word, accounts) or _named(word, bots))


def _named(word: str, among: Iterable[Target]) -> list[Target]:
    found = [one for one in among if word in (str(one), one.bot or one.account)]
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise RejectedError("several", f"{word} may be {names}. Say which.")
    return found
