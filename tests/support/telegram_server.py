"""A stand-in of Telegram's HTTP API for bots: real HTTP on loopback, with the documented shapes.

As there, updates wait until a higher offset is asked for, a question is held while there are none,
and errors are `{"ok": false, "error_code": …, "description": …, "parameters": …}`. Not here: what a
bot does with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from aiohttp import web

TOKEN: Final = "4711:planted-telegram-token-0123456789"
FIRST_UPDATE: Final = 870_000_000


class TelegramServer:
    """One bot's side of it.

    Attributes:
        sent: bodies of `sendMessage`, in order.
        acknowledged: ids of buttons that were let go.
        offsets: that updates were asked from.
        limited: so many of the next messages are refused with 429.
        is_cut: connections end without an answer.
        repeats: updates are given again though they were confirmed.
        token: that is taken.
    """

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[dict[str, Any]] = []
        self.acknowledged: list[str] = []
        self.offsets: list[int] = []
        self.limited = 0
        self.is_cut = False
        self.repeats = False
        self.token = TOKEN
        self._updates: list[dict[str, Any]] = []
        self._next = FIRST_UPDATE
        self._news = asyncio.Condition()

    # -- what people do ----------------------------------------------------------------------------

    async def say(
        self, chat: int, text: str, *, age_s: float = 0.0, sender: int | None = None,
        kind: str = "private",
    ) -> int:  # fmt: skip
        """Somebody writes to the bot; the update's id."""
        return await self._put({
            "message": {
                "message_id": self._next % 1000, "date": round(time.time() - age_s), "text": text,
                "from": {"id": sender or chat, "is_bot": False, "first_name": "Tom"},
                "chat": {"id": chat, "type": kind, "first_name": "Tom"},
                "entities": [{"offset": 0, "length": len(text), "type": "bot_command"}],
            }
        })  # fmt: skip

    async def press(self, chat: int, data: str, *, sender: int | None = None) -> int:
        """Somebody presses a button."""
        return await self._put({
            "callback_query": {
                "id": f"q{self._next}", "chat_instance": "-1", "data": data,
                "from": {"id": sender or chat, "is_bot": False, "first_name": "Tom"},
                "message": {
                    "message_id": 5, "date": round(time.time()), "text": "?",
                    "from": {"id": 4711, "is_bot": True, "first_name": "Bot"},
                    "chat": {"id": chat, "type": "private", "first_name": "Tom"},
                },
            }
        })  # fmt: skip

    async def put_unknown(self) -> int:
        """An update of a shape that nobody knows."""
        return await self._put({"message": {"message_id": "none"}})

    async def _put(self, body: dict[str, Any]) -> int:
        async with self._news:
            number, self._next = self._next, self._next + 1
            self._updates.append({"update_id": number, **body})
            self._news.notify_all()
        return number

    # -- what the bot said -------------------------------------------------------------------------

    def told(self, chat: int) -> list[str]:
        """What a chat was told, in order."""
        return [one["text"] for one in self.sent if one["chat_id"] == chat]

    def button(self, chat: int) -> str:
        """The data of the last button in a chat."""
        keys = [
            one["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
            for one in self.sent
            if one["chat_id"] == chat and "reply_markup" in one
        ]
        return str(keys[-1])

    def handled(self, update: int) -> bool:
        """Whether the bot has asked for what comes after an update."""
        return bool(self.offsets) and self.offsets[-1] > update

    # -- the API -----------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.Response:
        if self.is_cut:
            assert request.transport is not None
            request.transport.close()
            raise web.HTTPBadGateway
        if request.match_info["token"] != self.token:
            return _error(404, "Not Found")
        given = msgspec.json.decode(await request.read())
        match request.match_info["method"]:
            case "getUpdates":
                return _ok(await self._updates_from(given["offset"], given["timeout"]))
            case "sendMessage":
                return self._take(given)
            case "answerCallbackQuery":
                self.acknowledged.append(given["callback_query_id"])
                return _ok(True)
            case _:
                return _error(404, "Not Found: method not found")

    async def _updates_from(self, offset: int, timeout_s: float) -> list[dict[str, Any]]:
        self.offsets.append(offset)
        if not self.repeats:
            self._updates = [one for one in self._updates if one["update_id"] >= offset]
        async with self._news:
            try:
                async with asyncio.timeout(min(timeout_s, 1.0)):
                    await self._news.wait_for(lambda: self.is_cut or bool(self._updates))
            except TimeoutError:
                return []
        return self._updates[:100]

    def _take(self, given: dict[str, Any]) -> web.Response:
        if self.limited:
            self.limited -= 1
            return _error(429, "Too Many Requests: retry after 1", {"retry_after": 1})
        if not 0 < len(given["text"]) <= 4096:
            return _error(400, "Bad Request: message is too long")
        self.sent.append(given)
        return _ok({"message_id": len(self.sent), "date": round(time.time()),
                    "chat": {"id": given["chat_id"], "type": "private"}})  # fmt: skip


@asynccontextmanager
async def telegram() -> AsyncIterator[TelegramServer]:
    """One that listens on loopback."""
    made = TelegramServer()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _error(code: int, text: str, parameters: dict[str, Any] | None = None) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": text}
    if parameters is not None:
        body["parameters"] = parameters
    return web.json_response(body, status=code)
