"""Leases on a real Redis server: one that forgets, is silent, refuses, or was edited by hand."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis import Redis

from holdfast.cluster.port import Claim
from holdfast.cluster.redis import RedisLeases
from holdfast.cluster.redis_scripts import GARBAGE_S, KEYS
from holdfast.cluster.timing import Timing
from holdfast.errors import ConfigError, OutcomeUnknownError, RetryableError
from tests.support.leases import PATIENT, member
from tests.support.redis import RedisServer, redis_url
from tests.support.waiting import PATIENCE_S

T = TypeVar("T")

QUICK = Timing(renew_s=0.5, ttl_s=4.0, call_s=1.0)
A = member("a")
_numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A deployment of this test alone."""
    return f"alone-{os.getpid()}-{next(_numbers)}"


@contextmanager
def by_hand(url: str = "") -> Iterator[Any]:
    client = Redis.from_url(url or redis_url())
    try:
        yield client
    finally:
        client.close()


def run(
    use: Callable[[RedisLeases], Awaitable[T]], name: str, timing: Timing = PATIENT, url: str = ""
) -> T:
    async def opened() -> T:
        leases = RedisLeases(url or redis_url(), timing, name)
        try:
            return await use(leases)
        finally:
            await leases.close()

    return asyncio.run(opened())


@pytest.fixture(scope="module")
def own() -> Iterator[RedisServer]:
    """A server to be treated badly."""
    server = RedisServer()
    yield server
    server.stop()


def test_a_server_that_was_started_again_knows_nobody(own: RedisServer, name: str) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        assert await leases.renew("a") == ()
        own.crash()
        with pytest.raises((RetryableError, OutcomeUnknownError)):
            await leases.renew("a")
        with pytest.raises(RetryableError, match="does not answer"):
            await leases.renew("a")
        own.start()
        assert await leases.renew("a") is None

    run(use, name, url=own.url)


def test_a_flush_is_no_error_and_everybody_is_gone(own: RedisServer, name: str) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        with by_hand(own.url) as client:
            client.flushall()
        assert await leases.renew("a") is None
        assert (await leases.view()).claims == ()

    run(use, name, url=own.url)


def test_a_silent_server_costs_one_call_and_leaves_its_outcome_open(
    own: RedisServer, name: str
) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        own.process.send_signal(signal.SIGSTOP)
        try:
            began_s = time.monotonic()
            with pytest.raises(OutcomeUnknownError, match="no answer within 1 s"):
                await leases.renew("a")
            with pytest.raises(RetryableError, match="no answer within 1 s"):
                await leases.view()
            assert time.monotonic() - began_s < PATIENCE_S
        finally:
            own.process.send_signal(signal.SIGCONT)
        assert await leases.renew("a") == ()

    run(use, name, QUICK, own.url)


def test_who_is_cancelled_in_the_middle_leaves_a_store_that_works(name: str) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        for _ in range(5):
            asked = asyncio.ensure_future(leases.renew("a"))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
        assert await leases.renew("a") == ()

    run(use, name)


