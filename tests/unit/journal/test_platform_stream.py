"""The platform's stream and tables: what every store promises, asked of each one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.domain.platform import PLATFORM, Requested, UserCreated
from holdfast.errors import ConfigError, CorruptionError, RejectedError, RetryableError
from holdfast.journal import platform as stream
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.platform_sqlite import SqlitePlatform
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.postgres_move import move
from holdfast.journal.record import FORMAT, GENESIS, encode, link
from holdfast.journal.sqlite_connect import connect
from holdfast.journal.verify import verify
from holdfast.platform.port import Change, Event, PlatformStore
from tests.support.journal_facts import flow
from tests.support.platform_stores import KINDS, journal
from tests.support.postgres import database


@pytest.fixture(params=KINDS)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with journal(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def store(where: Database) -> Iterator[PlatformStore]:
    with closing(where.platform()) as opened:
        yield opened


def fact(number: int) -> Requested:
    return Requested(by="user:ana", action=f"a{number}", detail="ü 'quoted' \"\\ <b>")



def test_a_new_stream_is_empty(store: PlatformStore) -> None:
    assert store.head() == 0
    assert list(store.events(0, 10)) == []
    assert list(store.events_before(0, 10)) == []


def test_facts_are_read_back_in_order_and_from_the_end(store: PlatformStore) -> None:
    for number in range(1, 6):
        store.change(lambda change, n=number: change.note(fact(n)))  # type: ignore[misc]
    store.change(lambda change: change.note(fact(6), fact(7)))
    assert store.head() == 7
    assert [event.fact for event in store.events(0, 100)] == [fact(n) for n in range(1, 8)]
    assert [event.seq for event in store.events(4, 2)] == [5, 6]
    assert [event.seq for event in store.events_before(0, 3)] == [7, 6, 5]
    assert [event.seq for event in store.events_before(3, 9)] == [2, 1]


def test_any_text_of_a_request_can_be_noted(where: Database, store: PlatformStore) -> None:
    hostile = "a\x00b \ud800 ü \U0001f600 '--"
    store.change(
        lambda change: change.note(Requested(by="user:ana", action="x", target=hostile))
    )
    (event,) = store.events(0, 9)
    assert isinstance(event.fact, Requested)
    assert event.fact.target == hostile.replace("\ud800", "?")
    assert verify(where).ok


def test_the_head_is_the_chain_over_all_bodies(where: Database, store: PlatformStore) -> None:
    store.change(lambda change: change.note(fact(1), fact(2)))
    store.change(lambda change: change.note(fact(3)))
    digest = GENESIS
    for event in store.events(0, 9):
        digest = link(digest, encode(event))  # type: ignore[arg-type]
    with where.one_moment() as rows:
        head = stream.platform_head(where.name, rows)
        assert [event.seq for event in stream.proved_events(where.name, rows)] == [1, 2, 3]
    assert (head.account, head.epoch, head.seq, head.hash) == (PLATFORM, 0, 3, digest)


def test_rows_and_facts_are_committed_together_or_not_at_all(store: PlatformStore) -> None:
    def insert(change: Change) -> None:
        change.run(
            "INSERT INTO user_grant (user_id, account, bot) VALUES (?, ?, ?)", "u", "main", "it's"
        )
        change.note(fact(1))
        assert change.row("SELECT bot FROM user_grant") == ("it's",)

    def insert_and_fail(change: Change) -> None:
        change.run("DELETE FROM user_grant")
        insert(change)
        raise RejectedError("no", "reason")

    store.change(insert)
    with pytest.raises(RejectedError):
        store.change(insert_and_fail)
    rows = store.look(lambda look: look.rows("SELECT user_id, account, bot FROM user_grant"))
    assert rows == [("u", "main", "it's")]
    assert store.head() == 1


def test_how_many_rows_changed_is_told(store: PlatformStore) -> None:
    def change(change: Change) -> list[int]:
        insert = "INSERT INTO user_grant VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        return [
            change.run(insert, "u", "main", ""),
            change.run(insert, "u", "main", ""),
            change.run(insert, "u", "other", ""),
            change.run("DELETE FROM user_grant WHERE user_id = ?", "u"),
        ]

    assert store.change(change) == [1, 0, 1, 2]


def test_many_processes_append_and_none_of_it_is_lost_or_twice(where: Database) -> None:
    stores, errors = [where.platform() for _ in range(4)], []

    def append(number: int) -> None:
        try:
            for turn in range(15):
                stores[number].change(
                    lambda change, n=number * 100 + turn: change.note(fact(n))  # type: ignore[misc]
                )
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = [event.fact for event in stores[0].events(0, 1000)]
    assert len(found) == 60
    assert {one.action for one in found if isinstance(one, Requested)} == {
        f"a{number * 100 + turn}" for number in range(4) for turn in range(15)
    }
    for opened in stores:
        opened.close()
    assert verify(where, PLATFORM).ok


def test_a_decision_is_made_again_when_another_was_quicker(where: Database) -> None:
    """What was read belongs to what is written: an audited change is never based on old rows."""
    one, other = where.platform(), where.platform()
    looked = threading.Event()
    seen: list[int] = []

    def count(change: Change) -> None:
        row = change.row("SELECT count(*) FROM user_grant")
        seen.append(row[0] if row else -1)
        if isinstance(where, PostgresDatabase) and not looked.is_set():
            looked.set()
            other.change(insert)
        change.note(fact(2))

    def insert(change: Change) -> None:
        change.run("INSERT INTO user_grant VALUES ('u', 'main', '')")
        change.note(fact(1))

    one.change(count)
    assert seen == ([0, 1] if isinstance(where, PostgresDatabase) else [0])
    one.close()
    other.close()
    assert verify(where).ok


def test_events_are_those_of_their_own_stream_and_no_account_s(
    where: Database, store: PlatformStore
) -> None:
    store.change(lambda change: change.note(UserCreated(by="cli:x", name="ana", role="admin")))
    report = verify(where)
    assert [(one.account, one.records, one.proved_to) for one in report.streams] == [
        (PLATFORM, 1, 1)
    ]
    with where.one_moment() as rows:
        assert rows.execute("SELECT count(*) FROM head").fetchone()[0] == 0


@pytest.mark.parametrize(
    ("damage", "first_bad"),
    [
        ("UPDATE platform_record SET body = ? WHERE seq = 2", 2),
        ("UPDATE platform_record SET hash = ? WHERE seq = 3", 3),
        ("DELETE FROM platform_record WHERE seq = 2 OR hash = ?", 2),
        ("DELETE FROM platform_record WHERE seq = 4 OR hash = ?", 4),
        ("UPDATE platform_head SET hash = ?", 5),
        ("DELETE FROM platform_head WHERE hash <> ?", 5),
    ],
)
def test_what_was_changed_behind_its_back_is_found(
    damage: str, first_bad: int, where: Database, store: PlatformStore
) -> None:
    store.change(lambda change: change.note(*(fact(n) for n in range(1, 5))))
    store.change(lambda change: change.run(damage, b"x" * 32))
    report = verify(where)
    assert not report.ok
    assert report.first_bad is not None
    assert (report.first_bad.account, report.first_bad.seq) == (PLATFORM, first_bad)


def test_a_stream_that_is_damaged_is_not_gone_on_with(store: PlatformStore) -> None:
    """Its end is where it was, and nothing is written over what is there."""
    store.change(lambda change: change.note(fact(1), fact(2)))
    store.change(lambda change: change.run("DELETE FROM platform_head"))
    with pytest.raises(Exception, match=r"UNIQUE|duplicate|damaged"):
        store.change(lambda change: change.note(fact(3)))
    assert [event.seq for event in store.events(0, 9)] == [1, 2]


def test_a_journal_is_moved_with_its_platform(tmp_path: Path) -> None:
    source = SqliteDatabase(tmp_path / "journal.db")
    with closing(source.platform()) as store:
        store.change(lambda change: change.run("INSERT INTO user_grant VALUES ('u', 'main', '')"))
        store.change(lambda change: change.note(fact(1), fact(2)))
    with database() as url:
        target = PostgresDatabase(url, tmp_path / "state")
        move(source, target)
        with closing(target.platform()) as store:
            assert [event.fact for event in store.events(0, 9)] == [fact(1), fact(2)]
            assert store.look(lambda look: look.rows("SELECT user_id FROM user_grant")) == [("u",)]
            store.change(lambda change: change.note(fact(3)))
        assert verify(target).ok
        target.close()


def test_a_damaged_platform_is_not_moved(tmp_path: Path) -> None:
    source = SqliteDatabase(tmp_path / "journal.db")
    with closing(source.platform()) as store:
        store.change(lambda change: change.note(fact(1), fact(2)))
        store.change(lambda change: change.run("DELETE FROM platform_record WHERE seq = 1"))
    with database() as url:
        target = PostgresDatabase(url, tmp_path / "state")
        with pytest.raises(CorruptionError, match="@platform, record 1"):
            move(source, target)
        assert verify(target).streams == ()
        target.close()
    assert source.name.exists()


def test_what_is_written_while_a_move_goes_on_stops_the_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SqliteDatabase(tmp_path / "journal.db")
    store = SqlitePlatform(source.name)
    store.change(lambda change: change.note(fact(1)))
    from holdfast.journal import postgres_move  # noqa: PLC0415

    proved = postgres_move._prove_platform

    def meanwhile(*given: object) -> None:
        store.change(lambda change: change.note(fact(2)))
        proved(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_move, "_prove_platform", meanwhile)
    with database() as url:
        target = PostgresDatabase(url, tmp_path / "state")
        with pytest.raises(ConfigError, match="grew meanwhile"):
            move(source, target)
        target.close()
    store.close()
    assert verify(source).streams[-1].records == 2


def test_a_connection_that_is_lost_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with journal("postgres", tmp_path) as where, closing(where.platform()) as store:

        def cut(change: Change) -> None:
            change.run("INSERT INTO user_grant VALUES ('u', 'main', '')")
            change.note(fact(1))
            change.rows("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(RetryableError):
            store.change(cut)
        assert store.head() == 0
        assert store.look(lambda look: look.rows("SELECT * FROM user_grant")) == []
        store.change(lambda change: change.note(fact(2)))
        assert store.head() == 1
        assert verify(where).ok


def test_a_process_that_freezes_in_the_middle_holds_nobody_up(tmp_path: Path) -> None:
    with journal("postgres", tmp_path) as where, closing(where.platform()) as store:
        store.change(lambda change: change.note(fact(1)))

        def freeze(change: Change) -> None:
            change.run("UPDATE platform_head SET seq = seq")  # as late as it can: it holds the head
            frozen.set()
            assert thawed.wait(60)
            change.note(fact(2))

        frozen, thawed = threading.Event(), threading.Event()
        said: list[BaseException] = []

        def run() -> None:
            try:
                store.change(freeze)
            except RetryableError as error:
                said.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert frozen.wait(60)
        store.change(lambda change: change.note(fact(3)))
        thawed.set()
        thread.join()
        assert len(said) == 1
        assert [event.fact for event in store.events(0, 9)] == [fact(1), fact(3)]


def test_an_account_s_stream_goes_on_beside_it(tmp_path: Path) -> None:
    """A writer of the platform never holds up the one of an account for longer than its commit."""
    from holdfast.journal.port import Group  # noqa: PLC0415
    from holdfast.journal.sqlite_file import SqliteFile  # noqa: PLC0415

    store, file = SqlitePlatform(tmp_path / "journal.db"), SqliteFile(tmp_path / "journal.db")
    head = file.acquire("main", "a")
    for number in range(1, 20):
        store.change(lambda change, n=number: change.note(fact(n)))  # type: ignore[misc]
        head, _ = file.commit(head, [Group((flow(f"f{number}"),))], number)
    file.close()
    store.close()
    report = verify(SqliteDatabase(tmp_path / "journal.db"))
    proved = {one.account: one.proved_to for one in report.streams}
    assert proved == {"main": 19, PLATFORM: 19}


def test_one_body_is_a_record_like_any_other(store: PlatformStore) -> None:
    store.change(lambda change: change.note(fact(1)))
    (event,) = store.events(0, 9)
    assert isinstance(event, Event)
    assert (event.v, event.seq, event.epoch) == (FORMAT, 1, 0)
    assert event.at_ns > 1_600_000_000 * 10**9


def test_a_file_that_is_newer_than_this_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    SqlitePlatform(path).close()
    with closing(connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE compatibility SET oldest = '9999'")
    with pytest.raises(ConfigError, match="9999"):
        SqlitePlatform(path)
