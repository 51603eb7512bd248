"""How the API listens, whom it answers, and how often.

Not here: the answers (holdfast.api).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from holdfast.config.environment import SecretEnvironment
from holdfast.config.redis import EXPECTED, is_redis
from holdfast.errors import ConfigError

_Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[api]`.

    Attributes:
        host: this machine unless told otherwise; beyond it, put a proxy that encrypts before it.
        port: `PORT` wins; 0 leaves it to the system, and the log tells.
        metrics_port: `METRICS_PORT` wins; the next free one from there on.
        hosts: names that requests may be addressed to, without port; `*.example.com` stands for
            all below it.
        origins: other sites whose pages may call, such as `https://trading.example.com`.
        proxies: addresses and networks whose word about the caller's address is taken.
        per_user, per_address: requests in a minute: of a user, and of an address that does not
            prove who it is.
        time_limit_s: of one request that is no stream.
        redis_url: a reference; where it leads nowhere, rates are counted in this process.
        demo: an administrator may kill the node that leads; nowhere but in the demo.
    """

    host: str = "127.0.0.1"
    port: _Port = 8080
    metrics_port: _Port = 9090
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    per_user: _Count = 100
    per_address: _Count = 100
    time_limit_s: Annotated[float, msgspec.Meta(gt=0, le=55)] = 30.0
    redis_url: Annotated[str, msgspec.Meta(pattern=r"^env:[A-Za-z_][A-Za-z0-9_]*$")] = (
        "env:REDIS_URL"
    )
    demo: bool = False

    def __post_init__(self) -> None:
        if not self.hosts:
            raise ValueError("`api.hosts` is empty, expected the names that this is called by")
        for host in self.hosts:
            if host in {"*", "*."} or "/" in host:
                raise ValueError(f"`api.hosts` has {host!r}, expected a name or `*.name`")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"`api.origins` has {origin!r}, expected such as https://trading.example.com"
                )
        for proxy in self.proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(
                    f"`api.proxies` has {proxy!r}, expected an address or a network"
                ) from error


def api_ports_in(
    environ: Mapping[str, str], document: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The table `[api]` with `PORT` and `METRICS_PORT` of the environment; None without them.

    Raises:
        ConfigError: one of them is no port.
    """
    found: dict[str, int] = {}
    for variable, key in (("PORT", "port"), ("METRICS_PORT", "metrics_port")):
        text = environ.get(variable, "").strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
            raise ConfigError(
                f"seen: {variable}={text[:40]!r} in the environment; expected: a port, 0 to 65535; "
                "do: correct or unset it"
            )
        found[key] = int(text)
    written = document.get("api")
    return {**(written if isinstance(written, dict) else {}), **found} if found else None


def redis_url(settings: ApiSettings, environ: Mapping[str, str] = os.environ) -> str:
    """The address that `redis_url` refers to; empty when the variable is not set.

    Raises:
        ConfigError: it is no address of a Redis server.
    """
    name = settings.redis_url.removeprefix("env:")
    url = SecretEnvironment(environ).get(name, "").strip()
    if url and not is_redis(url):
        raise ConfigError(
            f"seen: {name} in the environment, which is no address of Redis; expected: "
            f"{EXPECTED}; do: correct or unset it"
        )
    return url
