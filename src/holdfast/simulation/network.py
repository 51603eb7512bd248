"""The simulated network: connections between machines that are slow, cut, or silent.

A connection keeps the order of its bytes and loses none while it lives, as TCP does: loss on the
way is delay, a partition is a stall, and an end is a reset, a close, or nothing at all. Not here:
what is done to requests as a whole, which the exchange's own faults do.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import socket
from collections.abc import Callable
from typing import Any

from holdfast.simulation.clock import LIFE, WORLD, Life
from holdfast.simulation.loop import Handle, VirtualLoop
from holdfast.simulation.manners import Away, is_hasty, told_away

CONNECT_TIMEOUT_S = 30.0


def drawn_s(source: random.Random, mean_s: float) -> float:
    """A delay that is `mean_s` on average: to the last digit what `expovariate` draws."""
    return -math.log(1.0 - source.random()) / (1 / mean_s)


class Link:
    """The way between one machine and one service.

    Attributes:
        delay_s: one way, at least.
        jitter_s: on top, on average.
        there_blocked, back_blocked: nothing gets through in that direction.
        refuses, unresolved: how new connections fail, if they do.
    """

    def __init__(self, delay_s: float = 0.002, jitter_s: float = 0.0005) -> None:
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.there_blocked = False
        self.back_blocked = False
        self.refuses = False
        self.unresolved = False
        self.pipes: set[Pipe] = set()

    def block(self, *, there: bool, back: bool) -> None:
        """Let nothing through in these directions."""
        self.there_blocked, self.back_blocked = there, back

    def heal(self) -> None:
        """Let everything through; what was held up arrives now."""
        self.there_blocked = self.back_blocked = self.refuses = self.unresolved = False
        for pipe in sorted(self.pipes, key=lambda pipe: pipe.number):
            pipe.flush()

    def reset_all(self) -> None:
        """Every connection on it ends with a reset on both sides."""
        for pipe in sorted(self.pipes, key=lambda pipe: pipe.number):
            pipe.to.break_off(ConnectionResetError("the network reset the connection"))


class Pipe:
    """One direction of a connection."""

    def __init__(
        self, network: Network, link: Link, number: int, *, is_there: bool, to: SimTransport
    ) -> None:
        self.network = network
        # Its own: who closes several connections at once may do so in any order.
        self._random = random.Random(f"{network.seed} {number}")
        self._link = link
        self._is_there = is_there
        self._held: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._last_s = 0.0
        self.to = to
        self.number = number
        link.pipes.add(self)

    @property
    def is_blocked(self) -> bool:
        """Whether nothing gets through."""
        return self._link.there_blocked if self._is_there else self._link.back_blocked

    def carry(self, arrive: Callable[..., object], *args: Any) -> None:
        """Let something arrive at the other end, after all that was carried before."""
        if self.is_blocked or self._held:
            self._held.append((arrive, args))
            return
        link = self._link
        delay_s = link.delay_s
        if link.jitter_s:
            delay_s += drawn_s(self._random, link.jitter_s)
        self._last_s = max(self._last_s, WORLD.now_s + delay_s)
        self.network.loop.call_at_world(self._last_s, self.to.context, arrive, *args)

    def flush(self) -> None:
        """Carry what was held up."""
        held, self._held = self._held, []
        for arrive, args in held:
            self.carry(arrive, *args)

    def end(self) -> None:
        """Nothing more goes this way."""
        self._link.pipes.discard(self)


class SimTransport(asyncio.Transport):
    """One end of a connection.

    Attributes:
        context: whose code its protocol is.
        peer: the other end.
    """

    def __init__(
        self, loop: VirtualLoop, context: contextvars.Context, extra: dict[str, Any]
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self.context = context
        self.life: Life | None = context.get(LIFE)
        self.protocol: Any = None
        self.pipe: Pipe  # from here to the peer
        self.peer: SimTransport
        self._opened_s = WORLD.now_s
        self._closing = False
        self._lost = False
        self._reading = True
        self._unread: list[bytes] = []
        self._ended = False

    # -- for protocols -----------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send; nothing leaves a process that is dead."""
        if self._closing or (self.life is not None and self.life.is_dead):
            return
        if self.life is not None and self.life.paused_until_s > WORLD.now_s:
            # It was stopped within the step that sends: the bytes leave when it goes on.
            self.life.held.append(Handle(self.write, (bytes(data),), self.context))
            return
        if self.life is not None and self.life.away is not None:
            self._mind(self.life, self.life.away, data)
        self.pipe.carry(self.peer.arrive, bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        """Send all of it."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Close after what was sent; the other side reads the end."""
        if not self._closing:
            self._closing = True
            if self.life is None or not self.life.is_dead:
                self.pipe.carry(self.peer.arrive_end)
            self._loop.call_soon(self._lose, None, context=self.context)

    def abort(self) -> None:
        """Reset the connection."""
        if not self._lost:
            self._closing = True
            if self.life is None or not self.life.is_dead:
                self.pipe.carry(
                    self.peer.break_off, ConnectionResetError("reset by the other side")
                )
            self._loop.call_soon(self._lose, None, context=self.context)

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 65_536

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._read_on, context=self.context)

    # -- for the network ---------------------------------------------------------------------------

    def arrive(self, data: bytes) -> None:
        """Bytes from the other side."""
        if self._closing:
            return
        if not self._reading:
            self._unread.append(data)
            return
        if self.life is not None and (away := told_away(data, WORLD.now_s)) is not None:
            self.life.away = away
        self.protocol.data_received(data)

    def _mind(self, life: Life, away: Away, data: bytes) -> None:
        """Whether a process sends what it was told not to, on a line that was there by then."""
        if self._opened_s >= away.since_s or life.paused_until_s > away.since_s:
            return
        if is_hasty(data, away, WORLD.now_s):
            path, early_s = data.partition(b"?")[0][:40].decode(), away.until_s - WORLD.now_s
            self.pipe.network.on_hasty(f"{life.machine.name}: {path} {early_s:.3f} s too early")

    def arrive_end(self) -> None:
        """The other side closed."""
        self._ended = True
        if self._reading and not self._closing and not self.protocol.eof_received():
            self.close()

    def _read_on(self) -> None:
        while self._unread and self._reading and not self._closing:
            self.protocol.data_received(self._unread.pop(0))
        if self._ended and self._reading:
            self.arrive_end()

    def break_off(self, error: Exception | None) -> None:
        """The connection is gone, without this side's doing."""
        if not self._lost:
            self._closing = True
            self._loop.call_soon(self._lose, error, context=self.context)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self.pipe.end()
            self.protocol.connection_lost(error)


