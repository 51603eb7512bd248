"""Addresses of Redis: one server, or a leader that Sentinels name.

Not here: connecting (cluster.redis_connect), which setting holds which address (the other modules).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from holdfast.config.database import PASSWORD_FROM

SCHEMES: Final = frozenset({"redis", "rediss", "unix", "redis+sentinel"})
EXPECTED: Final = (
    "redis://host:6379/0, rediss:// with TLS, or redis+sentinel://one:26379,two:26379/NAME/0"
)
_SENTINEL: Final = "redis+sentinel"
_SENTINEL_PORT: Final = 26379


class Sentinels(msgspec.Struct, frozen=True, kw_only=True):
    """What `redis+sentinel://user:password@one:26379,two:26379/NAME/0` says.

    Attributes:
        hosts: of the Sentinels, each with its port; at least one.
        service: by which they know the leader.
        database: its number.
        username, password: of the leader; empty without.
        own: `username`, and `password` or `password_from`, of the Sentinels themselves, where they
            ask for it.
        leader_url: an address with all that is to be said to the leader, at a host of no meaning.
    """

    hosts: tuple[tuple[str, int], ...]
    service: str
    database: int
    username: str
    password: str
    own: dict[str, str]
    leader_url: str


def is_redis(url: str) -> bool:
    """Whether an address is of Redis, by its scheme."""
    return url.partition("://")[0] in SCHEMES


def sentinels_in(url: str) -> Sentinels | None:
    """The Sentinels that an address names; None for one of a single server.

    `sentinel_username`, `sentinel_password` and `sentinel_password_from` are for themselves.

    Raises:
        ValueError: it names none, or no leader. The text does not show the address, which may
            carry a password.
    """
    parts = urlsplit(url)
    if parts.scheme != _SENTINEL:
        return None
    login, _, named = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    hosts = tuple(_host(one) for one in named.split(",") if one)
    if not hosts or not service or not (database or "0").isdigit():
        raise ValueError(f"an address of Sentinels without hosts or a name, expected {EXPECTED}")
    options = dict(parse_qsl(parts.query))
    own = {
        key: options.pop(f"sentinel_{key}")
        for key in ("username", "password", PASSWORD_FROM)
        if f"sentinel_{key}" in options
    }
    username, _, password = login.partition(":")
    query = f"?{urlencode(options)}" if options else ""
    return Sentinels(
        hosts=hosts, service=service, database=int(database or 0),
        username=unquote(username), password=unquote(password), own=own,
        leader_url=f"redis://{login}{'@' if login else ''}leader/{database or 0}{query}",
    )  # fmt: skip


def _host(text: str) -> tuple[str, int]:
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, str(_SENTINEL_PORT)
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f"a Sentinel at no port, expected {EXPECTED}")
    return name.strip("[]"), int(port)
