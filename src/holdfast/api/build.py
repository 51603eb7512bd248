"""The API as one ASGI application, from its ports.

Not here: what the ports are made of, and the server (app.web).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License
from litestar.routes import HTTPRoute

from holdfast import __version__
from holdfast.api import problem
from holdfast.api.ask import PORTS, Ask
from holdfast.api.gate import Gate
from holdfast.api.health import Checkup
from holdfast.api.openapi import described, known_queries
from holdfast.api.ports import Ports, Rate
from holdfast.api.routes import (
    accounts,
    auth,
    bots,
    cluster,
    configuration,
    demo,
    exchange_accounts,
    health,
    jobs,
    notifications,
    people,
    signals,
    streams,
    trading,
)
from holdfast.api.rules import public, rule_of
from holdfast.api.shell import Shell
from holdfast.api.site import BUILD, Site
from holdfast.api.site import routes as site_routes
from holdfast.telemetry.meter import Meter
from holdfast.telemetry.metrics import HttpMetrics, Presence

VERSIONED: Final = (
    accounts, auth, bots, cluster, configuration, demo, exchange_accounts, jobs, notifications,
    people, signals, streams, trading,
)  # fmt: skip
PREFIX: Final = "/api/v1"
DEFAULT_RATE: Final = Rate(100, 60.0)
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How the API treats its callers.

    Attributes:
        hosts: names that requests may be addressed to.
        origins: other sites whose pages may call; none by default.
        proxies: whose word about the caller's address is taken.
        by_user: how often a user may ask.
        by_address: how often an address may that proves nothing: sign-in, forged tokens.
        most_body_bytes: of one request.
        time_limit_s: of one request that is no stream.
        folder: where the process writes, for the health of its disk.
        dashboard: where the page's build is.
    """

    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    by_user: Rate = DEFAULT_RATE
    by_address: Rate = DEFAULT_RATE
    most_body_bytes: int = 1 << 16
    time_limit_s: float = 30.0
    folder: Path = field(default_factory=Path)
    dashboard: Path = BUILD


@dataclass(frozen=True)
class Api:
    """What `build` makes.

    Attributes:
        app: to be served.
        litestar: the framework's part of it, for tests of its routes.
        document: the OpenAPI description.
        metrics, checkup: for the metrics port.
    """

    app: Shell
    litestar: Litestar
    document: dict[str, Any]
    metrics: HttpMetrics
    checkup: Checkup


class _Described(NamedTuple):
    """The OpenAPI document, what is known from it, and how it is sent."""

    document: dict[str, Any]
    queries: dict[tuple[str, str], frozenset[str]]
    written: bytes


# Of the first API of a process. Its routes are those of every other, and to describe them is half
# of what building one costs.
_DESCRIBED: Final[list[_Described]] = []


def build(ports: Ports, terms: Terms | None = None, meter: Meter | None = None) -> Api:
    """Join routes, rules and protections.

    Args:
        meter: what is counted is counted there; None is one of its own.

    Raises:
        ValueError: a route has no rule. That is a mistake of ours.
    """
    terms = terms or Terms()
    presence = Presence()
    metrics, checkup = HttpMetrics(presence, meter), Checkup(ports, terms.folder)

    @get("/openapi.json", opt=public(), include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(_DESCRIBED[0].written, media_type="application/json")

    gate = Gate(
        ports, by_user=terms.by_user, by_address=terms.by_address,
        time_limit_s=terms.time_limit_s, presence=presence,
        known_queries=lambda path, method: _DESCRIBED[0].queries.get((path, method)),
    )  # fmt: skip
    litestar = Litestar(
        route_handlers=[
            Router(PREFIX, route_handlers=[one for part in VERSIONED for one in part.ROUTES]),
            *health.ROUTES, openapi, *site_routes(Site(terms.dashboard)),
        ],
        middleware=[gate],
        request_class=Ask,
        request_max_body_size=terms.most_body_bytes,
        exception_handlers={Exception: problem.answer},
        cors_config=_cors(terms.origins),
        openapi_config=OpenAPIConfig(
            title="Holdfast", version=__version__, render_plugins=(_Completed(),),
            openapi_router=Router(
                f"{PREFIX}/schema", route_handlers=[], include_in_schema=False, opt=public()
            ),
            description=_ABOUT, license=License("Apache-2.0", identifier="Apache-2.0"),
            use_handler_docstrings=True,
            operation_id_creator=lambda handler, _method, _path: handler.handler_name,
        ),
        state=State({PORTS: ports, health.CHECKUP: checkup}),
        logging_config=None,
        debug=False,
    )  # fmt: skip
    _require_rules(litestar)
    if not _DESCRIBED:
        document = described(litestar)
        _DESCRIBED.append(
            _Described(document, known_queries(document), msgspec.json.encode(document))
        )
    shell = Shell(litestar, metrics, hosts=terms.hosts, proxies=terms.proxies)
    return Api(shell, litestar, _DESCRIBED[0].document, metrics, checkup)


def description() -> dict[str, Any]:
    """The OpenAPI document, with nothing behind it: for clients that are generated from it."""
    return build(cast("Ports", None)).document


class _Completed(JsonRenderPlugin):
    """Shows the completed description where the framework would show its own."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return _DESCRIBED[0].written


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    """For pages of other sites, by name only; they send a bearer, never a cookie."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins), allow_methods=list(_METHODS), max_age=600,
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match",
                       "If-None-Match", "X-Request-Id"],
        expose_headers=["ETag", "Idempotency-Replayed", "Retry-After", "X-Request-Id"],
    )  # fmt: skip


def _require_rules(app: Litestar) -> None:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            if rule_of(handler.opt) is None and set(handler.http_methods) != {"OPTIONS"}:
                raise ValueError(f"{handler.handler_name} has no rule: say who may ask (api.rules)")


_ABOUT: Final = (
    "Exact numbers are text, moments are RFC 3339 in UTC. Whatever changes something takes an "
    "Idempotency-Key. Errors are RFC 9457 problem documents; their `code` stays. Changes are "
    "followed on /api/v1/stream (WebSocket) or /api/v1/events (server-sent)."
)
