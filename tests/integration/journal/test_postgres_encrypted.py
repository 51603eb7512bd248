"""A server that proves who it is, says nothing in plain text, and whose password is rotated.

Not here: what an address asks for (unit/journal/test_postgres), where passwords are kept
(integration/secrets).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from holdfast.app.chaos.postgres import database_named
from holdfast.cluster.postgres_line import Line
from holdfast.config import load
from holdfast.errors import OutcomeUnknownError, PlatformError, RetryableError, exit_code
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import connect
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.postgres_pool import Pool
from holdfast.journal.writer import JournalWriter
from holdfast.secrets import forget, invalidate
from tests.support.journal_facts import armed
from tests.support.postgres_servers import MAIN, OWN_SERVERS, PASSWORD, EncryptedServer, cids
from tests.support.raw_server import self_signed
from tests.support.secret_keepers import VaultSite

pytestmark = OWN_SERVERS


@pytest.fixture(scope="module")
def encrypted() -> Iterator[EncryptedServer]:
    try:
        made = EncryptedServer()
    except PlatformError as error:
        if "not supported by this build" in str(error):
            pytest.skip("the server here was built without TLS: apt-get install postgresql")
        raise
    yield made
    made.stop()


def address(server: EncryptedServer, host: str = "localhost", **parameters: object) -> str:
    told = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())
    password = quote(PASSWORD, safe="")
    return f"postgresql://desk:{password}@{host}:{server.port}/desk?{told}"


def told_by(url: str) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        PostgresDatabase(url).version()
    assert PASSWORD not in str(caught.value)
    assert quote(PASSWORD, safe="") not in str(caught.value)
    return caught.value


def test_who_answers_is_proved_and_what_is_said_encrypted(encrypted: EncryptedServer) -> None:
    url = address(encrypted, sslmode="verify-full", sslrootcert=encrypted.certificate)

    async def run() -> None:
        store = PostgresStore(url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        with psycopg.connect(database_named(encrypted.url, "desk")) as beside:
            lines = beside.execute(
                "SELECT s.ssl, s.version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) "
                "WHERE a.usename = 'desk'"
            ).fetchall()
        assert {line[0] for line in lines} == {True}, "the writer's line and those that are lent"
        assert len(lines) >= 2
        await store.close()

    asyncio.run(run())
    assert cids(url) == {armed(1).cid}


def test_a_server_that_another_authority_vouches_for_is_refused(
    encrypted: EncryptedServer, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(self_signed("localhost"))
    for mode in ("verify-ca", "verify-full"):
        error = told_by(address(encrypted, sslmode=mode, sslrootcert=other))
        assert exit_code(error) == 2, error
        assert "certificate verify failed" in str(error)


def test_a_server_of_another_name_is_refused_and_verify_ca_does_not_ask_for_it(
    encrypted: EncryptedServer,
) -> None:
    trusted = {"sslrootcert": encrypted.certificate}
    error = told_by(address(encrypted, "127.0.0.1", sslmode="verify-full", **trusted))
    assert exit_code(error) == 2, error
    assert 'does not match host name "127.0.0.1"' in str(error)
    assert PostgresDatabase(address(encrypted, "127.0.0.1", sslmode="verify-ca", **trusted)).name


def test_an_authority_that_is_not_there_and_a_line_in_plain_text_are_refused(
    encrypted: EncryptedServer, tmp_path: Path
) -> None:
    absent = told_by(address(encrypted, sslmode="verify-full", sslrootcert=tmp_path / "absent"))
    assert exit_code(absent) == 2, absent
    assert "absent" in str(absent)
    plain = told_by(address(encrypted, sslmode="disable"))
    assert exit_code(plain) == 2, plain
    assert "no encryption" in str(plain)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("desk:", "nobody:"), 2, "authentication failed"),
        ((quote(PASSWORD, safe=""), "wrong"), 2, "authentication failed"),
        ((":" + quote(PASSWORD, safe=""), ""), 2, "no password supplied"),
        (("/desk?", "/another?"), 2, "does not exist"),
        (("@localhost", "@no.such.host.invalid"), 4, "does not answer"),
    ],
)
def test_each_part_of_an_address_that_is_wrong_is_told_as_that(
    change: tuple[str, str], code: int, said: str, encrypted: EncryptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("PGPASSWORD", raising=False)
    error = told_by(address(encrypted, sslmode="require").replace(*change))
    assert (exit_code(error), said in str(error)) == (code, True), error


def set_password(server: EncryptedServer, password: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE desk PASSWORD '{password}'".encode())


def test_a_password_that_was_rotated_is_asked_for_anew_and_the_one_before_is_tried(
    encrypted: EncryptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = VaultSite()
    try:
        for name, value in keeper.environ.items():
            monkeypatch.setenv(name, value)
        keeper.write("database", PASSWORD)
        environ = {
            "DB_HOST": "localhost", "DB_PORT": str(encrypted.port), "DB_USER": "desk",
            "DB_NAME": "desk", "DB_PASSWORD": "vault:secret/database",
        }  # fmt: skip
        url = f"{load(environ=environ).database_url}&sslmode=require"
        assert PASSWORD not in url
        with closing(Pool(url)) as pool, closing(PostgresDatabase(url)) as database:

            def is_let_in() -> None:
                for _ in range(2):  # as remembered from the first time as well
                    connect(url).close()
                with pool.connection() as connection:
                    assert connection.execute("SELECT 1").fetchone() == (1,)
                    connection.close()  # so that the next one is opened anew
                database.version()

                async def renew() -> None:
                    line = Line(url, 5.0)
                    assert await line.run("SELECT 1", {}, writes=False) == [[(1,)]]
                    line.close()

                asyncio.run(renew())

            is_let_in()
            set_password(encrypted, "rotated/hunter3")
            keeper.write("database", "rotated/hunter3")
            is_let_in()
            keeper.write("database", "written-before-it-is-set")
            invalidate("vault:secret/database")
            is_let_in()
    finally:
        set_password(encrypted, PASSWORD)
        keeper.vanish()
        forget()


@pytest.mark.parametrize("meanwhile", [PASSWORD, ""])
def test_whoever_was_in_waits_for_the_other_side_of_a_rotation(
    meanwhile: str, encrypted: EncryptedServer, tmp_path: Path
) -> None:
    """The database goes first: every version of the password is refused for a while, or its file is
    empty because it is being written.
    """
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    reference = f"sslmode=require&password_from=file:{tmp_path}/password"
    url = f"postgresql://desk@localhost:{encrypted.port}/desk?{reference}"
    new_password = "other/hunter4"

    def ask(pool: Pool) -> None:
        with pool.connection() as connection:
            connection.execute("SELECT 1")

    async def renew_anew() -> None:
        """As who joins under another boot id."""
        with closing(Line(url, 5.0)) as line:
            await line.run("SELECT 1", {}, writes=False)

    async def rotate() -> None:
        line, pool, store = Line(url, 5.0), Pool(url), PostgresStore(url)
        asking: list[Callable[[], Awaitable[object]]] = [
            lambda: line.run("SELECT 1", {}, writes=False),
            renew_anew,
            lambda: asyncio.to_thread(ask, pool),
            lambda: store.head(MAIN),
            lambda: store.acquire(MAIN, "a"),
        ]
        try:
            for ask_it in asking:
                await ask_it()
            set_password(encrypted, new_password)
            with psycopg.connect(encrypted.url, autocommit=True) as beside:
                beside.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'desk'"
                )
            (tmp_path / "password").write_text(meanwhile)
            for ask_it in [*asking, *asking]:
                with pytest.raises((RetryableError, OutcomeUnknownError)):
                    await ask_it()
            (tmp_path / "password").write_text(new_password)
            forget()
            for ask_it in asking:
                await ask_it()
        finally:
            line.close()
            pool.close()
            await store.close()

    try:
        asyncio.run(rotate())
    finally:
        set_password(encrypted, PASSWORD)
        forget()


def test_a_password_that_is_wrong_in_every_version_is_told_as_that(
    encrypted: EncryptedServer, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("wrong-in-the-file")
    reference = f"sslmode=require&password_from=file:{tmp_path}/password"
    error = told_by(f"postgresql://desk@localhost:{encrypted.port}/desk?{reference}")
    assert "authentication failed" in str(error)
    assert "wrong-in-the-file" not in str(error)
