"""Lease stores for tests, each kind by name, and members to enter.

Not here: what is asked of them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import LeaseStore, Member
from holdfast.cluster.postgres import PostgresLeases
from holdfast.cluster.redis import RedisLeases
from holdfast.cluster.sqlite import SqliteLeases
from holdfast.cluster.timing import Timing
from tests.support.postgres import database
from tests.support.redis import redis_url

KINDS = ("memory", "sqlite", "postgres", "redis")

_numbers = itertools.count(1)

PATIENT = Timing(renew_s=5.0, ttl_s=60.0, call_s=20.0)
"""For tests that are not about time, on a machine that may be busy."""


def member(
    boot_id: str,
    *,
    node: str = "",
    host: str = "here",
    pid: int = 1,
    accounts: tuple[str, ...] = ("main",),
) -> Member:
    """A member; its node is called like its boot id unless told otherwise."""
    return Member(boot_id, node or boot_id, host, pid, 7, "0.1.0", accounts)


def new_leases(
    kind: str, directory: Path, stack: ExitStack, timing: Timing = PATIENT
) -> Callable[[], LeaseStore]:
    """What opens one new, empty store, as often as it is called.

    Args:
        stack: closes what the store runs on.
    """
    if kind == "memory":
        shared = MemoryLeases()
        return lambda: shared
    if kind == "postgres":
        url = stack.enter_context(database())
        return lambda: PostgresLeases(url, timing)
    if kind == "redis":
        deployment = f"test-{os.getpid()}-{next(_numbers)}"
        return lambda: RedisLeases(redis_url(), timing, deployment)
    return lambda: SqliteLeases(directory / "leases", timing)
