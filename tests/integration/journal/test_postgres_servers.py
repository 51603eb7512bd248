"""Real servers that go wrong: not who they say, with a standby behind them, read-only, full."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
import pytest

from holdfast.app.chaos.postgres import PostgresServer, database_named
from holdfast.app.live.opening import open_stream
from holdfast.cluster.postgres_line import Line
from holdfast.config import load
from holdfast.domain.fact import Armed
from holdfast.errors import (
    ConfigError,
    CorruptionError,
    OutcomeUnknownError,
    PlatformError,
    RetryableError,
    exit_code,
)
from holdfast.journal.port import CommitUnknownError
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import connect
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.postgres_pool import Pool
from holdfast.journal.verify import Report, verify
from holdfast.journal.writer import JournalWriter
from holdfast.ledger.fold import apply
from holdfast.secrets import forget, invalidate
from tests.support.journal_facts import armed
from tests.support.postgres import database, server
from tests.support.postgres_servers import (
    PASSWORD,
    EncryptedServer,
    Standby,
    configure,
    new_journal,
)
from tests.support.raw_server import self_signed
from tests.support.secret_keepers import VaultSite
from tests.support.waiting import until

MAIN = "main"
PAIRED = "paired"

pytestmark = pytest.mark.skipif(
    "HOLDFAST_TEST_DATABASE_URL" in os.environ, reason="servers of our own are started here"
)


def cids(url: str) -> set[str]:
    with closing(PostgresDatabase(url)) as journal:
        facts = [record.fact for record in journal.read(MAIN)]
    return {fact.cid for fact in facts if isinstance(fact, Armed)}


# -- encrypted -------------------------------------------------------------------------------------


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


# -- a password by reference -----------------------------------------------------------------------


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


# -- a standby -------------------------------------------------------------------------------------


class Pair(NamedTuple):
    """A journal, the server that it is on, and the one that follows."""

    url: str
    primary: PostgresServer
    standby: Standby

    @property
    def there(self) -> str:
        """The same journal, at the standby."""
        return database_named(self.standby.url, PAIRED)

    def follows(self, how: str) -> bool:
        """Whether the standby does, and whether commits wait for it."""
        with psycopg.connect(self.url) as beside:
            found = beside.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
        return found == [(how,)]

    def wait_for_standby(self) -> None:
        """Have commits wait for it."""
        configure(self.primary, "synchronous_standby_names", "follower")
        asyncio.run(until(lambda: self.follows("sync"), "it is waited for", every_s=0.05))


@contextmanager
def paired() -> Iterator[Pair]:
    with ExitStack() as stack:
        primary = PostgresServer()
        stack.callback(primary.stop)
        url = new_journal(primary, PAIRED)
        standby = Standby(primary)
        stack.callback(standby.stop)
        found = Pair(url, primary, standby)
        asyncio.run(until(lambda: found.follows("async"), "it follows", every_s=0.05))
        yield found


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with paired() as found:
        yield found


@pytest.fixture
def doomed_pair() -> Iterator[Pair]:
    with paired() as found:
        yield found


def test_a_standby_that_follows_at_its_leisure_is_refused_and_takes_no_writes(pair: Pair) -> None:
    """Its promotion would lose orders that were answered for."""
    configure(pair.primary, "synchronous_standby_names", "")
    asyncio.run(until(lambda: pair.follows("async"), "nobody waits for it", every_s=0.05))
    with pytest.raises(ConfigError, match="1 standby that follows asynchronously") as caught:
        PostgresStore(pair.url)
    assert exit_code(caught.value) == 2
    asyncio.run(PostgresStore(pair.url, may_lose=True).close())
    with pytest.raises(RetryableError, match=r"takes no writes \(a standby") as readonly:
        PostgresStore(pair.there)
    assert exit_code(readonly.value) == 4
    with closing(PostgresDatabase(pair.there)) as there:
        assert there.version() == PostgresDatabase(pair.url).version(), "but it can be read"


def test_a_commit_waits_for_the_standby_and_is_in_doubt_when_the_wait_is_cut_short(
    pair: Pair,
) -> None:
    pair.wait_for_standby()

    async def run() -> None:
        store = PostgresStore(pair.url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        line = store._line
        assert line is not None
        with psycopg.connect(pair.url, autocommit=True) as beside:

            def waits() -> bool:
                found = beside.execute(
                    "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (line.backend.pid,)
                ).fetchone()
                return found == ("SyncRep",)

            with pair.standby.frozen():
                waiting = writer.append(armed(2))
                await until(waits, "the commit waits for the standby")
                assert not waiting.done()
                beside.execute("SELECT pg_cancel_backend(%s)", (line.backend.pid,))
                with pytest.raises(CommitUnknownError):
                    await waiting
        await writer.append(armed(3))
        await store.close()

    asyncio.run(run())
    assert {armed(1).cid, armed(3).cid} <= cids(pair.url)


def test_what_was_answered_for_is_there_after_the_standby_took_over(doomed_pair: Pair) -> None:
    pair = doomed_pair
    pair.wait_for_standby()
    answered: set[str] = set()

    async def flood() -> None:
        store = PostgresStore(pair.url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        for number in range(1, 101):
            await writer.append(armed(number))
            answered.add(armed(number).cid)
        pair.primary.crash()
        await store.close()

    async def go_on() -> None:
        store = PostgresStore(pair.there)
        writer = JournalWriter(store, await store.acquire(MAIN, "b"))
        await writer.append(armed(0))
        await store.close()

    asyncio.run(flood())
    pair.standby.promote()
    assert answered <= cids(pair.there)
    asyncio.run(go_on())
    assert armed(0).cid in cids(pair.there)


def test_who_follows_waits_where_only_a_standby_answers_that_has_not_replayed_all(
    doomed_pair: Pair, tmp_path: Path
) -> None:
    pair = doomed_pair
    pair.wait_for_standby()
    hosts = f"{pair.primary.folder},{pair.standby.folder}"
    both = f"postgresql:///{PAIRED}?host={hosts}&user=postgres"

    async def run() -> None:
        store = PostgresStore(pair.url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        tail, end = PostgresDatabase(both, tmp_path).tail(), writer.head
        with psycopg.connect(pair.standby.url, autocommit=True) as beside:
            beside.execute("SELECT pg_wal_replay_pause()")
            await writer.append(armed(1))
            end, records = tail.since(end)
            assert len(records) == 1
            pair.primary.crash()
            for _ in range(3):  # the first finds the connection lost
                with pytest.raises(RetryableError) as told:
                    tail.since(end)
            assert "a standby that has not replayed so much" in str(told.value)
            beside.execute("SELECT pg_wal_replay_resume()")
        pair.standby.promote()
        assert tail.since(end) == (end, [])
        tail.close()
        await store.close()

    asyncio.run(run())


# -- restored --------------------------------------------------------------------------------------


def test_a_restored_dump_is_gone_on_from_if_nothing_was_written_since_and_refused_otherwise(
    tmp_path: Path,
) -> None:
    """As docs/on-call/disaster.md has it, with PostgreSQL's own programs."""
    with database() as url:
        dump = str(tmp_path / "dump")

        async def go_on(*numbers: int) -> None:
            journal = PostgresDatabase(url, tmp_path)
            stream = await open_stream(journal, account=MAIN, deployment="x", reporting="USDT")
            for number in numbers:
                outcome = await stream.writer.append(armed(number))
                assert isinstance(outcome, tuple)
                for record in outcome:
                    apply(stream.account, record.seq, record.epoch, record.at_ns, record.fact)
            await stream.close()

        def restored() -> Report:
            run_client("pg_restore", "--dbname", url, "--clean", "--if-exists", "-1", dump)
            with closing(PostgresDatabase(url)) as journal:
                return verify(journal)

        asyncio.run(go_on(1, 2))
        run_client("pg_dump", "--dbname", url, "--format", "custom", "--file", dump)
        proved = restored()
        assert (proved.ok, proved.records) == (True, 4), proved
        asyncio.run(go_on(3))
        assert cids(url) == {armed(number).cid for number in (1, 2, 3)}
        assert restored().ok, "what it has is whole"
        with pytest.raises(CorruptionError, match="journal behind: main ends at 4") as caught:
            asyncio.run(go_on(4))
        assert exit_code(caught.value) == 1


