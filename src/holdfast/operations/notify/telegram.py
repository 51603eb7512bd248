"""Telegram's HTTP API for bots, as far as telling and listening need it.

Long polling, so nothing of ours is reached from outside. The token is part of every address: no
address is ever logged or part of an error. Not here: what is answered (app.notify.desk).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import aiohttp
import msgspec

from holdfast.errors import ConfigError, RetryableError
from holdfast.operations.notify.port import DeliveryError
from holdfast.secrets import Secret
from holdfast.telemetry.log import get_logger

log = get_logger("operations.notify")

POLL_S: Final = 25
"""For so long Telegram holds a question for updates while there are none."""

PATIENCE_S: Final = 15.0
MOST_TEXT: Final = 4096
"""Characters of a message that Telegram takes."""


class Chat(msgspec.Struct, frozen=True):
    """Where a message is; `private` chats are with one person, whose id they have."""

    id: int
    type: str = "private"


class Sender(msgspec.Struct, frozen=True):
    """Who sent something."""

    id: int


class Message(msgspec.Struct, frozen=True):
    """A message.

    Attributes:
        date: when it was sent, UTC seconds by Telegram's clock; 0 when that is not told any more.
    """

    message_id: int
    chat: Chat
    date: int = 0
    sender: Sender | None = msgspec.field(name="from", default=None)
    text: str = ""


class Pressed(msgspec.Struct, frozen=True):
    """A button under a message of ours was pressed.

    Attributes:
        message: the one with the button.
        data: what the button was made with.
    """

    id: str
    sender: Sender = msgspec.field(name="from")
    message: Message | None = None
    data: str = ""


class Update(msgspec.Struct, frozen=True):
    """Something that happened; one of message and button, or neither of those we know.

    Attributes:
        update_id: rises; an update may come again with the same id.
    """

    update_id: int
    message: Message | None = None
    pressed: Pressed | None = msgspec.field(name="callback_query", default=None)


class _Numbered(msgspec.Struct, frozen=True):
    update_id: int


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int = 0
    description: str = ""
    parameters: _Parameters | None = None


class Bot:
    """A bot; used as a context, which closes its connections.

    Attributes:
        bot_id: of the bot, which is no secret.

    Args:
        url: of the API, without the bot's own part.
        tokens: those to be tried, in order: the next one when one is refused. Blocks.
        first: the first of them.
    """

    def __init__(self, url: str, first: Secret, tokens: Callable[[], Iterator[Secret]]) -> None:
        self.bot_id = _bot_of(first)
        self._url = url.rstrip("/")
        self._token = first
        self._tokens = tokens
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Bot:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def updates(self, after: int, poll_s: float = POLL_S) -> Sequence[Update]:
        """Updates from id `after` on, oldest first; waits up to `poll_s` while there are none.

        Asking lets Telegram forget all that came before.

        Raises:
            DeliveryError, ConfigError.
        """
        found = await self._call(
            "getUpdates",
            {"offset": after, "timeout": round(poll_s), "allowed_updates": list(_KINDS)},
            PATIENCE_S + poll_s,
        )
        return [_update_of(one) for one in _decoded(found, list[msgspec.Raw])]

    async def say(self, chat_id: int, text: str, button: tuple[str, str] | None = None) -> None:
        """Send plain text, with a button of this label and data under it.

        Raises:
            DeliveryError, ConfigError.
        """
        given: dict[str, Any] = {
            "chat_id": chat_id, "text": text[:MOST_TEXT],
            "link_preview_options": {"is_disabled": True},
        }  # fmt: skip
        if button is not None:
            label, data = button
            keys = [[{"text": label, "callback_data": data}]]
            given["reply_markup"] = {"inline_keyboard": keys}
        await self._call("sendMessage", given)

    async def acknowledge(self, pressed: Pressed) -> None:
        """Let the button rest.

        Raises:
            DeliveryError, ConfigError.
        """
        await self._call("answerCallbackQuery", {"callback_query_id": pressed.id})

    async def _call(
        self, method: str, given: Mapping[str, Any], patience_s: float = PATIENCE_S
    ) -> msgspec.Raw:
        answer = await self._asked(self._token, method, given, patience_s)
        if answer.error_code in _NO_SUCH_BOT:
            answer = await self._asked_again(answer, method, given, patience_s)
        if answer.ok:
            return answer.result
        if answer.error_code in _NO_SUCH_BOT:
            raise ConfigError(
                f"seen: Telegram knows no such bot ({answer.error_code}); expected: the token that "
                "BotFather gave; do: correct what `notify.telegram.token` refers to"
            )
        after_s = answer.parameters.retry_after if answer.parameters is not None else None
        raise DeliveryError(
            str(answer.error_code), f"Telegram: {answer.error_code} {answer.description[:100]}",
            after_s,
        )  # fmt: skip


    async def _asked_again(
        self, answer: _Answer, method: str, given: Mapping[str, Any], patience_s: float
    ) -> _Answer:
        """With each other token of this bot, until one is taken; the last answer."""
        tokens, refused = self._tokens(), self._token
        try:
            while (token := await asyncio.to_thread(next, tokens, None)) is not None:
                if token == refused or _bot_of(token) != self.bot_id:
                    continue  # another bot's updates have other numbers, and no chat knows it
                answer = await self._asked(token, method, given, patience_s)
                if answer.error_code not in _NO_SUCH_BOT:
                    self._token = token
                    log.warning("another token of the bot is used", action="telegram_token")
                    break
        except RetryableError as error:
            raise DeliveryError("no_secret", "what keeps its token does not answer") from error
        return answer

    async def _asked(
        self, token: Secret, method: str, given: Mapping[str, Any], patience_s: float
    ) -> _Answer:
        assert self._session is not None, "used outside its context"  # noqa: S101
        try:
            async with self._session.post(
                f"{self._url}/bot{token.reveal()}/{method}",
                json=given, timeout=aiohttp.ClientTimeout(patience_s),
            ) as response:  # fmt: skip
                body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            # Not chained: texts of these errors show addresses.
            raise DeliveryError("no_answer", f"Telegram: {type(error).__name__}") from None
        answer: _Answer = _decoded(body, _Answer)
        return answer


_KINDS: Final = ("message", "callback_query")
_NO_SUCH_BOT: Final = frozenset({401, 404})


def _bot_of(token: Secret) -> str:
    return token.reveal().partition(":")[0]


def _update_of(body: msgspec.Raw) -> Update:
    """An update; one that is not as it was described, and so holds up none, has nothing in it."""
    try:
        return msgspec.json.decode(body, type=Update)
    except msgspec.ValidationError:
        return Update(_decoded(body, _Numbered).update_id)


def _decoded(body: bytes | msgspec.Raw, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise DeliveryError("no_answer", "Telegram: an answer that is none") from error
