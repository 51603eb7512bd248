"""`deploy/postgres` on a real server: it starts with these settings, and each role may what it may.

Not here: what Holdfast asks of any server (tests/integration/journal).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from holdfast.app.chaos.postgres import PostgresServer
from holdfast.errors import UnreachableError
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.exporters import exporter_running, faults
from tests.support.ports import reserved_port

DEPLOY = Path(__file__).parents[2] / "deploy"
# Of the exporter 0.20.1 that we mean; the 0.11.1 of Debian 12 does not tell them yet.
TOLD_LATER = frozenset({
    "pg_replication_lag_seconds", "pg_stat_replication_pg_wal_lsn_diff",
    "pg_stat_statements_seconds_total", "pg_stat_user_tables_n_dead_tup",
    "pg_stat_user_tables_n_live_tup", "pg_stat_user_tables_table_size_bytes", "pg_wal_size_bytes",
})  # fmt: skip
FILES = ("postgres_tls_key", "postgres_tls_certificate", "ca_certificate")


class Deployed(PostgresServer):
    """A server with the shipped settings, and secrets as `make-secrets.sh` makes them.

    Attributes:
        secrets: the folder of them.
        port: on 127.0.0.1, with TLS.
    """

    def __init__(self, secrets: Path) -> None:
        self.secrets = secrets
        self._held = ExitStack()
        self.port = self._held.enter_context(reserved_port())
        subprocess.run(
            [str(DEPLOY / "compose" / "make-secrets.sh")], check=True, capture_output=True,
            env={
                "PATH": os.environ["PATH"], "SECRETS_DIR": str(secrets),
                "TLS_DIR": str(secrets / "tls"), "BACKUPS_DIR": str(secrets / "backups"),
            },
        )  # fmt: skip
        # One that comes without its extras cannot load any.
        super().__init__(
            "shared_preload_libraries=", "listen_addresses=127.0.0.1", f"port={self.port}",
            "min_wal_size=48MB",
            "ssl_cert_file=../postgres_tls_certificate", "ssl_key_file=../postgres_tls_key",
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"{super().url}&port={self.port}"

    def as_role(self, role: str, secret: str, *more: str) -> str:
        """The address for a role over TLS, as the compose files write it."""
        options = more or (
            "sslmode=verify-full", f"sslrootcert={self.secrets / 'ca_certificate'}",
        )  # fmt: skip
        password = (self.secrets / secret).read_text(encoding="utf-8")
        return f"postgresql://{role}:{password}@localhost:{self.port}/holdfast?{'&'.join(options)}"

    def psql(self, file: Path) -> None:
        """Run a file as the server's owner."""
        subprocess.run(
            [str(self.binaries / "psql"), "--no-psqlrc", "--quiet", "--file", str(file), self.url],
            check=True, capture_output=True, text=True,
            env={**os.environ, "SECRETS_DIR": str(self.secrets)},
        )  # fmt: skip

    def stop(self) -> None:
        super().stop()
        self._held.close()

    def _make_data(self) -> None:
        super()._make_data()
        data = self.folder / "data"
        for name in FILES:
            shutil.copyfile(self.secrets / name, self.folder / name)
            (self.folder / name).chmod(0o600)
        shutil.copyfile(DEPLOY / "postgres" / "postgresql.conf", data / "postgresql.conf")
        shipped = (DEPLOY / "postgres" / "pg_hba.conf").read_text(encoding="utf-8")
        # The test's own way in, for what the image does as the server's owner.
        (data / "pg_hba.conf").write_text(f"local all postgres trust\n{shipped}", encoding="utf-8")
        if self._user is not None:
            owner = pwd.getpwnam(self._user).pw_uid
            for path in (*(self.folder / name for name in FILES), *data.glob("p*.conf")):
                os.chown(path, owner, -1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    try:
        made = Deployed(tmp_path_factory.mktemp("secrets"))
    except UnreachableError as error:
        if "SSL is not supported" not in str(error):
            raise
        pytest.skip("the PostgreSQL here was built without TLS; do: apt-get install postgresql")
    try:
        made.psql(DEPLOY / "postgres" / "init" / "10-roles.sql")
        yield made
    finally:
        made.stop()


def asked(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


@pytest.mark.slow
def test_holdfast_owns_its_database_and_nothing_else(server: Deployed) -> None:
    address = (
        f"postgresql://holdfast@localhost:{server.port}/holdfast?sslmode=verify-full"
        f"&sslrootcert={server.secrets / 'ca_certificate'}"
        f"&password_from=file:{server.secrets / 'db_password'}"
    )
    # It refuses a server whose commits might not survive: these settings are good enough for it.
    database = PostgresDatabase(address)
    try:
        database.upgrade()
        assert database.version() is not None
    finally:
        database.close()
    url = server.as_role("holdfast", "db_password")
    # Its own encoding, as a server that was made where no language is set has another.
    kind = "SELECT datcollate FROM pg_database WHERE datname = current_database()"
    assert (asked(url, "SHOW server_encoding"), asked(url, kind)) == ("UTF8", "C.UTF-8")
    is_super = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = user"
    assert asked(url, is_super) is False
    for setting, value in {
        "synchronous_commit": "on", "fsync": "on", "archive_mode": "on", "max_connections": "200",
        "shared_buffers": "256MB", "effective_cache_size": "1GB", "work_mem": "4MB",
        "maintenance_work_mem": "64MB", "random_page_cost": "1.1", "wal_buffers": "16MB",
        "effective_io_concurrency": "200", "checkpoint_completion_target": "0.9",
        "max_slot_wal_keep_size": "8GB",
    }.items():  # fmt: skip
        assert asked(url, f"SHOW {setting}") == value, setting


@pytest.mark.slow
def test_others_read_and_nobody_comes_without_encryption_or_password(server: Deployed) -> None:
    owner = server.as_role("holdfast", "db_password")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE report_probe AS SELECT 7 AS found")
    reports = server.as_role("holdfast_report", "db_report_password")
    assert asked(reports, "SELECT found FROM report_probe") == 7
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        asked(reports, "DELETE FROM report_probe RETURNING 1")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(reports, "SET TRANSACTION READ WRITE; DELETE FROM report_probe RETURNING 1")
    monitor = server.as_role("monitor", "postgres_monitor_password")
    assert asked(monitor, "SELECT pg_has_role('pg_monitor', 'member')") is True
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(monitor, "SELECT found FROM report_probe")
    # From this machine's own address a line may be plain, as for the image's health check; a wrong
    # password never does.
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        asked(server.as_role("holdfast", "db_report_password"), "SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        asked(f"postgresql://holdfast@localhost:{server.port}/holdfast", "SELECT 1")


@pytest.mark.slow
def test_the_exporter_tells_what_is_claimed_of_it_with_the_rights_of_its_role(
    server: Deployed,
) -> None:
    monitor = server.as_role("monitor", "postgres_monitor_password")
    with exporter_running("postgres", environ={"DATA_SOURCE_NAME": monitor}) as told:
        assert "\npg_up 1\n" in told
        assert list(faults(told, "pg_", TOLD_LATER)) == []
