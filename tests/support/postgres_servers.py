"""Servers of a test's own: one that encrypts and asks for a password, a primary and its standby.

Not here: the one that most tests share (tests.support.postgres).
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from holdfast.app.chaos.postgres import PostgresServer, database_named
from holdfast.domain.fact import Armed
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.raw_server import self_signed

PASSWORD = "hunter2/of@desk"
MAIN = "main"
OWN_SERVERS = pytest.mark.skipif(
    "HOLDFAST_TEST_DATABASE_URL" in os.environ, reason="servers of our own are started here"
)


class EncryptedServer(PostgresServer):
    """Reached over TCP by the role `desk`, encrypted and with its password, and not otherwise.

    Attributes:
        port: on 127.0.0.1.
        certificate: of the authority that signed its own: itself, for the name `localhost`.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        super().__init__(f"port={self.port}", "listen_addresses=127.0.0.1", "ssl=on")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE desk LOGIN PASSWORD '{PASSWORD}'".encode())
            connection.execute("CREATE DATABASE desk OWNER desk")

    @property
    def certificate(self) -> Path:
        """For clients to trust."""
        return self.folder / "data" / "server.crt"

    @property
    def url(self) -> str:
        """Of its maintenance database, over its Unix socket."""
        return f"{super().url}&port={self.port}"

    def _make_data(self) -> None:
        super()._make_data()
        data = self.folder / "data"
        pem = self_signed("localhost")
        for name in ("server.key", "server.crt"):
            (data / name).touch(mode=0o600)
            (data / name).write_bytes(pem)
            if self._user is not None:
                os.chown(data / name, pwd.getpwnam(self._user).pw_uid, -1)
        (data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )


class Standby(PostgresServer):
    """Follows `primary`, under the name `follower`."""

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__("hot_standby=on")

    def promote(self) -> None:
        """Become a primary, and return when it is."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 150)")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Take nothing in meanwhile, and acknowledge nothing, as a machine that hangs."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT pid FROM pg_stat_wal_receiver").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(row[0], signal.SIGCONT)

    def _make_data(self) -> None:
        source = f"host={self._primary.folder} user=postgres application_name=follower"
        self._run(
            str(self.binaries / "pg_basebackup"), "--pgdata", str(self.folder / "data"),
            "--dbname", source, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync",
        )  # fmt: skip


def configure(server: PostgresServer, setting: str, value: str) -> None:
    """Change it for all sessions, without a restart."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'".encode())
        connection.execute("SELECT pg_reload_conf()")


def new_journal(server: PostgresServer, name: str) -> str:
    """The address of an empty journal in a database of its own."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    url = database_named(server.url, name)
    PostgresDatabase(url).upgrade()
    return url


def cids(url: str) -> set[str]:
    """The attempts in the journal there."""
    with closing(PostgresDatabase(url)) as journal:
        facts = [record.fact for record in journal.read(MAIN)]
    return {fact.cid for fact in facts if isinstance(fact, Armed)}
