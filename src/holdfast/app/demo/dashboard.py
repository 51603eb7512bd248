"""The demo's dashboard: the API that serves it, a worker for what is asked for there, and the link.

Lives here: both processes, begun again when they end, and signing in without a login wall: by a
link that is good once, on this machine. Not here: what they answer (api), the nodes (nodes).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from holdfast.app.database import SqliteDatabase
from holdfast.app.demo.home import Home
from holdfast.app.demo.plan import Plan
from holdfast.app.demo.processes import Child
from holdfast.app.identity import at_machine
from holdfast.errors import ConfigError, UnreachableError

PORT: Final = 8080
USER: Final = "demo"
AGAIN_S: Final = 5.0


class Dashboard:
    """Serves the dashboard of one home.

    Args:
        say: told where it is.
        opens: show it to who sits at this machine, once it is there.

    Attributes:
        url: where it is; empty until it answers.
    """

    def __init__(self, home: Home[Plan], say: Callable[[str], None], *, opens: bool) -> None:
        self.url = ""
        self._port = PORT
        self._home = home
        self._say = say
        self._opens = opens

    async def run(self) -> None:
        """Serve until cancelled. What ends by itself is told of; nothing else ends with it."""
        await asyncio.gather(self._keep_api(), self._keep("worker", ["worker"]))

    async def show(self) -> str:
        """Open it in a browser, signed in; where it is, for people."""
        if not self.url:
            return "the dashboard is not there yet"
        link = await self.link()
        if not _has_display():
            return link
        await asyncio.to_thread(webbrowser.open, link)
        return f"the dashboard is at {self.url}"

    async def link(self) -> str:
        """An address that signs in, once, from this machine, and for some minutes."""
        code = await asyncio.to_thread(self._code)
        return f"{self.url}/#link={code}"

    def _code(self) -> str:
        with at_machine(SqliteDatabase(self._home.journal), USER) as console:
            return console.link(USER)

    async def _keep_api(self) -> None:
        while True:
            environ = {"PORT": str(_free(self._port)), "METRICS_PORT": "0"}
            api = await Child.start(
                "api", self._words("api", "--json"), self._home.log("api"), environ=environ
            )
            try:
                self.url = await api.listening()
                # Who looks at it finds the next one where this one was.
                self._port = urlsplit(self.url).port or PORT
                self._say(f"dashboard at {await self.link()} (the link is good once)")
                if self._opens and _has_display():
                    await self.show()
                await api.ended()
                raise api.failure("ended")
            except (ConfigError, UnreachableError) as error:
                self._say(f"no dashboard for {AGAIN_S:.0f} s: {error}")
            finally:
                self.url, self._opens = "", False
                await api.stop()
            await asyncio.sleep(AGAIN_S)

    async def _keep(self, name: str, words: list[str]) -> None:
        while True:
            child = await Child.start(name, self._words(*words), self._home.log(name))
            try:
                await child.ended()
            finally:
                await child.stop()
            await asyncio.sleep(AGAIN_S)

    def _words(self, *words: str) -> list[str]:
        return [*words, "--config", str(self._home.config)]


def _free(port: int) -> int:
    """That port if nobody has it, else any (0)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _has_display() -> bool:
    """Whether a browser would open in a window of its own, and not in this terminal."""
    if sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
