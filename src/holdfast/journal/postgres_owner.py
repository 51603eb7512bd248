"""The owner lock of a PostgreSQL journal: a lock of the session, which ends with it.

The epoch is what makes a second writer harmless; this tells a person at once, and by name. Not
here: fencing (journal.postgres).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import psycopg

from holdfast.cluster.host import host_id
from holdfast.errors import FencedError, RetryableError
from holdfast.journal.displace import nothing
from holdfast.journal.postgres_connect import Connection, connect, name_of, raise_translated
from holdfast.telemetry.log import get_logger

log = get_logger("journal.owner")

DISPLACE_S: Final = 2.0
_PAUSE_S: Final = 0.01
_OWNER: Final = "holdfast owner"
_WRITER: Final = "holdfast writer"

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('holdfast owner of ' || %s, 0))"
_HOLDER = """
    SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.database =
        (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32 | l.objid::bigint) =
            hashtextextended('holdfast owner of ' || %s, 0)
"""
# Returns when they are gone: a commit of theirs that is under way has come about, or never will.
_END = """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND (pid = %s OR application_name = %s)
"""
_END_OWN = """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid = %s AND application_name = %s
"""
_READ_ONLY = "SELECT current_setting('transaction_read_only')"


def writer_name() -> str:
    """What the session that commits calls itself, so that a successor can end it."""
    return f"{_WRITER} {_process()}"


class PostgresOwner:
    """Held from creation until `release`, or the end of the process.

    Args:
        displace: whoever holds it has lost its lease, and may hang: its sessions are ended.
        require: called just before that; raises where it is not right any more.

    Raises:
        FencedError: another process holds it; the text names it.
        RetryableError: its sessions may not be ended, or do not end.
    """

    def __init__(
        self,
        url: str,
        account: str,
        *,
        displace: bool = False,
        require: Callable[[], None] = nothing,
    ) -> None:
        self._name = name_of(url)
        self._url = url
        self._account = account
        self._require = require
        self._using = threading.Lock()
        self._is_released = False
        self._connection = self._connected()
        self._pid = self._connection.info.backend_pid
        try:
            if not self._take():
                self._meet_holder(displace=displace)
        except psycopg.Error as error:
            self._connection.close()
            raise_translated(self._name, error)
        except BaseException:
            self._connection.close()
            raise

    def hold(self) -> None:
        """Take it again where its session has ended: the server restarted, or another leads now.

        Raises:
            FencedError: another process has it; the text names it.
            ConfigError, RetryableError: as a connection.
        """
        with self._using:
            try:
                if not self._is_released and not self._lasts():
                    self._take_again()
            finally:
                if self._is_released:  # meanwhile, by who would not wait for the server
                    self._connection.close()

    def release(self) -> None:
        """Let others have it; may be called twice. Never waits for `hold`, which then does it."""
        self._is_released = True
        if self._using.acquire(blocking=False):
            try:
                self._connection.close()
            finally:
                self._using.release()

    def _connected(self) -> Connection:
        return connect(self._url, application=f"{_OWNER} {_process()}")

    def _lasts(self) -> bool:
        """Whether its session is there, on a server that takes writes: the journal is there."""
        try:
            row = self._connection.execute(_READ_ONLY).fetchone()
        except psycopg.OperationalError:
            return False
        return row == ("off",)

    def _take_again(self) -> None:
        lost = self._pid
        self._connection.close()
        self._connection = connection = self._connected()
        self._pid = connection.info.backend_pid
        try:
            if self._take():
                return
            # Where the way was cut, the server may not know yet that the one before has ended.
            connection.execute(_END_OWN, (lost, f"{_OWNER} {_process()}"))
            if not self._take():
                self._meet_holder(displace=False)
        except psycopg.Error as error:
            self._connection.close()
            raise_translated(self._name, error)
        except BaseException:
            self._connection.close()  # or it would count as held
            raise

    def _take(self) -> bool:
        row = self._connection.execute(_LOCK, (self._account,)).fetchone()
        return row is not None and bool(row[0])

    def _meet_holder(self, *, displace: bool) -> None:
        process = "unknown"
        deadline_s = time.monotonic() + DISPLACE_S
        while time.monotonic() < deadline_s:
            holder = self._connection.execute(_HOLDER, (self._account,)).fetchone()
            if holder is not None:
                pid, application = holder
                process = str(application).removeprefix(f"{_OWNER} ")
                if not displace:
                    break
                self._require()
                _end(self._connection, pid, process)
            if self._take():
                return
            time.sleep(_PAUSE_S)
        if displace:
            raise RetryableError(
                f"seen: {self._name} is blocked for account {self._account} by process {process}; "
                f"expected: its sessions gone within {DISPLACE_S:g} s; do: end that process"
            )
        raise FencedError(
            f"seen: {self._name} is written for account {self._account} by process {process}; "
            "expected: one writer; do: end that process first, or name another database"
        )


def _end(connection: Connection, pid: int, process: str) -> None:
    try:
        ended = connection.execute(_END, (pid, f"{_WRITER} {process}")).fetchall()
    except psycopg.errors.InsufficientPrivilege:  # another role's; it may end by itself
        return
    log.warning("ended sessions", action="displaced", process=process, sessions=len(ended))


def _process() -> str:
    """Host and pid; the server cuts names after 63 bytes, and nothing that tells two apart.

    Two containers may have one name, or two that are long and begin alike, and equal pids.
    """
    host = os.uname().nodename
    which = blake2b(f"{host} {host_id()}".encode(), digest_size=4).hexdigest()
    return f"{host[:24]}-{which}:{os.getpid()}"
