"""How several nodes share the accounts: names, and the times of their leases.

Not here: what the times are for (cluster.timing).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec

from holdfast.cluster.timing import PROFILES, Timing
from holdfast.config.redis import EXPECTED, SCHEMES, is_redis
from holdfast.errors import ConfigError

NodeName = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]

_SERVERS: Final = {
    "postgresql": "postgresql", "postgres": "postgresql",
    **dict.fromkeys(SCHEMES, "redis"),
}  # fmt: skip
_EXPECTED: Final = "sqlite:///path, postgresql://user@host/name, redis://host:6379/0 or env:NAME"


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[cluster]`.

    Attributes:
        profile: `standard` goes on within six seconds, `fast` within one, at more renewals.
        node: name of this node, another one for each; made of host and process unless told.
        lease_url: where leases are kept, beside the journal unless told: `sqlite:///path` for nodes
            of one host, `postgresql://…`, `redis://…`, or `env:NAME` for one that a variable holds
            (`env:REDIS_URL`).
        times: instead of the profile's.
    """

    profile: str = "standard"
    node: NodeName = ""
    lease_url: str = ""
    times: Timing | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(
                f"`cluster.profile` is {self.profile!r}, expected {' or '.join(sorted(PROFILES))}"
            )
        if self.lease_url:
            _check_lease_url(self.lease_url)

    @property
    def timing(self) -> Timing:
        """The times that hold."""
        return self.times or PROFILES[self.profile]


def lease_url_in(environ: Mapping[str, str], document: Mapping[str, Any]) -> str | None:
    """The address that `cluster.lease_url = "env:NAME"` refers to; None when it is none.

    `REDIS_URL` alone moves no lease: trading shall not hang on a server that serves other things.

    Raises:
        ConfigError: the variable is not set, or `REDIS_URL` is no address of a Redis server.
    """
    redis_url = environ.get("REDIS_URL", "")
    if redis_url and not is_redis(redis_url):
        raise ConfigError(
            "seen: REDIS_URL in the environment, which is no address of Redis; expected: "
            f"{EXPECTED}; do: correct or unset it"
        )
    table = document.get("cluster")
    written = table.get("lease_url") if isinstance(table, dict) else None
    if not isinstance(written, str) or not written.startswith("env:"):
        return None
    name = written.removeprefix("env:")
    if not environ.get(name):
        raise ConfigError(
            f"seen: `cluster.lease_url` refers to {name}, which is not set; expected: an address "
            f"in it, {_EXPECTED.rpartition(' or ')[0]}; do: export {name}=..."
        )
    return environ[name]


def _check_lease_url(url: str) -> None:
    """Refuse what names no store; nothing is opened. The text does not show the address."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        raise ValueError(f"`cluster.lease_url` is no address, expected {_EXPECTED}")
    if scheme == "sqlite":
        if len(rest) < 2 or rest[0] != "/":
            raise ValueError(f"`cluster.lease_url` names no file, expected {_EXPECTED}")
        return
    if scheme not in _SERVERS:
        raise ValueError(f"`cluster.lease_url` has the scheme {scheme!r}, expected {_EXPECTED}")
    parts = urlsplit(url)
    if not (parts.netloc or parts.path.strip("/") or parts.query):
        raise ValueError(f"`cluster.lease_url` names no server, expected {_EXPECTED}")
