"""The fault proxy in a process of its own, so that no check and no screen ever slows a link.

Lives here: both ends of the pipe that it is told through. It ends when the pipe does. Not here:
what a link does (proxy).
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import sys
import time
from asyncio.subprocess import PIPE, Process
from typing import Final

import msgspec

from holdfast.app.chaos.proxy import Conditions, Link, Sent
from holdfast.errors import UnreachableError

_PATIENCE_S: Final = 20.0


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Open a link; see `Link`."""

    name: str
    upstream: str
    conditions: Conditions
    carries_orders: bool


class Change(msgspec.Struct, frozen=True, tag="change"):
    """Change a link, and perhaps reset what is connected through it."""

    name: str
    conditions: Conditions
    cut: bool


class Collect(msgspec.Struct, frozen=True, tag="collect"):
    """Tell which orders came out since this was asked last."""


class Done(msgspec.Struct, frozen=True):
    """The answer to each of them.

    Attributes:
        port: of the link.
        at_ns: `time.monotonic_ns` when it was done.
    """

    at_ns: int
    port: int = 0
    sent: tuple[Sent, ...] = ()


class Proxy:
    """The process, from outside. One question at a time; `close` ends it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    @classmethod
    async def start(cls) -> Proxy:
        """Start the process."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast.app.chaos.proxy_process",
            stdin=PIPE, stdout=PIPE, limit=1 << 24, start_new_session=True,
        )  # fmt: skip
        return cls(process)

    async def open(
        self, name: str, upstream: str, conditions: Conditions, *, carries_orders: bool
    ) -> int:
        """Open a link to `upstream`; the port on loopback where it begins."""
        return (await self._ask(Open(name, upstream, conditions, carries_orders))).port

    async def change(self, name: str, conditions: Conditions, *, cut: bool = False) -> int:
        """Change a link; when that was done, by `time.monotonic_ns`."""
        return (await self._ask(Change(name, conditions, cut))).at_ns

    async def collect(self) -> tuple[Sent, ...]:
        """New orders since it was asked last, in the order in which they came out."""
        return (await self._ask(Collect())).sent

    async def close(self) -> None:
        """End it, and with it every link."""
        assert self._process.stdin is not None  # noqa: S101 - asked for in `start`
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _PATIENCE_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _ask(self, question: Open | Change | Collect) -> Done:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - asked for in `start`
        assert stdout is not None  # noqa: S101
        async with self._turn:
            with contextlib.suppress(ConnectionError):
                stdin.write(msgspec.json.encode(question) + b"\n")
            line = await asyncio.wait_for(stdout.readline(), _PATIENCE_S)
        if not line:
            raise UnreachableError(
                "seen: the fault proxy has ended; expected: it to run as long as the chaos; "
                "do: see what it said last, and report this"
            )
        return msgspec.json.decode(line, type=Done)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    links: dict[str, Link] = {}
    sent: list[Sent] = []
    try:
        while line := await questions.readline():
            question = msgspec.json.decode(line, type=Open | Change | Collect)
            done = await _answer(question, links, sent)
            sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
            sys.stdout.buffer.flush()
    finally:
        for link in links.values():
            await link.close()


async def _answer(
    question: Open | Change | Collect, links: dict[str, Link], sent: list[Sent]
) -> Done:
    match question:
        case Open(name, upstream, conditions, carries_orders):
            link = Link(name, upstream, conditions, sent if carries_orders else None)
            await link.open()
            links[name] = link
            return Done(time.monotonic_ns(), port=link.port)
        case Change(name, conditions, cut):
            links[name].change(conditions)
            if cut:
                links[name].cut()
            return Done(time.monotonic_ns())
        case Collect():
            found = tuple(sent)
            sent.clear()
            return Done(time.monotonic_ns(), sent=found)


def main() -> None:
    """Serve until standard input ends."""
    # epoll rounds a wait up to whole milliseconds, which is the whole delay of a link to a store.
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()