def test_a_connection_that_the_server_closed_is_opened_again(own: RedisServer, name: str) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        with by_hand(own.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(OutcomeUnknownError, match="look whether it was done"):
            await leases.renew("a")
        assert await leases.renew("a") == ()

    run(use, name, url=own.url)


def test_a_replica_takes_no_renewal_and_nothing_was_done(own: RedisServer, name: str) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        with by_hand(own.url) as client:
            client.replicaof("127.0.0.1", "1")
            try:
                with pytest.raises(RetryableError, match="expected: a primary"):
                    await leases.renew("a")
            finally:
                client.replicaof("NO", "ONE")
        assert await leases.renew("a") == ()

    run(use, name, url=own.url)


def test_whoever_leads_now_at_the_same_address_is_found_after_a_failover(
    own: RedisServer, name: str, tmp_path: Path
) -> None:
    """As behind an address that moves: the connection to the demoted one lives on."""
    address, promoted = tmp_path / "redis.sock", RedisServer()
    address.symlink_to(own.socket)

    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        assert await leases.renew("a") == ()
        address.unlink()
        address.symlink_to(promoted.socket)
        with by_hand(own.url) as client:
            client.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(RetryableError, match="expected: a primary"):
                await leases.renew("a")
            assert await leases.renew("a") is None, "it knows nobody yet"
        finally:
            with by_hand(own.url) as client:
                client.replicaof("NO", "ONE")

    try:
        run(use, name, url=f"unix://{address}")
    finally:
        promoted.stop()


def test_a_server_without_memory_is_told(own: RedisServer, name: str) -> None:
    async def use(leases: RedisLeases) -> None:
        await leases.join(A)
        with by_hand(own.url) as client:
            client.config_set("maxmemory", 1)
            try:
                with pytest.raises(RetryableError, match="memory"):
                    await leases.renew("a")
            finally:
                client.config_set("maxmemory", 0)

    run(use, name, url=own.url)


def test_a_wrong_password_is_a_mistake_in_configuration(own: RedisServer, name: str) -> None:
    with by_hand(own.url) as client:
        client.config_set("requirepass", "right")
        try:
            with pytest.raises(ConfigError, match="refuses us") as refused:
                run(lambda leases: leases.renew("a"), name, url=f"{own.url}?password=wrong")
            assert "wrong" not in str(refused.value).replace("WRONGPASS", "")
            with pytest.raises(ConfigError, match="refuses us"):
                run(lambda leases: leases.renew("a"), name, url=own.url)
        finally:
            client.config_set("requirepass", "")


@pytest.mark.parametrize("url", ["not an address", "redis://h:secret/x"])
def test_what_is_no_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.lease_url") as refused:
        RedisLeases(url, PATIENT)
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_told_in_time(name: str) -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        run(lambda leases: leases.renew("a"), name, QUICK, "redis://127.0.0.1:1/0")


def test_deployments_on_one_server_do_not_meet(name: str) -> None:
    run(lambda leases: leases.join(A), name)
    assert run(lambda leases: leases.view(), f"{name}-other").members == ()


def test_keys_end_long_after_the_last_renewal_and_no_lease_by_that(name: str) -> None:
    run(lambda leases: leases.join(A), name)
    with by_hand() as client:
        for key in KEYS:
            assert GARBAGE_S - PATIENCE_S < client.ttl(f"holdfast:{{{name}}}:{key}") <= GARBAGE_S


def test_keys_of_another_version_are_refused(name: str) -> None:
    run(lambda leases: leases.join(A), name)
    with by_hand() as client:
        client.set(f"holdfast:{{{name}}}:version", "9")
    with pytest.raises(ConfigError, match=r"OTHERVERSION 9; expected: leases of version 1"):
        run(lambda leases: leases.renew("a"), name)


def test_keys_of_another_kind_are_refused(name: str) -> None:
    with by_hand() as client:
        client.set(f"holdfast:{{{name}}}:member", "mine")
    with pytest.raises(ConfigError, match="WRONGTYPE"):
        run(lambda leases: leases.join(A), name)


def test_fields_changed_by_hand_are_shown_as_they_are(name: str) -> None:
    run(lambda leases: leases.join(A), name)
    with by_hand() as client:
        client.hset(f"holdfast:{{{name}}}:member", "a", "{no json")
        client.hset(f"holdfast:{{{name}}}:renewals", "a", "-3")
        client.hset(f"holdfast:{{{name}}}:holder", "main", "nobody I know")
        client.hdel(f"holdfast:{{{name}}}:turn", "main")

    async def use(leases: RedisLeases) -> None:
        assert await leases.renew("a") == ()
        view = await leases.view()
        assert view.claims == (Claim("main", "nobody I know", 0),)
        (seen,) = view.members
        assert (seen.renewals, seen.member.node, seen.member.accounts) == (
            -2, "unreadable", ("main",),
        )  # fmt: skip

    run(use, name)


def test_a_number_that_is_none_is_an_error_that_says_what_to_do(name: str) -> None:
    run(lambda leases: leases.join(A), name)
    with by_hand() as client:
        client.hset(f"holdfast:{{{name}}}:renewals", "a", "many")
    for call in (RedisLeases.view, lambda leases: leases.renew("a")):
        with pytest.raises(ConfigError, match="end all nodes, remove those keys"):
            run(call, name)
