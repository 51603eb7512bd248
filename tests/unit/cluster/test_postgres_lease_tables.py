"""The tables of leases in PostgreSQL: servers that are not there, other databases, rows by hand."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from holdfast.cluster.port import Claim
from holdfast.cluster.postgres import PostgresLeases
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.leases import PATIENT, member
from tests.support.postgres import database
from tests.support.postgres_leases import QUICK, A, by_hand, run
from tests.support.waiting import until


def test_a_database_that_takes_no_writes_is_told(url: str) -> None:
    run(url, lambda leases: leases.join(A))
    by_hand(url, "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on")
    try:
        with pytest.raises(RetryableError, match="read-only transaction"):
            run(url, lambda leases: leases.renew("a"))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE CURRENT_USER RESET default_transaction_read_only")


def test_a_server_that_is_not_there_is_told_in_time() -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        run("postgresql://u@127.0.0.1:1/x", lambda leases: leases.renew("a"), QUICK)


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    async def use() -> None:
        held: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _, w: held.append(w), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        leases = PostgresLeases(f"postgresql://u@127.0.0.1:{port}/x", QUICK)
        with pytest.raises(RetryableError, match="no answer within 1 s"):
            await leases.renew("a")
        await until(lambda: bool(held), "a connection")
        for writer in held:
            writer.close()
        server.close()
        await server.wait_closed()

    asyncio.run(use())


def test_what_is_no_address_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        PostgresLeases("postgresql://me:sec%ret@h/n", PATIENT)
    assert "ret" not in str(refused.value).replace("secret", "")


def test_a_database_that_does_not_exist_is_a_mistake_in_configuration(url: str) -> None:
    address, _, rest = url.partition("?")
    with pytest.raises(ConfigError, match="does not exist"):
        run(f"{address}_not?{rest}", lambda leases: leases.renew("a"))


def test_tables_of_another_version_are_refused(url: str) -> None:
    run(url, lambda leases: leases.join(A))
    by_hand(url, "UPDATE lease_version SET version = 9")
    with pytest.raises(ConfigError, match=r"lease tables of version 9 .*expected: 1"):
        run(url, lambda leases: leases.renew("a"))


def test_rows_changed_by_hand_are_shown_as_they_are(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        by_hand(url, "UPDATE lease_member SET renewals = -3, accounts = '{main,NULL,\"\"}'")
        by_hand(url, "UPDATE lease_claim SET boot_id = 'nobody I know', turn = 99")
        assert await leases.renew("a") == ()
        view = await leases.view()
        assert view.claims == (Claim("main", "nobody I know", 99),)
        assert view.members[0].renewals == -2
        assert view.members[0].member.accounts[0] == "main"

    run(url, use)


def test_tables_dropped_by_hand_are_made_again_and_everybody_is_gone(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        by_hand(url, "DROP TABLE lease_member, lease_claim")
        with pytest.raises(RetryableError, match="they are made again"):
            await leases.renew("a")
        assert await leases.renew("a") is None

    run(url, use)


def test_leases_may_have_a_database_without_a_journal() -> None:
    with database(empty=True) as url:
        run(url, lambda leases: leases.join(A))
        assert [s.member for s in run(url, lambda leases: leases.view()).members] == [A]


def test_leases_that_came_first_are_not_in_the_way_of_a_journal() -> None:
    with database(empty=True) as url:
        run(url, lambda leases: leases.join(A))
        journal = PostgresDatabase(url)
        assert journal.version() is None
        journal.upgrade()
        assert journal.version() is not None


def test_many_who_begin_at_once_make_the_tables_once(url: str) -> None:
    async def use() -> None:
        stores = [PostgresLeases(url, PATIENT) for _ in range(6)]
        await asyncio.gather(*(s.join(member(f"n{n}")) for n, s in enumerate(stores)))
        assert len((await stores[0].view()).members) == 6
        for store in stores:
            await store.close()

    asyncio.run(use())