class Network:
    """Every link and every door.

    Attributes:
        on_hasty: told of a request of a process that had been told to stay away.
    """

    def __init__(self, loop: VirtualLoop, seed: int) -> None:
        self.loop = loop
        self.seed = seed
        self._doors: dict[tuple[str, int], tuple[Callable[[], Any], contextvars.Context]] = {}
        self._links: dict[str, Link] = {}
        self._numbers = 0
        self.on_hasty: Callable[[str], object] = lambda _what: None
        loop.connect = self.connect

    def listen(self, host: str, port: int, factory: Callable[[], Any]) -> None:
        """Let connections to that address reach protocols made here."""
        self._doors[host, port] = (factory, contextvars.copy_context())

    def link(self, machine: str) -> Link:
        """The way between a machine and the exchange."""
        return self._links.setdefault(machine, Link())

    def addresses(self) -> list[str]:
        """Of all machines, as the exchange sees them."""
        return sorted(_address(name) for name in self._links)

    async def connect(
        self, factory: Callable[[], Any], host: str, port: int
    ) -> tuple[SimTransport, Any]:
        """Open a connection, as whoever asks."""
        life = LIFE.get()
        name = "world" if life is None else life.machine.name
        link = self.link(name)
        if link.unresolved:
            raise socket.gaierror(socket.EAI_AGAIN, "the name cannot be resolved")
        begun_s = WORLD.now_s
        while link.there_blocked or link.back_blocked:
            await asyncio.sleep(0.2)
            if WORLD.now_s - begun_s > CONNECT_TIMEOUT_S:
                raise TimeoutError("the connection timed out")
        await asyncio.sleep(2 * link.delay_s)
        door = self._doors.get((host, port))
        if door is None or link.refuses:
            raise ConnectionRefusedError(111, "connection refused")
        make, door_context = door
        self._numbers += 1
        address = (_address(name), 10_000 + self._numbers % 50_000)
        here = SimTransport(
            self.loop, contextvars.copy_context(), {"peername": (host, port), "sockname": address}
        )
        there = SimTransport(
            self.loop, door_context.copy(), {"peername": address, "sockname": (host, port)}
        )
        here.peer, there.peer = there, here
        here.pipe = Pipe(self, link, 2 * self._numbers, is_there=True, to=there)
        there.pipe = Pipe(self, link, 2 * self._numbers + 1, is_there=False, to=here)
        if life is not None:
            life.on_death.append(lambda: self._bereaved(life, here))
        there.protocol = there.context.run(make)
        there.context.run(there.protocol.connection_made, there)
        here.protocol = factory()
        here.protocol.connection_made(here)
        return here, here.protocol

    def _bereaved(self, life: Life, here: SimTransport) -> None:
        """A process ended: its system resets its connections, unless that ended as well."""
        here.pipe.end()
        if not life.quiet_on_death:
            self.loop.call_at_world(
                WORLD.now_s + 0.001,
                here.peer.context,
                here.peer.break_off,
                ConnectionResetError("the process ended"),
            )


def _address(machine: str) -> str:
    return f"10.0.0.{1 + sum(machine.encode()) % 250}"
