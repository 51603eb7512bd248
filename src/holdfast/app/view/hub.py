"""Fan-out: a message is encoded once, and its bytes are given to everybody who listens to it.

Lives here: channels, what each remembers, and readers with bounded patience. Not here: what
messages say (events), who may listen to which channel (feeds).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile
from typing import Final, NamedTuple

import msgspec

from holdfast.api.ports import Frame, SlowReaderError

MOST_BYTES: Final = 1 << 20
"""Of frames that wait for one reader; one that is slower is let go, with the reason."""
WOKEN_AT_ONCE: Final = 32
"""Readers in one turn of the loop: a thousand would have every request wait for all of them."""
MOST_REMEMBERED: Final = 2048
"""Events of a channel that a reader can come back to without the journal being read."""


class Channel(NamedTuple):
    """What can be listened to.

    Attributes:
        account, bot: whose; empty of everybody's, and of all bots of the account.
    """

    topic: str
    account: str = ""
    bot: str = ""


class Said(msgspec.Struct, frozen=True, gc=False):
    """One event, encoded, with its place in the journal and the bot that it is about, if any."""

    seq: int
    body: bytes
    bot: str = ""


class Memory:
    """The last events of a channel.

    Attributes:
        since: all that came after this record is remembered.
    """

    def __init__(self, since: int, most: int = MOST_REMEMBERED) -> None:
        self.since = since
        self._most = most
        self._said: deque[Said] = deque()

    def add(self, said: Iterable[Said]) -> None:
        """Remember, and forget the oldest."""
        self._said.extend(said)
        while len(self._said) > self._most:
            self.since = self._said.popleft().seq

    def after(self, seq: int) -> list[Said] | None:
        """What was said after a record; None when that is not remembered any more."""
        if seq < self.since:
            return None
        found = takewhile(lambda one: one.seq > seq, reversed(self._said))
        return list(found)[::-1]


class Reader:
    """One listener. Frames that only the newest counts of replace each other while they wait.

    Attributes:
        positions: by account, what it has reached with the frames that it took.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._waiting: deque[Frame] = deque()
        self._latest: dict[Channel, Frame] = {}
        self._bytes = 0
        self._is_slow = False
        self._woken: asyncio.Future[None] | None = None
        self.positions: dict[str, int] = {}

    def put(self, frame: Frame) -> None:
        """Give it a frame, for when it is woken; one too many ends it."""
        if self._is_slow:
            return
        self._bytes += len(frame.body)
        if self._bytes > self._most_bytes:
            self._is_slow = True
            self._waiting.clear()
            self._latest.clear()
        else:
            self._waiting.append(frame)

    def put_latest(self, channel: Channel, frame: Frame) -> None:
        """Give it a frame that says all there is to say of its channel."""
        if not self._is_slow:
            self._latest[channel] = frame

    async def take(self) -> list[Frame]:
        """All that waits, in order; waits for the first.

        Raises:
            SlowReaderError: it did not come for too long.
        """
        while not (self._waiting or self._latest or self._is_slow):
            self._woken = asyncio.get_running_loop().create_future()
            await self._woken
        if self._is_slow:
            raise SlowReaderError
        frames = [*self._waiting, *self._latest.values()]
        self._waiting.clear()
        self._latest.clear()
        self._bytes = 0
        for frame in frames:
            if frame.seq:
                self.positions[frame.account] = max(
                    frame.seq, self.positions.get(frame.account, 0)
                )
        return frames

    def wake(self) -> None:
        """Have it take what waits."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)


class Hub:
    """Who listens to which channel."""

    def __init__(self) -> None:
        self._readers: dict[Channel, set[Reader]] = {}
        self._latest: dict[Channel, Frame] = {}
        self._asleep: deque[Reader] = deque()

    def __len__(self) -> int:
        return len({reader for readers in self._readers.values() for reader in readers})

    def join(self, reader: Reader, channels: Iterable[Channel]) -> None:
        """Listen; what only the newest counts of is given at once."""
        for channel in channels:
            self._readers.setdefault(channel, set()).add(reader)
            if channel in self._latest:
                reader.put_latest(channel, self._latest[channel])
                self._wake((reader,))

    def leave(self, reader: Reader) -> None:
        """Listen no more. May be called twice."""
        for channel in [c for c, readers in self._readers.items() if reader in readers]:
            readers = self._readers[channel]
            readers.discard(reader)
            if not readers:
                del self._readers[channel]

    def channels(self, topic: str, account: str) -> Iterator[Channel]:
        """Those that somebody listens to."""
        return (c for c in self._readers if c.topic == topic and c.account == account)

    def readers(self, channel: Channel) -> AbstractSet[Reader]:
        """Who listens to a channel."""
        return self._readers.get(channel, frozenset())

    def listens(self, channel: Channel) -> bool:
        """Whether anybody does."""
        return channel in self._readers

    def send(self, channel: Channel, frame: Frame) -> None:
        """Give a frame to everybody who listens."""
        readers = self._readers.get(channel, ())
        for reader in readers:
            reader.put(frame)
        self._wake(readers)

    def send_batch(
        self, parts: Sequence[tuple[Channel, Sequence[Said]]], before: int, reached: int
    ) -> None:
        """Give everybody what he listens to of one batch of an account's records.

        A position is of an account, whatever the channel: only the last message that a reader gets
        of the batch carries `reached`, and those ahead of it carry `before`. Who breaks off in
        between hears some of it twice, and none of it never.
        """
        last = {
            reader: at
            for at, (channel, _) in enumerate(parts)
            for reader in self._readers.get(channel, ())
        }
        for at, (channel, said) in enumerate(parts):
            frames: dict[int, Frame] = {}
            for reader in self._readers.get(channel, ()):
                seq = reached if last[reader] == at else before
                if seq not in frames:
                    frames[seq] = frame_of(channel.topic, channel.account, said, seq)
                reader.put(frames[seq])
        self._wake(last)

    def tell(self, readers: Iterable[Reader], frame: Frame) -> None:
        """Give a frame to some readers, whatever they listen to."""
        told = list(readers)
        for reader in told:
            reader.put(frame)
        self._wake(told)

    def send_latest(self, channel: Channel, frame: Frame) -> None:
        """The same with what only the newest counts of; who joins later gets it as well."""
        self._latest[channel] = frame
        readers = self._readers.get(channel, ())
        for reader in readers:
            reader.put_latest(channel, frame)
        self._wake(readers)

    def _wake(self, readers: Iterable[Reader]) -> None:
        is_under_way = bool(self._asleep)
        self._asleep.extend(readers)
        if not is_under_way:
            self._wake_some()

    def _wake_some(self) -> None:
        for _ in range(min(WOKEN_AT_ONCE, len(self._asleep))):
            self._asleep.popleft().wake()
        if self._asleep:
            asyncio.get_running_loop().call_soon(self._wake_some)


def frame_of(topic: str, account: str, said: Sequence[Said], seq: int) -> Frame:
    """Events of one topic and account as one message, with which the position `seq` is reached."""
    head = f'{{"topic":"{topic}","account":"{account}","seq":{seq},"events":['.encode()
    return Frame(topic, account, seq, head + b",".join(one.body for one in said) + b"]}")
