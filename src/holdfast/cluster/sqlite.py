"""Leases in a SQLite file of their own, for nodes on one host.

Nothing waits for the disk: what a crash of the machine takes along was of members that it ended as
well. Statements are short and run where they are called; while another process writes, only the
caller waits, and not its event loop. Not here: opening and mending the file (cluster.sqlite_file).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from holdfast.cluster.port import ANY, Claim, Member, Seen, View, already_there
from holdfast.cluster.sqlite_file import LeaseFile, is_busy
from holdfast.cluster.timing import Timing

T = TypeVar("T")

_PAUSE_S: Final = 0.002
_LONG_S: Final = 0.02
"""No writer takes so long; from then on it is looked at."""

_FIELDS: Final = "boot_id, node, host, pid, started, version, accounts"
_ENTER = f"INSERT INTO member ({_FIELDS}, renewals) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"  # noqa: S608
_NEW_ACCOUNT = "INSERT INTO claim (account) VALUES (?) ON CONFLICT DO NOTHING"
_MEMBERS = f"SELECT {_FIELDS}, renewals FROM member"  # noqa: S608 - our names
_CLAIMS = "SELECT account, boot_id, turn, wanted FROM claim"
_GIVE = f"""
    UPDATE claim SET boot_id = ?1, turn = turn + 1,
    wanted = iif(wanted = ?1 OR (?1 <> '' AND substr(wanted, 1, {len(ANY)}) = '{ANY}'), '', wanted)
    WHERE account = ?2 AND boot_id = ?3 AND turn = ?4
"""  # noqa: S608 - our word
_LEAVE = "UPDATE claim SET boot_id = '', turn = turn + 1 WHERE boot_id = ?"
_CALL_OFF = "UPDATE claim SET wanted = '' WHERE wanted = ?"
_PLAN = """
    UPDATE claim SET wanted = iif(boot_id = ?1, '', ?1)
    WHERE account = ?2 AND wanted = ifnull(?3, wanted)
"""
_REMOVE = "DELETE FROM member WHERE boot_id = ?"
_FORGET = """
    DELETE FROM member WHERE boot_id = ?1 AND renewals = ?2
    AND NOT EXISTS (SELECT 1 FROM claim WHERE boot_id = ?1)
