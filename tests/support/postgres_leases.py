"""Leases on a PostgreSQL server, and what somebody does there by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from holdfast.cluster.port import Seen
from holdfast.cluster.postgres import PostgresLeases
from holdfast.cluster.timing import Timing
from tests.support.leases import PATIENT, member

T = TypeVar("T")

QUICK = Timing(renew_s=0.5, ttl_s=4.0, call_s=1.0)
A = member("a")


def run(url: str, use: Callable[[PostgresLeases], Awaitable[T]], timing: Timing = PATIENT) -> T:
    async def opened() -> T:
        leases = PostgresLeases(url, timing)
        try:
            return await use(leases)
        finally:
            await leases.close()

    return asyncio.run(opened())


def by_hand(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


async def seen(leases: PostgresLeases, boot_id: str) -> Seen:
    return next(s for s in (await leases.view()).members if s.member.boot_id == boot_id)
