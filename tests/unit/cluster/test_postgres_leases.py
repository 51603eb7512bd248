"""Leases on a real PostgreSQL server: sessions that end, silent servers, tables by hand."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import psycopg
import pytest

from holdfast.cluster import postgres_line
from holdfast.cluster.port import Claim
from holdfast.cluster.postgres import PostgresLeases
from holdfast.cluster.postgres_line import Line
from holdfast.errors import OutcomeUnknownError, RetryableError
from tests.support.leases import PATIENT
from tests.support.postgres import server
from tests.support.postgres_leases import QUICK, A, by_hand, run, seen
from tests.support.postgres_servers import configure
from tests.support.waiting import PATIENCE_S


def backend(url: str) -> int:
    """The process of the server that serves the keeper."""
    ((pid,),) = by_hand(
        url,
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'holdfast keeper' "
        "AND datname = current_database()",
    )
    assert isinstance(pid, int)
    return pid


def test_a_member_is_connected_as_long_as_its_session_lasts(url: str) -> None:
    async def use(watcher: PostgresLeases) -> None:
        other = PostgresLeases(url, PATIENT)
        await other.join(A)
        assert (await seen(watcher, "a")).is_connected is True
        await other.close()

        async def gone() -> None:
            while (await seen(watcher, "a")).is_connected:
                await asyncio.sleep(0)

        await asyncio.wait_for(gone(), PATIENCE_S)
        assert (await seen(watcher, "a")).is_connected is False
        assert await other.renew("a") == ()
        assert (await seen(watcher, "a")).is_connected is True
        await other.close()

    run(url, use)


def test_renewals_do_not_wait_for_the_disk_and_what_is_asked_of_it_does(url: str) -> None:
    behind = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"

    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        waited = list[bool]()
        for _ in range(10):  # the server flushes five times a second by itself
            await leases.renew("a")
            ((written,),) = by_hand(url, "SELECT pg_current_wal_insert_lsn()")
            waited.append(by_hand(url, behind)[0][0] == 0)
            await leases.sync()
            flushed = f"SELECT pg_current_wal_flush_lsn() >= '{written}'"
            assert by_hand(url, flushed) == [(True,)]
        assert not all(waited)

    run(url, use)


@pytest.mark.skipif(
    "HOLDFAST_TEST_DATABASE_URL" in os.environ, reason="a server that is not ours to configure"
)
def test_what_waits_for_the_disk_has_one_session_however_long_and_holds_up_nothing(
    url: str,
) -> None:
    of_keepers = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast keeper' "
        "AND datname = current_database()"
    )

    async def sessions(count: int) -> None:
        while by_hand(url, of_keepers) != [(count,)]:
            await asyncio.sleep(0.05)

    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        configure(server(), "synchronous_standby_names", "away")  # no commit is answered
        try:
            asking = asyncio.create_task(leases.sync())
            while (await asyncio.wait({asking}, timeout=1.5 * QUICK.call_s))[0]:  # not yet so
                asking.result()
                asking = asyncio.create_task(leases.sync())
            await asyncio.wait_for(sessions(2), PATIENCE_S)
            assert await leases.renew("a") == ()
            assert not asking.done()
            assert by_hand(url, of_keepers) == [(2,)]
        finally:
            configure(server(), "synchronous_standby_names", "")
        await asyncio.wait_for(asking, PATIENCE_S)
        await asyncio.wait_for(sessions(1), PATIENCE_S)

    run(url, use, QUICK)


def test_a_session_that_the_server_ended_is_opened_again(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        by_hand(url, f"SELECT pg_terminate_backend({backend(url)}, 10000)")
        with pytest.raises(OutcomeUnknownError, match="look whether it was done"):
            await leases.renew("a")
        assert await leases.renew("a") == ()
        assert (await seen(leases, "a")).renewals == 1

    run(url, use)


def test_a_silent_server_costs_one_call_and_leaves_its_outcome_open(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        pid = backend(url)
        os.kill(pid, signal.SIGSTOP)
        try:
            began_s = time.monotonic()
            with pytest.raises(OutcomeUnknownError, match="no answer within 1 s"):
                await leases.renew("a")
            assert time.monotonic() - began_s < PATIENCE_S
            assert await leases.renew("a") == ()  # on another session
        finally:
            os.kill(pid, signal.SIGCONT)

    run(url, use, QUICK)


def test_a_member_whose_call_is_late_stays_connected_and_goes_on_where_it_was(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        watcher = PostgresLeases(url, PATIENT)
        await leases.join(A)
        pid = backend(url)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(OutcomeUnknownError, match="no answer within 1 s"):
                await leases.renew("a")
            assert (await seen(watcher, "a")).is_connected is True
        finally:
            os.kill(pid, signal.SIGCONT)
        await watcher.close()

        idle = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'idle'"

        async def answered() -> None:
            while not by_hand(url, idle):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)

        await asyncio.wait_for(answered(), PATIENCE_S)
        assert await leases.renew("a") == ()
        assert backend(url) == pid, "its answer came, and no other session is left"

    run(url, use, QUICK)


def test_a_late_session_that_answers_before_another_is_open_stays_the_only_one(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = psycopg.AsyncConnection.connect

    async def slow(*args: object, **options: object) -> object:
        await asyncio.sleep(3 * QUICK.call_s)
        return await connect(*args, **options)  # type: ignore[arg-type]

    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        pid = backend(url)
        monkeypatch.setattr(psycopg.AsyncConnection, "connect", slow)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(OutcomeUnknownError, match="no answer within 1 s"):
                await leases.renew("a")
            with pytest.raises(RetryableError, match="no answer within 1 s"):
                await leases.renew("a")  # another one is on its way
        finally:
            os.kill(pid, signal.SIGCONT)
        opening = leases._line._opening
        assert opening is not None
        late = leases._line._late
        assert late is not None
        await asyncio.wait({late[1]})
        assert await leases.renew("a") == ()
        assert not opening.done()
        await opening
        assert await leases.renew("a") == ()
        assert backend(url) == pid
        monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect)
        os.kill(pid, signal.SIGSTOP)  # late once more: what was opened then is of no use now
        try:
            with pytest.raises(OutcomeUnknownError):
                await leases.renew("a")
            assert await leases.renew("a") == ()
        finally:
            os.kill(pid, signal.SIGCONT)

    run(url, use, QUICK)


def test_of_two_sessions_that_were_late_the_one_that_has_answered_goes_on(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        async def late(stopped: int) -> None:
            os.kill(stopped, signal.SIGSTOP)
            with pytest.raises(OutcomeUnknownError):
                await leases.renew("a")

        await leases.join(A)
        first = backend(url)
        await late(first)
        line = leases._line
        second = await line._ready()  # opened, not yet used
        assert line._late is not None
        os.kill(first, signal.SIGCONT)
        await asyncio.wait({line._late[1]})
        try:
            await late(second.backend[0])
            assert line._session is not None
            assert line._session.backend[0] == first
            assert await leases.renew("a") == ()
        finally:
            os.kill(second.backend[0], signal.SIGCONT)

    run(url, use, QUICK)


def test_a_session_that_another_one_did_for_is_ended(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        pid = backend(url)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(OutcomeUnknownError):
                await leases.renew("a")
            assert await leases.renew("a") == ()
        finally:
            os.kill(pid, signal.SIGCONT)
        of_it = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"

        async def gone() -> None:
            while by_hand(url, of_it):
                await asyncio.sleep(0.05)

        await asyncio.wait_for(gone(), PATIENCE_S)
        assert await leases.renew("a") == ()

    run(url, use, QUICK)


@pytest.mark.skipif(
    "HOLDFAST_TEST_DATABASE_URL" in os.environ, reason="a server that is not ours to crash"
)
def test_after_a_crash_of_the_server_claims_are_what_they_were(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        await leases.take("a", (Claim("main", "", 0),), None)
        for _ in range(5):
            await leases.renew("a")
        server().crash()
        with pytest.raises((RetryableError, OutcomeUnknownError)):
            await leases.renew("a")
        with pytest.raises(RetryableError, match="does not answer"):
            await leases.renew("a")
        server().start()
        assert await leases.renew("a") == (Claim("main", "a", 1),)  # how often is of no matter

    run(url, use)


def test_who_is_cancelled_in_the_middle_leaves_a_store_that_works(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        for _ in range(5):
            asked = asyncio.ensure_future(leases.renew("a"))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
        assert await leases.renew("a") == ()

    run(url, use)


def test_a_lock_that_somebody_holds_is_a_failure_that_did_nothing(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        with psycopg.connect(url) as other:
            other.execute("SELECT FROM lease_member FOR UPDATE")
            with pytest.raises((RetryableError, OutcomeUnknownError)):
                await leases.renew("a")
        assert await leases.renew("a") == ()
        assert (await seen(leases, "a")).renewals >= 1

    run(url, use, QUICK)


def test_a_node_that_stops_between_two_calls_holds_no_lock(url: str) -> None:
    """Each call is one message: nothing is open in the server when none is under way."""

    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        await leases.take("a", (Claim("main", "", 0),), None)
        assert by_hand(
            url,
            "SELECT state, (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid) "
            f"FROM pg_stat_activity a WHERE pid = {backend(url)}",
        ) == [("idle", 0)]

    run(url, use)


def test_a_renewal_does_not_wait_for_the_disk_and_a_claim_does(url: str) -> None:
    async def use(leases: PostgresLeases) -> None:
        await leases.join(A)
        setting = "SELECT setting FROM pg_settings WHERE name = 'synchronous_commit'"
        assert by_hand(url, setting) == [("on",)]
        await leases.renew("a")
        said = await leases._line.run("SHOW synchronous_commit", {}, writes=False)
        assert said == [[("on",)]]  # what follows a renewal waits again

    run(url, use)


def test_a_server_that_falls_silent_once_it_has_let_somebody_in_is_given_up_for_another_session(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in, stopped = Line._let_in, list[int]()

    async def silent_at_first(line: Line, asked: dict[str, Any]) -> Any:
        connection = await let_in(line, asked)
        if not stopped:
            stopped.append(connection.info.backend_pid)
            os.kill(stopped[0], signal.SIGSTOP)
        return connection

    async def use(leases: PostgresLeases) -> None:
        with pytest.raises(RetryableError):
            await leases.view()
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                await leases.view()
            except RetryableError:
                assert time.monotonic() < deadline_s, "it waits for the silent one for ever"
            else:
                return

    monkeypatch.setattr(postgres_line, "OPEN_S", 0.5)
    monkeypatch.setattr(Line, "_let_in", silent_at_first)
    try:
        run(url, use, QUICK)
    finally:
        os.kill(stopped[0], signal.SIGCONT)


def test_a_session_that_takes_longer_to_open_than_a_call_is_used_by_a_later_one(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, opened = psycopg.AsyncConnection.connect, 0

    async def slow(*args: object, **options: object) -> object:
        nonlocal opened
        opened += 1
        await asyncio.sleep(2 * QUICK.call_s)  # as a server does that has just begun
        return await connect(*args, **options)  # type: ignore[arg-type]

    async def use(leases: PostgresLeases) -> None:
        with pytest.raises(RetryableError, match="no answer within"):
            await leases.view()
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                await leases.view()
            except RetryableError:
                continue
            return
        raise AssertionError("never opened")

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", slow)
    run(url, use, QUICK)

    assert opened == 1, "whoever asked later waited for the same one"
