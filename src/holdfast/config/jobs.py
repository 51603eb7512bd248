"""Background jobs: who does them, where results are, what is asked for by the platform itself.

Not here: reading the file as a whole (holdfast.config), doing jobs (platform.jobs).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from holdfast.config.environment import SecretEnvironment
from holdfast.config.redis import EXPECTED, is_redis
from holdfast.errors import ConfigError
from holdfast.secrets import PATTERN

_Count = Annotated[int, msgspec.Meta(ge=0, le=1024)]
_Reference = Annotated[str, msgspec.Meta(pattern=PATTERN)]
_Address = Annotated[str, msgspec.Meta(pattern=r"^[^@\s<>]+@[^@\s<>]+\Z", max_length=254)]


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report of each day by mail, from one server to some people.

    Attributes:
        tls: `starttls`, `implicit` (its own port), or `none`, for a server on this machine.
        password: a reference, with `user`.
        at: hour and minute, UTC, when yesterday's goes out.
    """

    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 587
    tls: Annotated[str, msgspec.Meta(pattern=r"^(starttls|implicit|none)\Z")] = "starttls"
    user: str = ""
    password: _Reference | None = None
    sender: _Address
    to: Annotated[tuple[_Address, ...], msgspec.Meta(min_length=1, max_length=100)]
    at: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")] = "00:10"

    def __post_init__(self) -> None:
        if bool(self.user) != bool(self.password):
            raise ValueError("`jobs.mail` has one of `user` and `password`, expected both or none")
        if self.tls == "none" and self.host not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError(
                f"`jobs.mail.tls` is none and the host {self.host}, expected starttls or implicit "
                "beyond this machine"
            )

    @property
    def at_s(self) -> int:
        """Of the day."""
        hours, minutes = self.at.split(":")
        return int(hours) * 3600 + int(minutes) * 60


class Sentiment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How news sound, as a signal: a file that a `[[signals]]` of nodes may name.

    Attributes:
        feeds: RSS or Atom, of which titles and summaries are read.
        file: JSON lines; each look appends one value, if there was news.
    """

    feeds: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=50)]
    file: Annotated[str, msgspec.Meta(min_length=1)]
    every_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 300

    def __post_init__(self) -> None:
        for feed in self.feeds:
            if urlsplit(feed).scheme not in {"https", "http", "file"}:
                raise ValueError(f"a feed is {feed!r}, expected https://…, http://… or file:///…")


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[jobs]`.

    Attributes:
        broker_url: of a Redis server for Celery, or `env:NAME`; without it, workers look for jobs
            in the database.
        slots: jobs at once per worker; 0 is one less than it has processors, and one at least.
        results_dir: where files of results are kept; empty is `jobs` in `state_dir`. Workers on
            several machines need one that all of them see.
        data_dir: market data that jobs may name.
        strategies_dir: files of strategies that jobs may name, besides those that are shipped.
        keep_days: after which what has ended is forgotten, with its files.
        beat_s, gone_s: how often a worker says that a job goes on, and for how long it may say
            nothing before another one takes the job again.
    """

    broker_url: str = ""
    slots: _Count = 0
    results_dir: str = ""
    data_dir: str = ".holdfast/data"
    strategies_dir: str = "strategies"
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 90
    beat_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0
    gone_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 20.0
    mail: Mail | None = None
    sentiment: Sentiment | None = None

    def __post_init__(self) -> None:
        if self.gone_s < 4 * self.beat_s:
            raise ValueError(
                f"`jobs.gone_s` is {self.gone_s}, expected at least four times `jobs.beat_s`, "
                f"{self.beat_s}"
            )
        if self.broker_url and not re.match(r"env:[A-Za-z_]", self.broker_url):
            _check_broker(self.broker_url)


def broker_url(settings: JobSettings, environ: Mapping[str, str] = os.environ) -> str:
    """The address of the broker; empty without one.

    Raises:
        ConfigError: it refers to a variable that is not set, or is no address of Redis. The text
            does not show the address, which may carry a password.
    """
    written = settings.broker_url
    if not written.startswith("env:"):
        return written
    name = written.removeprefix("env:")
    environ = SecretEnvironment(environ)
    try:
        _check_broker(environ.get(name, ""))
    except ValueError as error:
        raise ConfigError(
            f"seen: `jobs.broker_url` refers to {name}, which holds no address of Redis; expected: "
            f"redis://host:6379/0 in it; do: export {name}=..."
        ) from error
    return environ[name]


def _check_broker(url: str) -> None:
    if not is_redis(url):
        raise ValueError(
            f"`jobs.broker_url` is no address of Redis, expected {EXPECTED}, or env:NAME"
        )
