"""The configuration of a node: one frozen object, read once and checked whole before anything runs.

Lives here: its shape, the rules between its parts, and how file and environment make it. Secrets
are references (holdfast.secrets), so the object can be shown. Not here: where a database is
(config.database), what the parts do.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from holdfast.config.api import ApiSettings, api_ports_in
from holdfast.config.cluster import Cluster, lease_url_in
from holdfast.config.complaint import explained, known_keys
from holdfast.config.database import (
    DatabasePool,
    ReportPolicy,
    check_database_url,
    database_url_in,
)
from holdfast.config.environment import SecretEnvironment
from holdfast.config.jobs import JobSettings
from holdfast.config.notify import NotifySettings
from holdfast.config.variables import Effect, with_effect
from holdfast.domain.limits import Limits
from holdfast.errors import ConfigError
from holdfast.secrets import PATTERN, Secret, resolve

__all__ = ["Cluster", "Config", "Secret", "load", "resolve"]

DEFAULT_FILE = Path("holdfast.toml")

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Symbol = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$")]
SecretReference = Annotated[str, msgspec.Meta(pattern=PATTERN)]
Timeframe = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]?(s|m|h|d)$")]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LOG_LEVELS = {
    "debug": "debug", "info": "info", "warn": "warning", "warning": "warning", "error": "error",
}  # fmt: skip


class ReconcilePolicy(StrEnum):
    """What a node does about orders, fills and balances it did not make, whenever it sees them."""

    HALT = "halt"  # add no exposure until a person decides
    QUARANTINE = "quarantine"  # the same, where the difference is; trades are booked
    ADOPT = "adopt"  # book them as the account's, with the evidence
    IGNORE = "ignore"  # note them and leave them alone


class Venue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an exchange is reached. The defaults are Binance Spot's.

    Attributes:
        kind: whose protocol is spoken.
        rest_url: the root, without `/api/v3`.
        stream_url: the combined market stream endpoint.
        ws_api_url: the WebSocket API endpoint, for the user stream.
        nodes: how many nodes ask from one network address, each counted once per account that it
            may trade; the limits that an exchange counts by address are split evenly among them.
    """

    kind: Annotated[str, msgspec.Meta(pattern=r"^binance$")] = "binance"
    rest_url: str = "https://api.binance.com"
    stream_url: str = "wss://stream.binance.com:9443/stream"
    ws_api_url: str = "wss://ws-api.binance.com:443/ws-api/v3"
    nodes: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1

    def __post_init__(self) -> None:
        for name, schemes in (
            ("rest_url", ("https", "http")),
            ("stream_url", ("wss", "ws")),
            ("ws_api_url", ("wss", "ws")),
        ):
            _check_url(name, getattr(self, name), *schemes)


class WrittenLimits(Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits as a person wrote them: a misspelt one must not mean "no limit"."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal | int) and not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` is {value}, expected more than zero, or no such key")
        for name in ("price_band_pct", "max_drawdown_pct"):
            value = getattr(self, name)
            if value is not None and value > 100:
                raise ValueError(f"`{name}` is {value}, expected at most 100 (percent)")
        order, position = self.max_order_notional, self.max_position_notional
        if order is not None and position is not None and order > position:
            raise ValueError(
                f"`max_order_notional` is {order}, expected at most `max_position_notional`, "
                f"{position}"
            )


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exchange account: one key, one journal stream.

    Attributes:
        name: of the stream; renaming it starts a new one.
        api_key, api_secret: references, never the values.
        reconcile: about what others did on this account.
        limits: of all bots together; the default has no limit on amounts.
    """

    name: Name = "main"
    venue: Venue = msgspec.field(default_factory=Venue)
    api_key: SecretReference = "env:BINANCE_API_KEY"
    api_secret: SecretReference = "env:BINANCE_API_SECRET"  # noqa: S105 - a reference
    reconcile: ReconcilePolicy = ReconcilePolicy.HALT
    limits: WrittenLimits = msgspec.field(default_factory=WrittenLimits)

    def __post_init__(self) -> None:
        if self.api_key == self.api_secret:
            raise ValueError("`api_key` and `api_secret` are the same reference, expected two")


class Bot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A strategy on some symbols of the account.

    Attributes:
        name: its identity in the journal of its account.
        account: that it trades on; needed where there are several.
        strategy: a shipped one's name, or `FILE:Class`.
        symbols: unified, `BASE/QUOTE`; the first is the primary one.
        timeframe: of the primary bars.
        join_timeout_s: how long bars that close together are waited for, with several symbols;
            what is missing then is shown as stale.
        decide_budget_ms: how long one decision of the strategy may take; ten in a row that take
            longer stop the bot. All bots of the account wait meanwhile.
        params: of the strategy, checked by the strategy itself.
        limits: of this bot; the account's bind as well.
    """

    name: Name
    strategy: Annotated[str, msgspec.Meta(min_length=1)]
    symbols: Annotated[tuple[Symbol, ...], msgspec.Meta(min_length=1)]
    account: Name | None = None
    timeframe: Timeframe = "1m"
    join_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
    decide_budget_ms: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 100.0
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    limits: WrittenLimits = msgspec.field(default_factory=WrittenLimits)

    def __post_init__(self) -> None:
        _check_unique("symbols", self.symbols)
        quotes = sorted({symbol.split("/")[1] for symbol in self.symbols})
        if len(quotes) > 1:
            raise ValueError(
                f"`symbols` are paid in {', '.join(quotes)}, expected one quote asset per bot: its "
                "weights and its profit are measured in it"
            )
        _check_allowed(self.symbols, self.limits, "limits.symbols")


class SignalSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An external series that strategies may look at, from exactly one of file, url and secret.

    Attributes:
        file: JSON lines or CSV that somebody appends to.
        url: asked every `every_s`.
        pointer: where the value stands in what the url answers; without it the answer is an entry.
        token: sent to the url as a bearer.
        secret: of a webhook; whoever calls must prove that he has it.
        every_s: how often the source is looked at; 1 s of a file and 60 s of a url unless told.
        most_per_minute: more are refused, or wait in their file.
    """

    name: Name
    file: str = ""
    url: str = ""
    pointer: Annotated[str, msgspec.Meta(pattern=r"^(/.*)?$")] = ""
    token: SecretReference | None = None
    secret: SecretReference | None = None
    every_s: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] | None = None
    most_per_minute: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60

    def __post_init__(self) -> None:
        given = [name for name in ("file", "url", "secret") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"signal {self.name!r} has {' and '.join(given) or 'no source'}, expected exactly "
                "one of file, url and secret"
            )
        if self.url:
            _check_url("url", self.url, "https", "http")
        elif self.pointer or self.token:
            raise ValueError("`pointer` and `token` are of a url, expected none of them without it")

    @property
    def interval_s(self) -> float:
        """How often the source is looked at."""
        return self.every_s or (60.0 if self.url else 1.0)


class Webhooks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where sources of signals call.

    Attributes:
        host: this machine unless told otherwise; beyond it, put a proxy that encrypts before it.
        port: 0 leaves it to the system, and the log tells.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8790


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a node is told. Reading it twice gives the same object.

    Attributes:
        deployment: marks this installation's orders at the exchange; two installations that trade
            the same account need two names.
        database_url: `sqlite:///relative/path`, `sqlite:////absolute/path`, or
            `postgresql://user@host:port/name` with libpq's parameters (`?sslmode=verify-full`).
        database_replica_url: a copy that follows the database, for reports alone.
        replica_lag_s: what it may lack, in time; beyond it the database itself is asked.
        database_pool: connections to a PostgreSQL server, for everything but commits.
        reports: how long the tables of reports keep what they have.
        may_lose_commits: accept a PostgreSQL server that may lose what it has answered for; after
            such a loss an order can be doubled.
        state_dir: where this host keeps what it knows of a database elsewhere; beside the file
            of a SQLite journal it is that file's directory.
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `json`, `console` for people, or `auto`, which is for people on a terminal.
        log_file: appended to instead of stderr; empty does not.
        account: the only one; or
        accounts: several, each with a stream, a leader and a process of its own.
        cluster: how several nodes share them.
        jobs: work in the background.
        api: how the API listens, and whom it answers.
        notify: by which ways people are told what happened.
    """

    deployment: Name = "holdfast"
    database_url: str = "sqlite:///.holdfast/journal.db"
    database_replica_url: str = ""
    replica_lag_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 5.0
    database_pool: DatabasePool = msgspec.field(default_factory=DatabasePool)
    reports: ReportPolicy = msgspec.field(default_factory=ReportPolicy)
    may_lose_commits: bool = False
    state_dir: Annotated[str, msgspec.Meta(min_length=1)] = ".holdfast"
    log_level: str = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    log_file: str = ""
    account: Account = msgspec.field(default_factory=Account)
    accounts: tuple[Account, ...] = ()
    cluster: Cluster = msgspec.field(default_factory=Cluster)
    bots: tuple[Bot, ...] = ()
    signals: tuple[SignalSource, ...] = ()
    webhooks: Webhooks = msgspec.field(default_factory=Webhooks)
    jobs: JobSettings = msgspec.field(default_factory=JobSettings)
    api: ApiSettings = msgspec.field(default_factory=ApiSettings)
    notify: NotifySettings = msgspec.field(default_factory=NotifySettings)

    def __post_init__(self) -> None:
        check_database_url(self.database_url)
        if self.database_replica_url:
            check_database_url(self.database_replica_url, "database_replica_url")
        if self.log_level not in _LOG_LEVELS.values():
            raise ValueError(f"`log_level` is {self.log_level!r}, expected {_choices()}")
        _check_unique("bot names", [bot.name for bot in self.bots])
        _check_unique("signal names", [signal.name for signal in self.signals])
        self._check_accounts()
        for bot in self.bots:
            limits = self._account_of(bot).limits
            _check_allowed(bot.symbols, limits, f"account.limits.symbols ({bot.name})")

    def _check_accounts(self) -> None:
        if self.accounts and self.account != Account():
            raise ValueError("`account` and `accounts` are both given, expected one of them")
        _check_unique("account names", [account.name for account in self.accounts])
        _check_unique("accounts' keys", [account.api_key for account in self.accounts])
        if len(self.accounts) > 1 and any(signal.secret for signal in self.signals):
            raise ValueError("webhooks and several accounts, expected one account: each listens")

    def _account_of(self, bot: Bot) -> Account:
        names = [account.name for account in self.all_accounts]
        if bot.account is None and len(names) == 1:
            return self.all_accounts[0]
        if bot.account not in names:
            raise ValueError(
                f"bot {bot.name!r} is on account {bot.account!r}, expected `account` to be one of "
                f"{', '.join(names)}"
            )
        return self.all_accounts[names.index(bot.account)]

    @property
    def all_accounts(self) -> tuple[Account, ...]:
        """The one, or the several."""
        return self.accounts or (self.account,)

    def account_of(self, bot: str) -> str:
        """The name of the account that a bot trades on.

        Raises:
            ConfigError: there is no such bot.
        """
        for one in self.bots:
            if one.name == bot:
                return self._account_of(one).name
        raise ConfigError(
            f"seen: no bot {bot!r} in the configuration; expected: one of "
            f"{', '.join(one.name for one in self.bots) or 'none is there'}; do: correct the name"
        )

    def for_account(self, name: str) -> Config:
        """What concerns one account: it alone, with its bots.

        Raises:
            ConfigError: there is no such account.
        """
        account = next((one for one in self.all_accounts if one.name == name), None)
        if account is None:
            raise ConfigError(
                f"seen: no account {name!r} in the configuration; expected: one of "
                f"{', '.join(one.name for one in self.all_accounts)}; do: correct the name"
            )
        bots = tuple(bot for bot in self.bots if self._account_of(bot) is account)
        return msgspec.structs.replace(self, account=account, accounts=(), bots=bots)


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of `path`, changed by the environment.

    `DATABASE_URL` (or `DB_HOST` with its parts), `DATABASE_REPLICA_URL`, `LOG_LEVEL`, `LOG_FORMAT`
    and `LOG_FILE` win over the file; `REDIS_URL` is for who refers to it. Blocks for one small
    file, and for who keeps a secret that the environment refers to; safe to repeat.

    Args:
        path: a TOML file; None takes `holdfast.toml` of the working directory, or the defaults
            where there is none.

    Raises:
        ConfigError: with the file, the key, what was seen, what was expected and what to do.
    """
    source, document = _read(path)
    # Silence would let their owner believe that they change what is traded.
    for refused in with_effect(Effect.REFUSED, environ):
        raise ConfigError(
            f"seen: {refused.name} in the environment, which this version does not act on; "
            f"expected: {refused.what} in the file; do: unset {refused.name}"
        )
    named = {"database_url": database_url_in(environ)}
    environ = SecretEnvironment(environ)
    for key in ("LOG_LEVEL", "LOG_FORMAT", "LOG_FILE", "DATABASE_REPLICA_URL"):
        if environ.get(key):
            named[key.lower()] = (key, environ[key])
    for key, found in named.items():
        if found is not None:
            name, document[key] = found
            source = f"{source} with {name}"
    lease_url = lease_url_in(environ, document)
    if lease_url is not None:
        document["cluster"] = {**document["cluster"], "lease_url": lease_url}
    api = api_ports_in(environ, document)
    if api is not None:
        document["api"] = api
    level = document.get("log_level")
    if isinstance(level, str):
        document["log_level"] = _LOG_LEVELS.get(level.lower(), level)
    try:
        return msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise explained(source, document, str(error), known_keys(Config)) from error




def _read(path: Path | None) -> tuple[str, dict[str, Any]]:
    """What the errors call the source, and its content."""
    wanted = path or DEFAULT_FILE
    try:
        text = wanted.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if path is None:
            return "the defaults", {}
        raise ConfigError(
            f"seen: no file {wanted}; expected: a TOML file; do: create it or name another"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"seen: {wanted} cannot be read ({error}); expected: a readable UTF-8 text file; "
            "do: check its permissions and encoding"
        ) from error
    try:
        # Through Decimal, so that an amount written as 0.1 is exactly that.
        return str(wanted), tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"seen: {wanted}: {error}; expected: valid TOML; do: correct that line"
        ) from error


def _choices() -> str:
    return " or ".join(sorted(set(_LOG_LEVELS.values())))


def _check_url(name: str, url: str, *schemes: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError(f"`{name}` carries credentials, expected none in an address")
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"`{name}` is {url!r}, expected {schemes[0]}://host")
    if parts.scheme != schemes[0] and parts.hostname not in _LOOPBACK:
        raise ValueError(f"`{name}` is unencrypted, expected {schemes[0]}:// beyond this machine")


def _check_unique(what: str, names: list[str] | tuple[str, ...]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} has {twice[0]!r} more than once, expected each name once")


def _check_allowed(symbols: tuple[str, ...], limits: Limits, where: str) -> None:
    outside = [symbol for symbol in symbols if limits.symbols and symbol not in limits.symbols]
    if outside:
        raise ValueError(f"{outside[0]!r} is outside {where}, expected a symbol that it allows")
