"""How well this process is: what it depends on, asked in bounded time; and whether it is alive.

What anybody may see are single words. Addresses, errors and sizes are on the metrics port. Not
here: routes (routes.health), what is asked (the probes).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.api.ports import Ports, Probe
from holdfast.api.shapes.health import Checks, Health, Part, Services, State
from holdfast.errors import PlatformError
from holdfast.telemetry.build import build_of

ASK_S: Final = 1.0
KEPT_S: Final = 1.0
"""However many ask for health, a dependency is asked once in this time."""

_LEAST_FREE: Final = 0.05
_MEMORY: Final = Path("/proc/meminfo")


class Answered(msgspec.Struct, frozen=True):
    """What became of a question to a dependency.

    Attributes:
        why: it did not answer; for operators only.
    """

    state: State
    latency_ms: float | None = None
    why: str = ""

    @property
    def part(self) -> Part:
        """What anybody may see of it."""
        return Part(status=self.state, latency_ms=self.latency_ms)


class Checkup:
    """Looks at what this process depends on, now and then.

    Args:
        folder: where this process writes; its disk must have space.
        clock_s: monotonic.
    """

    def __init__(
        self, ports: Ports, folder: Path, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._ports = ports
        self._folder = folder
        self._build = build_of()
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._kept: dict[str, tuple[float, Answered]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def database(self) -> Answered:
        """Whether the journal's database answers."""
        return await self._ask("database", self._ports.database)

    async def redis(self) -> Answered:
        """Whether Redis answers; off where there is none."""
        return await self._ask("redis", self._ports.redis)

    async def ready(self) -> bool:
        """Whether requests can be answered: all of them need the database, none of them Redis."""
        return (await self.database()).state is State.OK

    async def health(self) -> Health:
        """All of it. Only without a database it is `down`: nothing else stops this process."""
        return (await self.detailed())[0]

    async def detailed(self) -> tuple[Health, dict[str, Any]]:
        """The same, and what operators may see beside it."""
        database, redis = await asyncio.gather(self.database(), self.redis())
        known = await self._ports.reads.conditions()
        connected = known.get("exchange_connected")
        exchange = State.OFF if connected is None else State.OK if connected else State.DOWN
        disk, memory = _disk(self._folder), _memory()
        last_order = known.get("last_order_at")
        health = Health(
            status=_worst(database.state, redis.state, exchange, disk[0], memory[0]),
            timestamp=datetime.now(UTC),
            uptime=round(self._clock_s() - self._began_s, 3),
            version=self._build.version,
            git_sha=self._build.git_sha,
            build_time=self._build.build_time,
            services=Services(
                database=database.state, redis=redis.state, exchange_apis=exchange
            ),
            checks=Checks(
                database=database.state, redis=redis.state, external_apis=exchange,
                disk_space=disk[0], memory=memory[0],
            ),
            exchange_connected=connected,
            seconds_since_last_order=(
                None if last_order is None
                else round((datetime.now(UTC) - last_order).total_seconds(), 3)
            ),
            redis_connected=None if redis.state is State.OFF else redis.state is State.OK,
        )  # fmt: skip
        details = {
            "database": msgspec.to_builtins(database),
            "redis": msgspec.to_builtins(redis),
            "disk_free_bytes": disk[1],
            "memory_available_bytes": memory[1],
            "pid": os.getpid(),
            "view": {name: str(value) for name, value in known.items()},
        }
        return health, details

    async def _ask(self, name: str, probe: Probe | None) -> Answered:
        if probe is None:
            return Answered(State.OFF)
        async with self._asking.setdefault(name, asyncio.Lock()):
            at_s, kept = self._kept.get(name, (-KEPT_S, Answered(State.OFF)))
            if self._clock_s() - at_s < KEPT_S:
                return kept
            answered = await self._answer(probe)
            self._kept[name] = (self._clock_s(), answered)
            return answered

    async def _answer(self, probe: Probe) -> Answered:
        begun_s = time.perf_counter()
        try:
            async with asyncio.timeout(ASK_S):
                await probe.ask()
        except TimeoutError:
            return Answered(State.DOWN, why=f"no answer within {ASK_S:g} s")
        except (PlatformError, OSError) as error:
            return Answered(State.DOWN, why=str(error))
        return Answered(State.OK, round((time.perf_counter() - begun_s) * 1000, 3))


def _worst(database: State, *others: State) -> State:
    if database is State.DOWN:
        return State.DOWN
    bad = {State.DOWN, State.DEGRADED}
    return State.DEGRADED if bad.intersection(others) else State.OK


def _disk(folder: Path) -> tuple[State, int]:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    usage = shutil.disk_usage(there)
    return (State.OK if usage.free >= usage.total * _LEAST_FREE else State.DEGRADED), usage.free


def _memory() -> tuple[State, int | None]:
    """What is left for new processes; where the system does not tell, it is not looked at."""
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return State.OFF, None
    told = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    total, free = told["MemTotal"], told["MemAvailable"]
    return (State.OK if free >= total * _LEAST_FREE else State.DEGRADED), free * 1024
