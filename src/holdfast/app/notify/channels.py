"""The ways to a user, opened when they are first needed.

Not here: the ways themselves (operations.notify).
"""

from __future__ import annotations

import asyncio

from holdfast.app.notify import people
from holdfast.config import resolve
from holdfast.config.notify import TELEGRAM, NotifySettings
from holdfast.errors import ConfigError, RetryableError
from holdfast.operations.notify import rows
from holdfast.operations.notify.apprise import AppriseChannel
from holdfast.operations.notify.deliver import Channel
from holdfast.operations.notify.port import DeliveryError, Subscription
from holdfast.operations.notify.telegram import Bot
from holdfast.operations.notify.words import Text
from holdfast.platform.identity.values import User
from holdfast.platform.port import Look, PlatformStore
from holdfast.secrets import invalidate


class Channels:
    """Of one installation.

    Args:
        bot: of Telegram's; None without.
    """

    def __init__(self, store: PlatformStore, settings: NotifySettings, bot: Bot | None) -> None:
        self._store = store
        self._settings = settings
        self._bot = bot
        self._opened: dict[tuple[str, str], AppriseChannel] = {}
        self._opening = asyncio.Lock()  # Apprise loads its services in whichever thread is first

    async def of(self, to: Subscription) -> Channel:
        """The way to the user of a subscription.

        Raises:
            ConfigError: it is configured no more, or wrongly.
            DeliveryError: nothing may go there now.
        """
        user, chats = await asyncio.to_thread(self._store.look, lambda look: _whose(look, to))
        if user is None:
            raise DeliveryError("disabled", "the user is shut out")
        if to.channel == TELEGRAM:
            if self._bot is None or not chats:
                raise DeliveryError("no_chat", "no chat is linked: holdfast notify link telegram")
            return _Chats(self._bot, chats)
        channel = self._settings.channel(to.channel)
        if channel is None or not channel.is_for(user.name):
            raise ConfigError(
                f"seen: no channel {to.channel} for {user.name}; expected: one in "
                "`[[notify.channels]]`; do: configure it, or remove the subscription"
            )
        try:
            address = await asyncio.to_thread(resolve, channel.to)
        except RetryableError as error:
            raise DeliveryError("no_secret", "what keeps its address does not answer") from error
        # By its value as well: a secret that was rotated is another channel.
        key = channel.name, address.reveal()
        async with self._opening:
            if key not in self._opened:
                self._opened[key] = await asyncio.to_thread(AppriseChannel, channel.name, address)
        return _ByReference(self._opened[key], channel.to)


class _ByReference:
    """A channel whose address may have been replaced: Apprise does not say why it was refused."""

    def __init__(self, channel: Channel, reference: str) -> None:
        self._channel = channel
        self._reference = reference

    async def send(self, text: Text) -> None:
        """Deliver a message; the next try asks for the address anew where this one fails."""
        try:
            await self._channel.send(text)
        except DeliveryError:
            await asyncio.to_thread(invalidate, self._reference)
            raise


class _Chats:
    """All chats of one user."""

    def __init__(self, bot: Bot, chats: tuple[int, ...]) -> None:
        self._bot = bot
        self._chats = chats

    async def send(self, text: Text) -> None:
        """Deliver a message to each; it came when one of them took it."""
        failures: list[DeliveryError] = []
        for chat in self._chats:
            try:
                await self._bot.say(chat, f"{text.title}\n{text.body}")
            except DeliveryError as error:
                failures.append(error)
        if len(failures) == len(self._chats):
            raise failures[0]


def _whose(look: Look, to: Subscription) -> tuple[User | None, tuple[int, ...]]:
    return people.by_id(look, to.user_id), tuple(rows.chats(look, to.user_id))
