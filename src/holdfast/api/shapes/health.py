"""How well the process is, and what went wrong with a request.

Not here: looking (api.health).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from holdfast.api.shapes.base import Out


class State(StrEnum):
    """A dependency in one word."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    OFF = "off"  # not configured


class Services(Out, frozen=True, kw_only=True):
    """What this process depends on."""

    database: State
    redis: State
    exchange_apis: State


class Checks(Out, frozen=True, kw_only=True):
    """The same and the machine, as other tools name them."""

    database: State
    redis: State
    external_apis: State
    disk_space: State
    memory: State


class Health(Out, frozen=True, kw_only=True):
    """How well all of it is; answered with 503 when `status` is `down`.

    Attributes:
        uptime: seconds since this process began.
        git_sha, build_time: what the image that runs was made of, and when; empty outside one.
        exchange_connected: prices come; null while no bot needs any.
        seconds_since_last_order: null without one. A quiet strategy is a healthy one.
        redis_connected: null where none is configured.
    """

    status: State
    timestamp: datetime
    uptime: float
    version: str
    git_sha: str = ""
    build_time: str = ""
    services: Services
    checks: Checks
    exchange_connected: bool | None = None
    seconds_since_last_order: float | None = None
    redis_connected: bool | None = None


class Part(Out, frozen=True, kw_only=True):
    """One dependency; 503 when it is down.

    Attributes:
        latency_ms: of one question to it; null when it did not answer, or is off.
    """

    status: State
    latency_ms: float | None = None


class DetailedHealth(Out, frozen=True, kw_only=True):
    """The same with what is for operators only, on the metrics port."""

    health: Health
    details: dict[str, Any]


class Readiness(Out, frozen=True, kw_only=True):
    """Whether requests can be answered; 503 when not."""

    ready: bool


class Liveness(Out, frozen=True, kw_only=True):
    """The event loop turns; nothing else is looked at."""

    alive: bool


class Basic(Out, frozen=True, kw_only=True):
    """What answers at the root, for a program."""

    name: str
    status: State
    version: str


class Problem(Out, frozen=True, kw_only=True):
    """What went wrong (RFC 9457).

    Attributes:
        type: which problem, a name that stays; `about:blank` where the status says it all.
        title: the same for people.
        detail: what was seen, what was expected, what to do.
        instance: the request, by its id.
        code: machine-readable, finer than `type`.
        errors: where in the request, by JSON pointer or name of the parameter, and why.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: tuple[dict[str, str], ...] = ()
