"""The password of a real Redis is replaced: whoever uses it is let in again without a restart,
whichever side went first, and nobody ends while one of them is late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from holdfast.app.web.redis_rates import RedisRates
from holdfast.cluster.redis import RedisLeases
from holdfast.errors import ConfigError, OutcomeUnknownError, RetryableError
from holdfast.platform.cache.redis import RedisCache
from holdfast.platform.jobs.celery_runner import Sender
from tests.support.leases import PATIENT, member
from tests.support.redis import RedisServer

USER = "holdfast"


class Rotated:
    """A server, and the file that its password is read from."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        path = server.url.removeprefix("unix://")
        self._admin = Redis(unix_socket_path=path)
        self._file = folder / "password"
        self.url = f"unix://{USER}@{path}?password_from=file:{self._file}"

    def server_takes(self, password: str) -> None:
        """From here on it lets this one in alone, and whoever is in has to come again."""
        self._admin.acl_setuser(
            USER, enabled=True, reset_passwords=True, passwords=[f"+{password}"], keys=["*"],
            channels=["*"], categories=["+@all"],
        )  # fmt: skip
        self._admin.client_kill_filter(skipme=True)

    def write(self, password: str, before: str = "") -> None:
        """What the reference leads to from here on, and the version before it."""
        for path, text in ((self._file, password), (Path(f"{self._file}.previous"), before)):
            path.write_text(text)
            path.chmod(0o600)

    def connections(self) -> int:
        """How many the server ever took."""
        told: Any = self._admin.info("stats")
        return int(told["total_connections_received"])

    def close(self) -> None:
        """Release the connection."""
        self._admin.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Rotated]:
    server = RedisServer()
    rotated = Rotated(server, tmp_path)
    yield rotated
    rotated.close()
    server.stop()


Uses = dict[str, Callable[[], Awaitable[bool]]]


@asynccontextmanager
async def everybody(url: str) -> AsyncIterator[Uses]:
    """All who use Redis, each with whether it is let in now."""
    cache, rates = RedisCache(url), RedisRates(url, "test")
    leases, sender = RedisLeases(url, PATIENT, "test"), Sender(url, "test")

    async def counted() -> bool:
        try:
            await rates.ask()
        except OSError:
            return False
        return True

    async def leased() -> bool:
        try:
            return (await leases.view()).members[0].member.boot_id == "a"
        except (RetryableError, OutcomeUnknownError):  # or a connection that ended under a call
            return False

    async def told() -> bool:
        return await asyncio.to_thread(sender.waiting) is not None

    try:
        await leases.join(member("a"))
        yield {"cache": cache.ping, "rates": counted, "leases": leased, "jobs": told}
    finally:
        await cache.close()
        await rates.close()
        await leases.close()


async def are_in(uses: Uses, rounds: int = 4) -> dict[str, bool]:
    """Who is; each may need as many tries as there are passwords, and one that was cut off."""
    found = dict.fromkeys(uses, False)
    for _ in range(rounds):
        for name, use in uses.items():
            found[name] = found[name] or await use()
        if all(found.values()):
            break
    return found


def test_whoever_uses_redis_is_let_in_again_after_a_rotation(redis: Rotated) -> None:
    async def work() -> None:
        redis.write("hunter-one")
        redis.server_takes("hunter-one")
        async with everybody(redis.url) as uses:
            assert all((await are_in(uses)).values())

            redis.server_takes("hunter-two")
            assert not any((await are_in(uses, rounds=2)).values()), "it knows this one no more"
            redis.write("hunter-two", before="hunter-one")
            assert all((await are_in(uses)).values()), "the server went first"

            redis.write("hunter-three", before="hunter-two")
            redis.server_takes("hunter-two")  # the same: whoever was in comes again
            assert all((await are_in(uses)).values()), "the secret went first"

            redis.server_takes("hunter-three")
            assert all((await are_in(uses)).values()), "and the server followed"

    asyncio.run(work())


def test_a_worker_that_looks_each_second_asks_for_its_password_once(redis: Rotated) -> None:
    redis.write("hunter-one")
    redis.server_takes("hunter-one")
    sender = Sender(redis.url, "test")
    assert sender.waiting() == 0
    before = redis.connections()
    assert [sender.waiting() for _ in range(3)] == [0, 0, 0]
    assert redis.connections() == before


def test_a_password_that_is_refused_from_the_start_is_a_mistake_in_the_configuration(
    redis: Rotated,
) -> None:
    async def work() -> None:
        redis.server_takes("hunter-one")
        redis.write("hunter-other")
        leases = RedisLeases(redis.url, PATIENT, "test")
        try:
            with pytest.raises(ConfigError, match="refuses us"):
                await leases.view()
            Path(redis.url.rpartition("file:")[2]).unlink()
            with pytest.raises(RetryableError, match="cannot be read"):
                await leases.view()
        finally:
            await leases.close()

    asyncio.run(work())
