"""Commands of users to the leaders of accounts, asked for and audited in one transaction.

Not here: what a command does (engine, app.live).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from holdfast.api.ports import Given, NotThereError
from holdfast.api.shapes.commands import Command, CommandState
from holdfast.api.times import moment_of
from holdfast.app.live.given import give
from holdfast.app.live.members import hand_over
from holdfast.config import Config
from holdfast.domain.platform import CommandGiven
from holdfast.errors import ConfigError, RejectedError, UnreachableError
from holdfast.journal.database import Database
from holdfast.platform.identity.values import Principal
from holdfast.platform.port import Change, Look, PlatformStore
from holdfast.telemetry import trace

LOOK_S: Final = 0.02

_FIND: Final = """
    SELECT c.id, c.account, c.name, c.arguments, c."by", c.at_ns, t.seq FROM command c
    LEFT JOIN command_taken t ON t.account = c.account AND t.command_id = c.id WHERE c.id = ?
"""


class JournalCommands:
    """The `Commands` of an installation.

    Args:
        store: in the journal's own database, so that a command and its audit are one.
        now_ns: the clock that commands are stamped with; for people.
    """

    def __init__(
        self,
        database: Database,
        store: PlatformStore,
        config: Config,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._database = database
        self._store = store
        self._config = config
        self._now_ns = now_ns

    async def give(
        self, who: Principal, given: Sequence[Given], request_id: str, wait_s: float
    ) -> tuple[Command, ...]:
        """Ask for them all, and wait until they took effect or `wait_s` has passed."""
        await asyncio.to_thread(self._ask, who, given, request_id)
        deadline_s = time.monotonic() + wait_s
        while True:
            found = await asyncio.to_thread(self._look, [one.command_id for one in given])
            waiting = any(one.state is CommandState.WAITING for one in found)
            if not waiting or time.monotonic() >= deadline_s:
                return found
            await asyncio.sleep(LOOK_S)

    async def find(self, who: Principal, command_id: str) -> Command:
        """One that was asked for."""
        row = await asyncio.to_thread(
            self._store.look, lambda look: look.row(_FIND, command_id)
        )
        told = msgspec.json.decode(row[3] or "{}", type=dict[str, str]) if row else {}
        if row is None or not who.owns(row[1], told.get("bot", "")):
            raise NotThereError("command", "seen: no such command that you may see")
        return await asyncio.to_thread(self._shown, row)

    async def hand_over(
        self, who: Principal, account: str, node: str, request_id: str, wait_s: float
    ) -> Command:
        """Move an account to a node; it leads there when this returns."""
        command_id = f"handover-{request_id}"
        arguments = msgspec.json.encode({"node": node}).decode()
        noted = CommandGiven(
            by=who.actor, user_id=who.user_id, command_id=command_id, account=account,
            name="handover", arguments=arguments, request_id=request_id,
        )  # fmt: skip
        await asyncio.to_thread(self._store.change, lambda change: change.note(noted))
        asked_ns = self._now_ns()
        try:
            done = await asyncio.to_thread(hand_over, self._config, account, node, wait_s)
        except ConfigError as error:
            raise RejectedError("not_possible", str(error)) from error
        except UnreachableError as error:
            raise RejectedError("not_led", str(error)) from error
        return Command(
            command_id=command_id, account=account, name="handover", state=CommandState.TAKEN,
            seq=done.seq, by=who.actor, asked_at=moment_of(asked_ns),
        )  # fmt: skip

    def _ask(self, who: Principal, given: Sequence[Given], request_id: str) -> None:
        now_ns = self._now_ns()

        def ask(change: Change) -> None:
            for one in given:
                text = msgspec.json.encode(dict(one.arguments), order="sorted").decode()
                noted = CommandGiven(
                    by=who.actor, user_id=who.user_id, command_id=one.command_id,
                    account=one.account, name=one.name, arguments=text, request_id=request_id,
                )  # fmt: skip
                give(change, noted, who.actor, now_ns)

        self._store.change(ask)
        _trace(given, request_id)

    def _look(self, command_ids: Sequence[str]) -> tuple[Command, ...]:
        def rows(look: Look) -> list[Any]:
            return [look.row(_FIND, command_id) for command_id in command_ids]

        return tuple(self._shown(row) for row in self._store.look(rows))

    def _shown(self, row: tuple[Any, ...]) -> Command:
        command_id, account, name, _, by, at_ns, seq = row
        refused = "" if seq is None else self._refused(account, int(seq))
        state = CommandState.TAKEN if seq is not None else CommandState.WAITING
        return Command(
            command_id=command_id, account=account, name=name, seq=seq, by=by,
            state=CommandState.REFUSED if refused else state, reason=refused,
            asked_at=moment_of(int(at_ns)),
        )  # fmt: skip

    def _refused(self, account: str, seq: int) -> str:
        """Why the leader said no, in the record in which it took the command; empty if it did."""
        records = self._database.read(account, seq - 1)
        try:
            return str(getattr(next(records).fact, "refused", ""))
        finally:
            records.close()  # type: ignore[attr-defined]


def _trace(given: Sequence[Given], request_id: str) -> None:
    """A span in the request's trace for each command, linked to where a leader takes it."""
    traces = trace.active()
    if traces is None:
        return
    request, now_ns = trace.of_request(request_id), time.monotonic_ns()
    for one in given:
        place = trace.Place(request.trace_id, trace.span_of("give", one.command_id))
        about = {"holdfast.command": one.command_id, "holdfast.account": one.account}
        link = trace.of_command(one.command_id)
        stretch = trace.Stretch(f"give {one.name}", now_ns, now_ns, about, links=(link,))
        traces.tell(place, stretch, parent=request)
