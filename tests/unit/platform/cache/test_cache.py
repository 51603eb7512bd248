"""Answers that are kept: under which key, for how long, never of orders, and with Redis gone.

On a real Redis. Not here: what is worth keeping.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from holdfast.domain.fill import Fill
from holdfast.errors import ConfigError
from holdfast.platform.cache.port import Cache, NoCache
from holdfast.platform.cache.redis import AGAIN_S, RedisCache
from holdfast.platform.cache.results import EXPIRY_S, cache_result, key_of
from tests.support.redis import RedisServer, redis_url


class Figure(msgspec.Struct, frozen=True):
    """An answer."""

    name: str
    value: Decimal


class Balance(msgspec.Struct):
    """Never cached."""

    free: Decimal


class Overview(msgspec.Struct):
    """Nor is what holds one."""

    title: str
    assets: dict[str, list[Balance]]


def new_cache(url: str | None = None, **more: Any) -> RedisCache:
    return RedisCache(url or redis_url(), f"test-{uuid4().hex}", **more)


def counted(cache: Cache, expiry_s: float = EXPIRY_S) -> tuple[Any, list[str]]:
    """A cached function, and what it was really called with."""
    calls: list[str] = []

    @cache_result(lambda: cache, expiry_s)
    async def figure(name: str, *, times: int = 1) -> Figure:
        calls.append(f"{name}×{times}")
        return Figure(name, Decimal("1.10") * times)

    return figure, calls


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_a_second_answer_comes_from_the_cache_as_the_type_it_was() -> None:
    async def test() -> None:
        cache = new_cache()
        figure, calls = counted(cache)
        first = await figure("sharpe", times=2)
        assert await figure("sharpe", times=2) == first == Figure("sharpe", Decimal("2.20"))
        assert await figure(name="sharpe", times=2) == first  # the same words, said otherwise
        assert await figure("sharpe") != first
        assert calls == ["sharpe×2", "sharpe×1"]
        await cache.close()

    run(test)


def test_an_answer_is_forgotten_in_its_time() -> None:
    async def test() -> None:
        cache = new_cache()
        figure, calls = counted(cache, expiry_s=0.05)
        await figure("a")
        while await cache.get(key_of(figure.__module__ + "." + figure.__qualname__,
                                     {"name": "a", "times": 1})):  # fmt: skip
            await asyncio.sleep(0.01)
        await figure("a")
        assert len(calls) == 2
        await cache.close()

    run(test)


def test_five_minutes_unless_told_otherwise() -> None:
    assert EXPIRY_S == 300


def test_a_key_is_the_same_in_every_process_and_for_any_order_of_words() -> None:
    code = (
        "from holdfast.platform.cache.results import key_of; "
        "print(key_of('f', {'a': {'x': 1, 'y': [2.5, 'z']}, 'b': None}))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert keys == {key_of("f", {"b": None, "a": {"y": [2.5, "z"], "x": 1}})}
    assert key_of("f", {"a": 1}) != key_of("f", {"a": "1"}) != key_of("g", {"a": "1"})


def test_what_orders_and_balances_are_is_never_cached() -> None:
    async def fills() -> list[Fill]:
        return []

    async def overview() -> Overview | None:
        return None

    async def untyped():  # type: ignore[no-untyped-def]
        return 1

    def plain() -> int:
        return 1

    for function in (fills, overview, untyped, plain):
        with pytest.raises(TypeError):
            cache_result(NoCache)(function)  # type: ignore[arg-type]


def test_what_cannot_be_a_key_is_refused_and_not_guessed() -> None:
    figure, calls = counted(NoCache())
    with pytest.raises(TypeError):
        asyncio.run(figure(object()))
    assert calls == []
    with pytest.raises(ValueError, match="more than zero"):
        cache_result(NoCache, 0)


def test_what_somebody_else_wrote_is_not_taken_for_an_answer() -> None:
    async def test() -> None:
        cache = new_cache()
        figure, calls = counted(cache)
        name = f"{figure.__module__}.{figure.__qualname__}"
        for damaged in (b"{", b'{"name": 1, "value": "x"}', b"\xff\x00"):
            await cache.put(key_of(name, {"name": "a", "times": 1}), damaged, 60)
            assert await figure("a") == Figure("a", Decimal("1.10"))
        assert len(calls) == 3
        await cache.close()

    run(test)


def test_the_servers_death_is_noticed_costs_little_and_heals(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = RedisServer()
    now_s = 0.0

    async def test() -> None:
        nonlocal now_s
        cache = new_cache(server.url, now_s=lambda: now_s)
        figure, calls = counted(cache)
        await figure("a")
        server.crash()
        assert await figure("a") == Figure("a", Decimal("1.10"))
        assert not cache.is_up
        await figure("a")  # nobody asks it again so soon
        server.start()
        await figure("a")
        assert (len(calls), cache.is_up) == (4, False)
        now_s += AGAIN_S
        await figure("b")
        await figure("b")
        assert (len(calls), cache.is_up) == (5, True)
        await cache.close()

    try:
        with caplog.at_level("INFO"):
            asyncio.run(test())
    finally:
        server.stop()
    told = [record.msg["action"] for record in caplog.records if isinstance(record.msg, dict)]
    assert told == ["cache_away", "cache_back"]


def test_an_address_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as refused:
        RedisCache("http://user:hunter2@host")
    assert "hunter2" not in str(refused.value)
