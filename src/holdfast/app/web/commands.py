"""Commands of users to the leaders of accounts, asked for and audited in one transaction.

Not here: what a command does (engine, app.live).
"""

from __future__ import annotations

import asyncio
import time
import uuid
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
from holdfast.platform.requests.store import ABANDONED_NS, KEPT_NS
from holdfast.telemetry import trace

LOOK_S: Final = 0.02

REPEATED_NS: Final = KEPT_NS - ABANDONED_NS
"""Since a command was given by a key: a key is forgotten a week after its request began, which was
not longer before the command than a request may take."""

_AGAIN: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "again.commands.holdfast")

_FIND: Final = """
    SELECT c.id, c.account, c.name, c.arguments, c."by", c.at_ns, t.seq FROM command c
    LEFT JOIN command_taken t ON t.account = c.account AND t.command_id = c.id WHERE c.id = ?
"""


class _CrossedError(Exception):
    """An id was free a moment ago, and is another request's now."""


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
        command_ids = await asyncio.to_thread(self._ask, who, given, request_id)
        deadline_s = time.monotonic() + wait_s
        while True:
            found = await asyncio.to_thread(self._look, command_ids)
            waiting = any(one.state is CommandState.WAITING for one in found)
            if not waiting or time.monotonic() >= deadline_s:
                return found
            await asyncio.sleep(LOOK_S)

    async def find(self, who: Principal, command_id: str) -> Command:
        """One that was asked for."""
        row = await asyncio.to_thread(
            self._store.look, lambda look: look.row(_FIND, command_id)
        )
        if row is None or not who.owns(row[1], _bot_in(row[3])):
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

    def _ask(self, who: Principal, given: Sequence[Given], request_id: str) -> list[str]:
        """Ask for what was not asked for yet; the ids of all of them, in order."""
        now_ns = self._now_ns()
        while True:
            meant = self._meant(given, now_ns)
            new = [one for one, is_new in meant if is_new]

            def ask(change: Change, new: Sequence[Given] = new) -> None:
                for one in new:
                    noted = CommandGiven(
                        by=who.actor, user_id=who.user_id, command_id=one.command_id,
                        account=one.account, name=one.name, arguments=_text(one),
                        request_id=request_id,
                    )  # fmt: skip
                    if not give(change, noted, who.actor, now_ns) and one.by_key:
                        raise _CrossedError  # a request that was given up may still be writing

            try:
                if new:
                    self._store.change(ask)
            except _CrossedError:
                continue
            _trace(new, request_id)
            return [one.command_id for one, _ in meant]

    def _meant(self, given: Sequence[Given], now_ns: int) -> list[tuple[Given, bool]]:
        """The commands under the ids that they are to have, and whether each may be new."""
        keyed = [one.command_id for one in given if one.by_key]
        newest = iter(self._store.look(lambda look: [_newest(look, each) for each in keyed]))
        meant: list[tuple[Given, bool]] = []
        for one in given:
            number, row = next(newest) if one.by_key else (0, None)
            is_new = row is None or not self._is_repeated(one, row, now_ns)
            command_id = _numbered(one.command_id, number + (row is not None and is_new))
            meant.append((msgspec.structs.replace(one, command_id=command_id), is_new))
        return meant

    def _is_repeated(self, one: Given, row: tuple[Any, ...], now_ns: int) -> bool:
        """Whether `row` was asked for by the same request, and was not refused."""
        _, _, name, arguments, _, at_ns, seq = row
        if (name, arguments) != (one.name, _text(one)) or now_ns - int(at_ns) > REPEATED_NS:
            return False
        return seq is None or not self._refused(one.account, int(seq))

    def _look(self, command_ids: Sequence[str]) -> tuple[Command, ...]:
        def rows(look: Look) -> list[Any]:
            return [look.row(_FIND, command_id) for command_id in command_ids]

        return tuple(self._shown(row) for row in self._store.look(rows))

    def _shown(self, row: tuple[Any, ...]) -> Command:
        command_id, account, name, arguments, by, at_ns, seq = row
        refused = "" if seq is None else self._refused(account, int(seq))
        state = CommandState.TAKEN if seq is not None else CommandState.WAITING
        return Command(
            command_id=command_id, account=account, bot=_bot_in(arguments), name=name, seq=seq,
            state=CommandState.REFUSED if refused else state, reason=refused, by=by,
            asked_at=moment_of(int(at_ns)),
        )  # fmt: skip

    def _refused(self, account: str, seq: int) -> str:
        """Why the leader said no, in the record in which it took the command; empty if it did."""
        records = self._database.read(account, seq - 1)
        try:
            return str(getattr(next(records).fact, "refused", ""))
        finally:
            records.close()  # type: ignore[attr-defined]


def _text(one: Given) -> str:
    return msgspec.json.encode(dict(one.arguments), order="sorted").decode()


def _bot_in(arguments: str) -> str:
    """The bot that a command is for; empty when it is for none."""
    return msgspec.json.decode(arguments or "{}", type=dict[str, str]).get("bot", "")


def _numbered(command_id: str, number: int) -> str:
    """The id of what was asked for by a key after `number` others."""
    return uuid.uuid5(_AGAIN, f"{command_id}\0{number}").hex if number else command_id


def _newest(look: Look, command_id: str) -> tuple[int, tuple[Any, ...] | None]:
    """The number and the row of what was last asked for by a key; 0 and None when nothing was.

    Rows are never deleted and numbers have no gaps, so few are looked at however many there are.
    """
    row = look.row(_FIND, command_id)
    if row is None:
        return 0, None
    low, high = 0, 1
    while (found := look.row(_FIND, _numbered(command_id, high))) is not None:
        row, low, high = found, high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        found = look.row(_FIND, _numbered(command_id, middle))
        if found is None:
            high = middle
        else:
            row, low = found, middle
    return low, row


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
