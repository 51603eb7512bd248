"""Health, for probes and people: no sign-in, no rate limit, single words.

Not here: looking (api.health).
"""

from __future__ import annotations

from typing import Final

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from holdfast.api.ask import Ask
from holdfast.api.health import Checkup
from holdfast.api.rules import probe
from holdfast.api.shapes.health import Health, Liveness, Part, Readiness, State

TAGS = ["health"]
CHECKUP: Final = "checkup"


def _down(shape: type) -> dict[int, ResponseSpec]:
    return {503: ResponseSpec(shape, description="It is down.")}


def _of(request: Ask) -> Checkup:
    found: Checkup = request.app.state[CHECKUP]
    return found


@get("/health", opt=probe(), tags=TAGS, responses=_down(Health))
async def get_health(request: Ask) -> Response[Health]:
    """Tell how well this process and what it depends on are."""
    return await _health(request)


@get("/api/health", opt=probe(), tags=TAGS, responses=_down(Health))
async def get_api_health(request: Ask) -> Response[Health]:
    """Tell the same as `/health`, where only paths below `/api` come through."""
    return await _health(request)


@get("/health/db", opt=probe(), tags=TAGS, responses=_down(Part))
async def get_database_health(request: Ask) -> Response[Part]:
    """Tell whether the database answers."""
    return _part((await _of(request).database()).part)


@get("/health/redis", opt=probe(), tags=TAGS, responses=_down(Part))
async def get_redis_health(request: Ask) -> Response[Part]:
    """Tell whether Redis answers; `off` where there is none, which is well too."""
    return _part((await _of(request).redis()).part)


@get("/ready", opt=probe(), tags=TAGS, responses=_down(Readiness))
async def get_readiness(request: Ask) -> Response[Readiness]:
    """Tell whether requests can be answered."""
    ready = await _of(request).ready()
    return Response(Readiness(ready=ready), status_code=200 if ready else 503)


@get("/livez", opt=probe(), tags=TAGS)
async def get_liveness() -> Liveness:
    """Answer, because the event loop turns: nothing else is looked at, so nothing else kills it."""
    return Liveness(alive=True)


async def _health(request: Ask) -> Response[Health]:
    found = await _of(request).health()
    return Response(found, status_code=503 if found.status is State.DOWN else 200)


def _part(found: Part) -> Response[Part]:
    return Response(found, status_code=503 if found.status is State.DOWN else 200)


ROUTES = [
    get_health, get_api_health, get_database_health, get_redis_health, get_readiness, get_liveness,
]  # fmt: skip