"""


class SqliteLeases:
    """Leases in the file `path`, which is made when it is missing.

    A process that stops while it writes is killed, once that is certain, so that it does not hold
    up all others for good; see `LeaseFile`.

    Raises:
        ConfigError: the file cannot be written, or is of another kind or version.
    """

    def __init__(self, path: Path, timing: Timing) -> None:
        self._timing = timing
        self._file = LeaseFile(path, timing)

    async def join(self, member: Member) -> None:
        """Enter `member`, and its accounts where they are new."""

        def enter(connection: sqlite3.Connection) -> None:
            known = _seen(connection, member.boot_id)
            if known not in {None, Seen(member, 0)}:
                raise already_there(member)
            if known is None:
                connection.execute(_ENTER, _row(member))
            connection.executemany(_NEW_ACCOUNT, [(account,) for account in member.accounts])

        await self._write(enter)

    async def renew(self, boot_id: str) -> tuple[Claim, ...] | None:
        """One more renewal; the claims that are this member's."""

        def renewed(connection: sqlite3.Connection) -> tuple[Claim, ...] | None:
            statement = "UPDATE member SET renewals = renewals + 1 WHERE boot_id = ?"
            if connection.execute(statement, (boot_id,)).rowcount != 1:
                return None
            held = f"{_CLAIMS} WHERE boot_id = ? ORDER BY account"
            return tuple(Claim(*row) for row in connection.execute(held, (boot_id,)))

        return await self._write(renewed)

    async def view(self) -> View:
        """Members and claims, each in the order of its key."""

        def seen(connection: sqlite3.Connection) -> View:
            members = connection.execute(f"{_MEMBERS} ORDER BY boot_id").fetchall()
            claims = connection.execute(f"{_CLAIMS} ORDER BY account").fetchall()
            return View(
                tuple(_of_row(row) for row in members), tuple(Claim(*row) for row in claims)
            )

        return await self._run(seen, "BEGIN")

    async def sync(self) -> None:
        """Of a file beside it: renewals are not waited for, the journal on that disk is."""
        await _aside(self._file.sync)

    async def take(self, boot_id: str, claims: Sequence[Claim], of: Seen | None) -> frozenset[str]:
        """Give this member those of `claims` that still are what they were seen to be."""

        def take(connection: sqlite3.Connection) -> frozenset[str]:
            if _seen(connection, boot_id) is None:
                return frozenset()
            if of is not None:
                now = _seen(connection, of.member.boot_id)
                if now is None or now.renewals != of.renewals:
                    return frozenset()
            return frozenset(
                claim.account
                for claim in claims
                if (
                    _seen(connection, claim.boot_id) is None
                    if of is None
                    else claim.boot_id == of.member.boot_id
                )
                and _give(connection, claim, boot_id)
            )

        return await self._write(take)

    async def hand(self, claim: Claim, to: str) -> bool:
        """Its holder gives an account to the member `to`, or with an empty `to` to nobody."""

        def hand(connection: sqlite3.Connection) -> bool:
            if to and not _may_lead(connection, to, claim.account):
                return False
            return _give(connection, claim, to)

        return await self._write(hand)

    async def plan(self, account: str, to: str, instead_of: str | None = None) -> bool:
        """Ask the holder of `account` to hand it to the member `to`; empty calls it off."""

        def plan(connection: sqlite3.Connection) -> bool:
            named = to and not to.startswith(ANY)
            if named and not _may_lead(connection, to, account):
                return False
            return connection.execute(_PLAN, (to, account, instead_of)).rowcount == 1

        return await self._write(plan)

    async def leave(self, boot_id: str) -> None:
        """Remove the member; what it still holds is nobody's."""

        def leave(connection: sqlite3.Connection) -> None:
            if connection.execute(_REMOVE, (boot_id,)).rowcount:
                connection.execute(_LEAVE, (boot_id,))
                connection.execute(_CALL_OFF, (boot_id,))

        await self._write(leave)

    async def forget(self, seen: Seen) -> None:
        """Remove a member that holds nothing and has not renewed since it was seen."""

        def forget(connection: sqlite3.Connection) -> None:
            boot_id = seen.member.boot_id
            if connection.execute(_FORGET, (boot_id, seen.renewals)).rowcount:
                connection.execute(_CALL_OFF, (boot_id,))

        await self._write(forget)

    async def close(self) -> None:
        """Release the file; may be called twice."""
        self._file.close()

    async def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._run(function, "BEGIN IMMEDIATE")

    async def _run(self, function: Callable[[sqlite3.Connection], T], begin: str) -> T:
        """One transaction; while another process writes, it is tried again for `call_s`."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            try:
                return self._file.transaction(function, begin)
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise self._file.meaning(error) from error
                waited_s = loop.time() - began_s
                if waited_s >= _LONG_S:
                    self._file.end_blocker()
                if waited_s + _PAUSE_S > self._timing.call_s:
                    raise self._file.blocked() from error
            await asyncio.sleep(_PAUSE_S)


async def _aside(work: Callable[[], None]) -> None:
    """Run `work` in a thread that no end of this process waits for: a disk may take long."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if done.done():
            return  # nobody waits for it any more
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            work()
        except Exception as failed:  # noqa: BLE001 - it is for whoever waits
            error = failed
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, error)

    Thread(target=run, name="leases sync", daemon=True).start()
    await done


def _row(member: Member) -> tuple[object, ...]:
    return (
        member.boot_id, member.node, member.host, member.pid, member.started, member.version,
        ",".join(member.accounts),
    )  # fmt: skip


def _of_row(row: tuple[str, str, str, int, int, str, str, int]) -> Seen:
    boot_id, node, host, pid, started, version, accounts, renewals = row
    named = tuple(accounts.split(",")) if accounts else ()
    return Seen(Member(boot_id, node, host, pid, started, version, named), renewals)


def _seen(connection: sqlite3.Connection, boot_id: str) -> Seen | None:
    row = connection.execute(f"{_MEMBERS} WHERE boot_id = ?", (boot_id,)).fetchone()
    return None if row is None else _of_row(row)


def _may_lead(connection: sqlite3.Connection, boot_id: str, account: str) -> bool:
    seen = _seen(connection, boot_id)
    return seen is not None and account in seen.member.accounts


def _give(connection: sqlite3.Connection, claim: Claim, to: str) -> bool:
    row = (to, claim.account, claim.boot_id, claim.turn)
    return connection.execute(_GIVE, row).rowcount == 1
