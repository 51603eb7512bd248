"""Where the journal is, how many connections lead there, and how long its reports are kept.

Not here: reading the file and the environment as a whole (holdfast.config), opening anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import msgspec

from holdfast.config.environment import SecretEnvironment
from holdfast.errors import ConfigError
from holdfast.secrets import followed

_ADDRESSES: Final = ("DATABASE_URL", "DB_URL", "DB_HOST")
_PARTS: Final = ("DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD")

PASSWORD_FROM: Final = "password_from"  # noqa: S105 - a name
"""A parameter of an address: a reference to the password."""

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class DatabasePool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connections of one process to a PostgreSQL journal, beside the one that commits.

    Attributes:
        min: kept open.
        max: opened at most; all processes together stay below the server's `max_connections`.
        idle_s: after which one beyond `min` that nobody used is closed.
        wait_s: how long a caller waits for one while all are in use.
        lifetime_s: after which one is replaced, so that a moved server is found.
        read_timeout_s: how long one statement of a read may take.
    """

    min: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    idle_s: _Seconds = 30.0
    wait_s: _Seconds = 2.0
    lifetime_s: _Seconds = 3600.0
    read_timeout_s: _Seconds = 30.0

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"`min` is {self.min}, expected at most `max`, {self.max}")


class ReportPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of old rows in the tables of reports; the journal itself keeps everything.

    Attributes:
        keep_months: the present month and so many before it, less one, stay; 0 keeps all.
        drop: remove older ones. Otherwise PostgreSQL detaches their partitions, which stay as
            tables on their own, and a file keeps them.
    """

    keep_months: Annotated[int, msgspec.Meta(ge=0, le=1200)] = 0
    drop: bool = False


def check_database_url(url: str, key: str = "database_url") -> None:
    """Refuse an address whose kind of database is not known; nothing is opened.

    Raises:
        ValueError: another scheme, or nothing behind it. The text does not show the address, which
            may carry a password.
    """
    scheme = urlsplit(url).scheme
    expected = "sqlite:///path or postgresql://user@host/name"
    if scheme not in {"sqlite", "postgresql", "postgres"}:
        raise ValueError(f"`{key}` has the scheme {scheme!r}, expected {expected}")
    prefix = "sqlite:///"
    if scheme == "sqlite" and (not url.startswith(prefix) or len(url) == len(prefix)):
        raise ValueError(f"`{key}` names no file, expected {expected}")
    if scheme != "sqlite" and "://" not in url:
        raise ValueError(f"`{key}` names no server, expected {expected}")


def database_url_in(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The variable that names the database, and the address; None when there is none.

    `DB_URL` is another name of `DATABASE_URL`; `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER` and
    `DB_PASSWORD` make the address of a PostgreSQL server. A password that is a reference, or in the
    file of `DB_PASSWORD_FILE`, stays one in the address, so that a rotated one is found later.

    Raises:
        ConfigError: two of them speak of it, or parts of an address without its host.
    """
    set_here = {name.removesuffix("_FILE") for name in environ if environ[name]}
    given: list[str] = [name for name in _ADDRESSES if name in set_here]
    parts: list[str] = [name for name in _PARTS if name in set_here]
    if len(given) > 1 or (parts and given != ["DB_HOST"]):
        raise ConfigError(
            f"seen: {' and '.join(given + parts)} in the environment; expected: one address, "
            "DATABASE_URL, or DB_HOST with its parts; do: unset the others"
        )
    if not given:
        return None
    name = given[0]
    return name, _address(environ) if name == "DB_HOST" else SecretEnvironment(environ)[name]


def _address(environ: Mapping[str, str]) -> str:
    """The parts as one address, each with its special characters escaped."""
    parts = {name: quote(environ.get(name, ""), safe="") for name in _PARTS}
    password = followed("env:DB_PASSWORD", environ)
    query = "" if password.scheme == "env" else f"?{PASSWORD_FROM}={quote(str(password), safe='')}"
    host = environ["DB_HOST"]
    host = f"[{host}]" if ":" in host else quote(host, safe="")
    port = f":{parts['DB_PORT']}" if parts["DB_PORT"] else ""
    written = f":{parts['DB_PASSWORD']}" if parts["DB_PASSWORD"] and not query else ""
    user = f"{parts['DB_USER'] or 'holdfast'}{written}@"
    return f"postgresql://{user}{host}{port}/{parts['DB_NAME'] or 'holdfast'}{query}"
