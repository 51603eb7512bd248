"""What can be done to a leader and to what it depends on, and how it is undone.

Lives here: the kinds of strikes, by the names that users give, and their hands: signals, links, the
store's server. Not here: when one is due, and what it cost (run).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.app.chaos.proxy import Conditions
from holdfast.app.chaos.site import Links, Node, Site
from holdfast.app.live.members import hand_over
from holdfast.config import load
from holdfast.errors import ConfigError

_SLOW_RTT_MS: Final = 400.0
_HANDOVER_S: Final = 30.0


class Strike(StrEnum):
    """One thing that goes wrong."""

    KILL = "kill"  # SIGKILL to all of the leader's processes
    KILL_SUPERVISOR = "kill supervisor"
    KILL_ACCOUNT = "kill account process"
    PAUSE = "pause"  # SIGSTOP to all of them, SIGCONT once another has gone on
    PAUSE_ACCOUNT = "pause account process"
    SILENT = "silent host"  # killed, and its links tell nobody
    STORE_CUT = "store cut off"
    STORE_DEAF = "store hears nothing"  # of this node; answers would get through
    STORE_MUTE = "store answers nothing"  # to this node; what it asks is done
    ALL_CUT = "node cut off"
    EXCHANGE_CUT = "exchange cut off"
    EXCHANGE_DEAF = "exchange hears nothing"
    EXCHANGE_MUTE = "exchange answers nothing"
    EXCHANGE_RESET = "exchange connections reset"
    STORE_RESTART = "store restarted"
    STORE_SLOW = "store slow"
    LEASES_CUT = "Redis cut off"  # from this node, which keeps its lease there
    LEASES_RESTART = "Redis restarted"  # gone for a while, and then it has forgotten everything
    CLOCK_AHEAD = "clock set ahead"  # of this node, by a minute
    CLOCK_BACK = "clock set back"
    HANDOVER = "handover"  # by plan, to the next node: what everything else is compared with

    @property
    def moves(self) -> bool:
        """Whether somebody else has to go on; after the others the leader may stay."""
        return self in _MOVING

    def explained(self, changes: int, *, is_hit: bool) -> int:
        """How many of so many changes of an account's leader it brought about.

        Args:
            is_hit: whether the node that was struck led the account.
        """
        if self in _OF_ALL_NODES:
            return changes
        return min(1, changes) if is_hit and self not in _HARMLESS else 0

    @property
    def strikes_one(self) -> bool:
        """Whether one account of the node is struck, and not all that it leads."""
        return self in {Strike.KILL_ACCOUNT, Strike.PAUSE_ACCOUNT, Strike.HANDOVER}

    @property
    def stops(self) -> bool:
        """Whether it stops a process in what it does, which goes on with it later."""
        return self in {Strike.PAUSE, Strike.PAUSE_ACCOUNT}

    @property
    def ends_processes(self) -> bool:
        """Whether something has to be started again afterwards."""
        return self in {Strike.KILL, Strike.KILL_SUPERVISOR, Strike.SILENT}

    @property
    def needs_link(self) -> bool:
        """Whether there must be a line to the store that can be struck."""
        return self in _OF_STORE

    @property
    def needs_leases(self) -> bool:
        """Whether leases must be in a Redis of ours."""
        return self in _OF_LEASES


_MOVING: Final = frozenset({
    Strike.KILL, Strike.KILL_SUPERVISOR, Strike.KILL_ACCOUNT, Strike.PAUSE, Strike.PAUSE_ACCOUNT,
    Strike.SILENT, Strike.STORE_CUT, Strike.STORE_DEAF, Strike.STORE_MUTE, Strike.ALL_CUT,
    Strike.LEASES_CUT, Strike.HANDOVER,
})  # fmt: skip
_HARMLESS: Final = frozenset({Strike.CLOCK_AHEAD, Strike.CLOCK_BACK, Strike.EXCHANGE_RESET})
_OF_ALL_NODES: Final = frozenset({Strike.STORE_RESTART, Strike.LEASES_RESTART})
_OF_LEASES: Final = frozenset({Strike.LEASES_CUT, Strike.LEASES_RESTART})
_OF_STORE: Final = frozenset({
    Strike.STORE_CUT, Strike.STORE_DEAF, Strike.STORE_MUTE, Strike.ALL_CUT, Strike.STORE_RESTART,
    Strike.STORE_SLOW,
})  # fmt: skip

def _held(usual: Conditions, *, up: bool = True, down: bool = True) -> Conditions:
    return msgspec.structs.replace(usual, holds_up=up, holds_down=down)


_USUAL: Final = Links()
_LINKS: Final = {
    Strike.STORE_CUT: Links(store=_held(_USUAL.store)),
    Strike.STORE_DEAF: Links(store=_held(_USUAL.store, down=False)),
    Strike.STORE_MUTE: Links(store=_held(_USUAL.store, up=False)),
    Strike.ALL_CUT: Links(
        exchange=_held(_USUAL.exchange), store=_held(_USUAL.store), leases=_held(_USUAL.leases)
    ),
    Strike.LEASES_CUT: Links(leases=_held(_USUAL.leases)),
    Strike.EXCHANGE_CUT: Links(exchange=_held(_USUAL.exchange)),
    Strike.EXCHANGE_DEAF: Links(exchange=_held(_USUAL.exchange, down=False)),
    Strike.EXCHANGE_MUTE: Links(exchange=_held(_USUAL.exchange, up=False)),
}
_SIGNALS: Final = {
    Strike.KILL: signal.SIGKILL, Strike.KILL_SUPERVISOR: signal.SIGKILL,
    Strike.KILL_ACCOUNT: signal.SIGKILL, Strike.SILENT: signal.SIGKILL,
    Strike.PAUSE: signal.SIGSTOP, Strike.PAUSE_ACCOUNT: signal.SIGSTOP,
}  # fmt: skip

_JUMPS_S: Final = {Strike.CLOCK_AHEAD: 60.0, Strike.CLOCK_BACK: -60.0}

FAULTS: Final[dict[str, tuple[Strike, ...]]] = {
    "kill": (Strike.KILL,),
    "pause": (Strike.PAUSE,),
    "silent": (Strike.SILENT,),
    "partition": (
        Strike.STORE_CUT, Strike.STORE_DEAF, Strike.STORE_MUTE, Strike.ALL_CUT,
        Strike.EXCHANGE_CUT, Strike.EXCHANGE_DEAF, Strike.EXCHANGE_MUTE,
    ),
    "leases": (Strike.LEASES_CUT, Strike.LEASES_RESTART),
    "clock": (Strike.CLOCK_AHEAD, Strike.CLOCK_BACK),
    "handover": (Strike.HANDOVER,),
    "smoke": (
        Strike.PAUSE, Strike.SILENT, Strike.STORE_CUT, Strike.CLOCK_AHEAD, Strike.HANDOVER,
        Strike.STORE_RESTART, Strike.STORE_SLOW,
    ),
    "mixed": tuple(kind for kind in Strike if kind is not Strike.HANDOVER),
}  # fmt: skip
"""By the names of the command line."""


NOT_HERE: Final = (
    "suspend: needs a machine that may sleep",
)
"""What a mixed run does not try."""


class Struck(msgspec.Struct, frozen=True):
    """What was done, and when.

    Attributes:
        mono_ns, wall_ns: just before; the first on the clock of the proxy, the second on that of
            the journal.
        rest_ms: of a handover, from when the old leader had come to rest until the new one could
            arm; None of anything else.
    """

    strike: Strike
    node: Node
    mono_ns: int
    wall_ns: int
    rest_ms: float | None = None


class Able(msgspec.Struct, frozen=True, kw_only=True):
    """What a site has that strikes need.

    Attributes:
        has_server: the store's server is ours to crash.
        has_leases: leases are in a Redis, not beside the journal.
    """

    nodes: int
    has_store_link: bool
    has_server: bool
    has_leases: bool

    def lacks(self, strike: Strike) -> str:
        """What the strike needs beside this; empty where it can be made."""
        if strike.needs_link and not self.has_store_link:
            return "--store postgres"
        if strike.needs_leases and not self.has_leases:
            return "--leases redis"
        if strike is Strike.STORE_RESTART and not self.has_server:
            return "a server of the run's own, not that of DATABASE_URL"
        if self.nodes == 1 and strike.moves and not strike.ends_processes:
            return "--nodes 2"  # nobody is there to go on
        return ""


def possible(fault: str, able: Able) -> tuple[Strike, ...]:
    """The strikes of a name that this site can take, at least one.

    Raises:
        ConfigError: none.
    """
    found = tuple(strike for strike in FAULTS[fault] if not able.lacks(strike))
    if not found:
        needs = "; ".join(left_out(fault, able))
        raise ConfigError(
            f"seen: --fault {fault}, of which nothing can be done here; expected: {needs}; do: "
            "add that, or choose another --fault"
        )
    return found


def left_out(fault: str, able: Able) -> tuple[str, ...]:
    """What of a name this site cannot take and why, for people; may be empty."""
    kinds = [(kind, able.lacks(kind)) for kind in FAULTS[fault]]
    left = (f"{kind.value}: needs {what}" for kind, what in kinds if what)
    return (*left, *(NOT_HERE if fault == "mixed" else ()))


async def strike(
    site: Site, kind: Strike, node: Node, account: str, account_pid: int
) -> Struck:
    """Strike the node that leads.

    Args:
        account: that one process alone trades of it, where that is struck; `account_pid` is its.
    """
    if kind is Strike.SILENT:
        await node.link(_LINKS[Strike.ALL_CUT])
    mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
    if kind is Strike.HANDOVER:
        rest_ms = await asyncio.to_thread(_hand_over, site, node, account)
        return Struck(kind, node, mono_ns, wall_ns, rest_ms)
    if kind in _SIGNALS:
        _send(_target(kind, node, account_pid), _SIGNALS[kind])
    elif kind in _LINKS:
        await node.link(_LINKS[kind])
    elif kind is Strike.EXCHANGE_RESET:
        await node.link(Links(), cut=True)
    elif kind in _JUMPS_S:
        node.set_clock(_JUMPS_S[kind])
    elif kind is Strike.LEASES_RESTART:
        assert site.leases is not None  # noqa: S101 - see `possible`
        await asyncio.to_thread(site.leases.crash)
    elif kind is Strike.STORE_SLOW:
        for one in site.nodes:
            await one.link(Links(store=Conditions(delay_ms=_SLOW_RTT_MS / 2)))
    else:
        assert site.store.server is not None  # noqa: S101 - see `possible`
        await asyncio.to_thread(site.store.server.crash)
    return Struck(kind, node, mono_ns, wall_ns)


async def heal(site: Site, struck: Struck, account_pid: int) -> None:
    """Undo it; what has ended is started again."""
    node = struck.node
    match struck.strike:
        case Strike.PAUSE | Strike.PAUSE_ACCOUNT:
            _send(_target(struck.strike, node, account_pid), signal.SIGCONT)
        case Strike.STORE_RESTART:
            server = site.store.server
            assert server is not None  # noqa: S101 - it was crashed
            server.begin()
            await asyncio.to_thread(server.await_ready)
        case Strike.LEASES_RESTART:
            assert site.leases is not None  # noqa: S101 - it was crashed
            site.leases.begin()
            await asyncio.to_thread(site.leases.await_ready)
        case Strike.CLOCK_AHEAD | Strike.CLOCK_BACK:
            node.set_clock(0.0)
        case Strike.STORE_SLOW:
            for one in site.nodes:
                await one.link(Links())
        case _:
            pass
    if struck.strike.ends_processes:
        assert node.child is not None  # noqa: S101 - it was killed
        await node.child.kill()  # what a dead supervisor has left
        await node.link(Links(), cut=True)  # its connections are nobody's
        await node.start()
    elif node.links != Links():
        await node.link(Links())


def _hand_over(site: Site, leader: Node, account: str) -> float | None:
    """Move the account to the node after its leader, as the verb does."""
    others = [*site.nodes, *site.nodes]
    heir = others[others.index(leader) + 1]
    return hand_over(load(leader.config), account, heir.name, _HANDOVER_S).gap_ms


def _target(kind: Strike, node: Node, account_pid: int) -> int:
    """A process, or with a minus its whole group."""
    assert node.child is not None  # noqa: S101 - it runs
    match kind:
        case Strike.KILL_ACCOUNT | Strike.PAUSE_ACCOUNT:
            return account_pid
        case Strike.KILL_SUPERVISOR:
            return node.child.pid
        case _:
            return -node.child.pid


def _send(target: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(target, number)
