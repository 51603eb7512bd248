"""A thousand people at once, in a process of their own: each asks once a second on average, whether
or not he was answered, and follows prices over a socket.

Told what to do by one line on its input, it says in a line when it begins to count (seconds, UTC),
and in another what happened. Not here: what stands behind the addresses (`users`).
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections import Counter
from datetime import UTC, datetime

import msgspec

SEED = 11
COMING_S = 8.0
"""They do not come in the same moment; this is shorter than the time before it counts."""
ANSWER_TIMEOUT_S = 20.0
MIX = (
    ("/api/v1/overview", 25), ("/api/v1/positions", 15), ("/api/v1/bots", 15),
    ("/api/v1/orders?limit=50", 15), ("/api/v1/prices", 10), ("/api/v1/fills?limit=50", 5),
    ("/api/v1/balances", 5), ("/api/v1/equity?points=200", 5), ("/api/v1/me", 5),
)  # fmt: skip
"""What is asked, and how often of a hundred times: the dashboard's pages as they are opened."""
_AT = re.compile(rb'"at":"([^"]+)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Task(msgspec.Struct, frozen=True):
    """What to do.

    Attributes:
        urls: of equal processes, over which people are spread.
        tokens: one of each person.
        warm_s, for_s: how long it goes on before it counts, and how long it counts.
    """

    urls: list[str]
    tokens: list[str]
    warm_s: float
    for_s: float


class Told(msgspec.Struct):
    """What happened while it counted.

    Attributes:
        took_ms: of each answer, from when the question was due to the answer's last byte.
        by_path: the same by what was asked.
        late_ms: how late prices came, from when they were told to when they were read.
        errors: what went wrong, and how often.
        heard: messages about prices.
        lag_ms: how late this process itself was with each question.
    """

    took_ms: list[float] = []
    by_path: dict[str, list[float]] = {}
    late_ms: list[float] = []
    errors: dict[str, int] = {}
    heard: int = 0
    lag_ms: list[float] = []


class _Crowd:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.told = Told()
        self.errors: Counter[str] = Counter()
        self.counts_from_s = self.ends_s = float("inf")

    @property
    def counts(self) -> bool:
        """Whether what happens now is counted."""
        return self.counts_from_s <= asyncio.get_running_loop().time() < self.ends_s

    async def run(self) -> Told:
        now_s = asyncio.get_running_loop().time()
        self.counts_from_s = now_s + self.task.warm_s
        self.ends_s = self.counts_from_s + self.task.for_s
        sys.stdout.buffer.write(msgspec.json.encode(time.time() + self.task.warm_s) + b"\n")
        sys.stdout.buffer.flush()
        people = list(enumerate(self.task.tokens))
        await asyncio.gather(
            *(self._asks(number, token) for number, token in people),
            *(self._follows(number, token) for number, token in people),
        )
        self.told.errors = dict(self.errors)
        return self.told

    async def _open(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to one of the processes."""
        url = self.task.urls[number % len(self.task.urls)]
        host, port = url.removeprefix("http://").split(":")
        return await asyncio.open_connection(host, int(port))

    # -- questions ---------------------------------------------------------------------------------

    async def _asks(self, number: int, token: str) -> None:
        """Independently of answers: a question that waits for the one before is late already."""
        chance, loop = random.Random(f"{SEED} {number}"), asyncio.get_running_loop()
        paths, weights = zip(*MIX, strict=True)
        due_s = loop.time() + chance.random() * COMING_S
        reader, writer = await self._open(number)
        while due_s < self.ends_s:
            idle_s = due_s - loop.time()
            if idle_s > 0:
                await asyncio.sleep(idle_s)
                if self.counts:
                    self.told.lag_ms.append((loop.time() - due_s) * 1e3)
            (path,) = chance.choices(paths, weights)
            head = (
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: Bearer {token}\r\n\r\n"
            )
            writer.write(head.encode())
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    status = await _answer(reader)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                self.errors[type(error).__name__] += 1
                break
            if status != b"200":
                self.errors[f"{path} {status.decode()}"] += 1
            if self.counts_from_s <= due_s < self.ends_s:
                took_ms = (loop.time() - due_s) * 1e3
                self.told.took_ms.append(took_ms)
                self.told.by_path.setdefault(path, []).append(took_ms)
            due_s += chance.expovariate(1)
        writer.close()

    # -- prices ------------------------------------------------------------------------------------

    async def _socket(
        self, number: int, token: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self._open(number)
        writer.write(
            b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        hello = {"type": "auth", "token": token, "topics": ["prices"]}
        writer.write(_frame(msgspec.json.encode(hello)))
        return reader, writer

    async def _follows(self, number: int, token: str) -> None:
        await asyncio.sleep(random.Random(f"{number} {SEED}").random() * COMING_S)
        reader, writer = await self._socket(number, token)
        try:
            async with asyncio.timeout_at(self.ends_s):
                while True:
                    await self._hear(reader, writer)
        except TimeoutError:
            pass
        except (OSError, asyncio.IncompleteReadError) as error:
            self.errors[f"socket {type(error).__name__}"] += 1
        writer.close()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One message; the server's are never masked, and ours are never in parts."""
        head = await reader.readexactly(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
        body = await reader.readexactly(size)
        kind = head[0] & 15
        if kind == 8:
            self.errors[f"socket closed {int.from_bytes(body[:2])}"] += 1
            raise ConnectionResetError
        if kind == 9:
            writer.write(_frame(body, 10))
        elif self.counts and body.startswith(b'{"topic":"prices"'):
            found = _AT.search(body)
            assert found is not None, body
            told_at = datetime.fromisoformat(found[1].decode())
            self.told.heard += 1
            self.told.late_ms.append((datetime.now(UTC) - told_at).total_seconds() * 1e3)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The status of the next answer, once all of it is there."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is not None:
        await reader.readexactly(int(length[1]))
    return head[9:12]


def _frame(body: bytes, kind: int = 1) -> bytes:
    """A whole message of a client, masked with zeros."""
    size = len(body)
    long = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes([0x80 | kind]) + long + bytes(4) + body


def main() -> None:
    """Do what the input says, once."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    told = asyncio.run(_Crowd(task).run())
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    main()
