"""What a person may do to the demo: kill, pause, lose a reply, halt and resume.

The hands on the node are those of anybody on the machine: signals, the exchange's admin routes, and
the commands every operator has. Not here: which key does what (terminal).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

import msgspec

from holdfast.app.demo.admin import Admin
from holdfast.app.demo.home import ACCOUNT, Home
from holdfast.app.demo.nodes import Nodes
from holdfast.app.demo.plan import Plan
from holdfast.app.demo.replica import Replica
from holdfast.journal.commands import SqliteCommands

PAUSE_S = 3.0
BY = "demo"
AT_KEYBOARD = "halted at the keyboard"


class Control:
    """Acts on one running demo.

    Attributes:
        ending: why entries are halted at its end; the next start lifts that halt.
        struck_ns: when the leader was killed, until the next one takes over; else 0.
        paused_until_s: monotonic; 0 when it is not paused.
    """

    def __init__(
        self, home: Home[Plan], replica: Replica, admin: Admin, nodes: Nodes
    ) -> None:
        self._home = home
        self._nodes = nodes
        self.ending = f"the {home.plan.kind} is ending"
        self._replica = replica
        self._admin = admin
        self._killed_boot = ""
        self._killed_ns = 0
        self._paused_pid = 0
        self._waking: asyncio.Task[None] | None = None
        self.paused_until_s = 0.0

    @property
    def struck_ns(self) -> int:
        """When the leader was killed, until the next one takes over; else 0."""
        leader = self._replica.leader
        is_down = leader is not None and leader.boot_id == self._killed_boot
        return self._killed_ns if is_down else 0

    def kill_leader(self) -> str:
        """SIGKILL to the node that leads; a lone one loses only the process that trades."""
        leader = self._replica.leader
        if leader is None or self.struck_ns:
            return "no leader to kill yet"
        at_ns = time.time_ns()
        struck = self._strike(leader.pid, signal.SIGKILL)
        if not struck:
            return "the leader is already gone"
        self._killed_boot, self._killed_ns = leader.boot_id, at_ns
        self._paused_pid, self.paused_until_s = 0, 0.0
        self._replica.note_fault(at_ns)
        return f"killed the leader ({struck}, SIGKILL)"

    def pause_leader(self) -> str:
        """SIGSTOP to the leader, and SIGCONT after `PAUSE_S`; a standby goes on meanwhile."""
        leader = self._replica.leader
        if leader is None or self.struck_ns or self._paused_pid:
            return "no leader to pause now"
        at_ns = time.time_ns()
        struck = self._strike(leader.pid, signal.SIGSTOP)
        if not struck:
            return "the leader is already gone"
        if self._nodes.has_standby:
            self._replica.note_fault(at_ns)
        self._paused_pid = leader.pid
        self.paused_until_s = time.monotonic() + PAUSE_S
        self._waking = asyncio.create_task(self._wake_later())
        return f"paused the leader for {PAUSE_S:.0f} s ({struck}, SIGSTOP)"

    def _strike(self, pid: int, number: signal.Signals) -> str:
        """Send the leader a signal; what was struck, for people, and nothing when it is gone."""
        seat = self._nodes.of(pid)
        if seat is None:
            return ""
        if self._nodes.has_standby:
            seat.strike(number)
            return seat.name
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return ""
        return f"process {pid}"

    async def _wake_later(self) -> None:
        await asyncio.sleep(PAUSE_S)
        self.wake_leader()

    def wake_leader(self) -> None:
        """SIGCONT, if it is paused."""
        if self._paused_pid:
            self._strike(self._paused_pid, signal.SIGCONT)
        self._paused_pid, self.paused_until_s = 0, 0.0

    async def lose_reply(self) -> str:
        """The next order is carried out, and nobody hears of it."""
        await self._admin.lose_next_reply()
        return "the reply to the next order will be lost"

    def toggle_halt(self) -> str:
        """Halt the account's entries, or lift the halt, by an operator's command."""
        if self._replica.state.halted:
            self.command("resume", "")
            return "asked to resume"
        self.command("halt", AT_KEYBOARD)
        return "asked to halt entries"

    def command(self, name: str, reason: str) -> None:
        """Write an operator's command; the leader takes it within a moment."""
        commands = SqliteCommands(self._home.journal)
        try:
            arguments = msgspec.json.encode({"reason": reason}).decode() if reason else ""
            commands.submit(ACCOUNT, name, arguments, BY)
        finally:
            commands.close()

    def close(self) -> None:
        """Leave nothing paused."""
        if self._waking is not None:
            self._waking.cancel()
        self.wake_leader()