def run_client(program: str, *words: str) -> None:
    """A program of PostgreSQL's, of the same version as the server."""
    command = [str(server().binaries / program), *words]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


# -- full ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 24 MiB that the server may write."""
    place = Path(server().folder) / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "none", str(place)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        place.rmdir()
        pytest.skip(f"a small file system needs root ({done.stderr.strip()}): run as root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def test_a_full_disk_of_the_server_stops_orders_loses_none_and_goes_on_with_space(
    small_disk: Path,
) -> None:
    """The tables are on a small disk of their own; the server's log is not."""
    space = small_disk / "space"
    space.mkdir()
    shutil.chown(space, server()._user or os.getuid())
    with psycopg.connect(server().url, autocommit=True) as beside:
        beside.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
        beside.execute("CREATE DATABASE full_disk TABLESPACE small TEMPLATE template0")
    url = database_named(server().url, "full_disk")
    answered: set[str] = set()
    refused: set[str] = set()

    async def run() -> None:
        store = PostgresStore(url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        ballast = small_disk / "ballast"
        room = shutil.disk_usage(small_disk).free - 256 * 1024
        ballast.write_bytes(bytes(room))
        for number in range(1, 10**6):
            try:
                await writer.append(armed(number))
            except RetryableError as error:
                assert "No space left on device" in str(error), error  # noqa: PT017
                assert exit_code(error) == 4  # noqa: PT017
                refused.add(armed(number).cid)
            else:
                answered.add(armed(number).cid)
            if len(refused) == 5:
                break
        ballast.unlink()
        await writer.append(armed(0))
        answered.add(armed(0).cid)
        await store.close()

    try:
        asyncio.run(run())
        assert cids(url) == answered
        assert answered.isdisjoint(refused)
    finally:
        with psycopg.connect(server().url, autocommit=True) as beside:
            beside.execute("DROP DATABASE full_disk WITH (FORCE)")
            beside.execute("DROP TABLESPACE small")
