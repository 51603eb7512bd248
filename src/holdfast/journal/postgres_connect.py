"""Connections to a PostgreSQL journal, what they must be like, and what its errors mean.

Not here: what is stored (journal.postgres, journal.postgres_read).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from holdfast.cluster.timing import SHORTEST_TTL_S
from holdfast.config.database import PASSWORD_FROM
from holdfast.errors import ConfigError, CorruptionError, PlatformError, RetryableError
from holdfast.journal.port import NotLetInError
from holdfast.journal.reading import Answer
from holdfast.secrets.candidates import candidates
from holdfast.telemetry.log import get_logger

log = get_logger("journal.postgres")

Connection = psycopg.Connection[TupleRow]

CONNECT_TIMEOUT_S: Final = 2
LOCK_TIMEOUT_MS: Final = 2000
"""How long another session may hold a lock before we give up."""

IDLE_IN_TRANSACTION_MS: Final = str(round(SHORTEST_TTL_S / 2 * 1000))
"""Half of the shortest lease: a frozen writer must not hold a lock longer."""

OLDEST, NEWEST = 15, 18

_LINE: Final = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms until a peer that acknowledges nothing counts as gone
}
"""Beneath what the address says."""

_SESSION: Final = {
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": "0",  # a commit that is cut short has an unknown outcome
    "plan_cache_mode": "force_generic_plan",  # the same few statements, for days
    # So that the server, too, lets go of a node whose host has vanished.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_NO_LOSS: Final = ("on", "remote_apply")
_HERE: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
_WRONG_ADDRESS: Final = (
    "authentication failed", "no password supplied", "does not exist", "pg_hba.conf",
    "invalid", "server does not support SSL", "certificate verify failed", "permission denied",
    "does not match host name", "is not permitted to log in",
)  # fmt: skip
ENDED_BY_THE_SERVER: Final = ("57P", "08")
"""How error codes begin when the server stops, has stopped, or is not up yet."""

_SERVER_SAYS: Final = "FATAL:"
"""In what only a server that runs can answer: it is full, begins, or stops."""

_NOBODY_THERE: Final = ("No such file", "failed to resolve host", "could not translate host name")


_READ_ONLY: Final = "25006"


class ReadOnlyError(RetryableError):
    """This session takes no writes, and never will; a new one at the same address may."""


_let_in: Final[set[str]] = set()
"""Addresses at which this process, or the one that it was forked off, has been let in."""


def name_of(url: str) -> str:
    """The address without its password, for people."""
    known = _parsed(url)
    host, port = known.get("host", ""), known.get("port", "")
    at = f"{known['user']}@" if "user" in known else ""
    place = f"?host={host}" if str(host).startswith("/") else ""
    where = "" if place else f"{host}{f':{port}' if port else ''}"
    return f"postgresql://{at}{where}/{known.get('dbname', '')}{place}"


def database_name(url: str) -> str:
    """What the address calls the database."""
    known = _parsed(url)
    return str(known.get("dbname") or known.get("user") or "postgres")


def connect(
    url: str, *, idles: bool = True, application: str = "holdfast"
) -> Connection:
    """A connection in autocommit, on a server that this program knows.

    Args:
        idles: whether it may think for long between two statements of a transaction, as who reads
            a whole stream does; else the server ends it then, with the locks that it holds.

    Raises:
        ConfigError: the address is wrong, or the server is too old.
        RetryableError: it does not answer, or does not let us now.
    """
    name = name_of(url)
    try:
        connection = Session.connect(**asked_of(url, application), autocommit=True)
    except psycopg.OperationalError as error:
        raise refused(url, str(error).strip()) from error
    except ConfigError as error:
        raise no_password(url, error) from error
    was_let_in(url)
    try:
        prepare(name, connection, idles=idles)
    except BaseException:
        connection.close()
        raise
    return connection


class Session(psycopg.Connection[TupleRow]):
    """A connection whose password may be a reference (`with_passwords`)."""

    @classmethod
    def connect(cls, conninfo: str = "", **asked: Any) -> Session:
        """As the driver does, with one password after the other while they are refused."""
        refusal: psycopg.OperationalError | None = None
        for known in with_passwords(asked):
            try:
                return super().connect(conninfo, **known)
            except psycopg.OperationalError as error:
                if not is_wrong_password(error):
                    raise
                refusal = error
        assert refusal is not None  # noqa: S101 - the first password is always tried
        raise refusal


def with_passwords(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the driver is asked for, at least once: with each password that a reference leads to.

    Ask for the next only when one was refused; each step blocks for who keeps it.

    Raises:
        ConfigError, RetryableError: as `holdfast.secrets.resolve`.
    """
    known = dict(asked)
    reference = known.pop(PASSWORD_FROM, None)
    if reference is None:
        yield known
        return
    for password in candidates(reference, purpose="the database's password"):
        yield {**known, "password": password.reveal()}


def is_wrong_password(error: psycopg.Error) -> bool:
    """Whether another password might be let in."""
    return "password authentication failed" in str(error)


def asked_of(url: str, application: str = "holdfast") -> dict[str, Any]:
    """What is asked for: time-outs and encryption, beneath what the address says.

    A password by reference is still one: `with_passwords`.
    """
    return {**_LINE, **_encryption(url), "application_name": application, **_parsed(url)}


def prepare(name: str, connection: Connection, *, idles: bool = True) -> None:
    """Make a new session what this program needs; see `connect`."""
    try:
        _require_version(name, connection.info.server_version)
        idle = {} if idles else {"idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS}
        settings = {**_SESSION, **idle}
        # All at once: a takeover opens a session, and waits for each answer of a server elsewhere.
        calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        words = [word for setting in settings.items() for word in setting]
        connection.execute(f"SELECT {calls}".encode(), words)
    except psycopg.Error as error:
        raise_translated(name, error)


def require_durable(name: str, connection: Connection, *, may_lose: bool = False) -> None:
    """Refuse a session whose commits might not survive, on this machine or after a failover.

    Args:
        may_lose: the operator's override; then it is only said, loudly.

    Raises:
        ConfigError: commits are not synchronous, or standbys follow asynchronously.
        ReadOnlyError: the server takes no writes.
    """
    (read_only,) = _one(connection, "SELECT current_setting('transaction_read_only')")
    if read_only == "on":
        raise ReadOnlyError(
            f"seen: {name} takes no writes (a standby, or a read-only database); expected: the "
            "primary; nothing was written; do: name the primary, or make it writable"
        )
    row = _one(
        connection,
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'), "
        "current_setting('synchronous_standby_names'), "
        "(SELECT count(*) FROM pg_stat_replication "
        "WHERE coalesce(state, 'streaming') = 'streaming' AND pid NOT IN (SELECT active_pid "
        "FROM pg_replication_slots WHERE slot_type = 'logical' AND active_pid IS NOT NULL))",
    )
    level, fsync, names, standbys = row
    if level not in _NO_LOSS or fsync != "on":
        seen = f"synchronous_commit {level}, fsync {fsync}"
        expected = "on, on: a commit that is answered must survive"
        remedy = "ALTER ROLE … SET synchronous_commit = on, and fsync = on in postgresql.conf"
    elif standbys and not names:
        seen = f"{standbys} standby that follows asynchronously"
        expected = "synchronous_standby_names: a failover must not lose an order"
        remedy = "set synchronous_standby_names"
    else:
        return
    if not may_lose:
        raise ConfigError(
            f"seen: {name} with {seen}; expected: {expected}; do: {remedy}, or accept doubled "
            "orders after a crash with `may_lose_commits = true`"
        )
    log.warning(
        "COMMITS MAY BE LOST: orders can be doubled after a crash of the database",
        action="may_lose_commits", database=name, seen=seen,
    )  # fmt: skip


def raise_translated(name: str, error: psycopg.Error) -> NoReturn:
    """Raise what `error` means when nothing was committed."""
    said = error.diag.message_primary or str(error).strip()
    raise meaning(name, error.sqlstate or "", said) from error


def meaning(name: str, sqlstate: str, said: str) -> PlatformError:
    """What an error that left nothing written means."""
    if sqlstate.startswith("XX00") and sqlstate != "XX000":
        return CorruptionError(
            f"seen: {name} is damaged ({said}); expected: a journal; do: stop, keep the server's "
            "files for evidence, and restore a backup"
        )
    if sqlstate in {"42501", "42P01", "42703", "3F000"}:
        return ConfigError(
            f"seen: {name}: {said} ({sqlstate}); expected: the journal's tables, and a role that "
            f"may read and write them; do: grant it, or run holdfast db upgrade --database {name}"
        )
    if sqlstate == _READ_ONLY:
        return ReadOnlyError(
            f"seen: {name} takes no writes ({said}); expected: the primary; nothing was written, "
            "and nothing is lost; do: name the primary, or make it writable"
        )
    if sqlstate.startswith(ENDED_BY_THE_SERVER):
        return RetryableError(
            f"seen: {name} ends its sessions ({said}); expected: a PostgreSQL server that stays; "
            "nothing was written, and nothing is lost; do: see whether it comes back, or start it"
        )
    return RetryableError(
        f"seen: {name}: {said} ({sqlstate or 'no answer'}); expected: a journal that can be "
        "written; nothing was written, and nothing is lost; do: free space, or end what holds it"
    )


class PostgresRows:
    """A connection that takes `?` for parameters (journal.reading)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Answer:
        """Run one statement with `?` for each parameter."""
        return self.connection.execute(statement.replace("?", "%s").encode(), parameters)


def _one(connection: Connection, statement: str) -> tuple[Any, ...]:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None  # noqa: S101 - it has no FROM, and so one row
    return row


def _parsed(url: str) -> dict[str, Any]:
    reference = {}
    if PASSWORD_FROM in url:  # the driver does not know it
        url, _, query = url.partition("?")
        parameters = dict(parse_qsl(query))
        reference = {PASSWORD_FROM: parameters.pop(PASSWORD_FROM, None)}
        url = f"{url}?{urlencode(parameters)}" if parameters else url
    try:
        known = {**conninfo_to_dict(url), **reference}
        return {name: value for name, value in known.items() if value is not None}
    except psycopg.Error:
        # Without the driver's own words, which may quote the address, and its password with it.
        raise ConfigError(
            "seen: DATABASE_URL is no PostgreSQL address that the driver understands; expected: "
            "postgresql://user:password@host:5432/name; do: correct it, and escape what is not a "
            "letter or digit in the password (%40 for @)"
        ) from None


def _encryption(url: str) -> dict[str, str]:
    """Beyond this machine a line is encrypted or not opened, unless the address says otherwise.

    The driver's own default goes on in plain text where the server has no TLS.
    """
    host = str(_parsed(url).get("host", ""))
    is_here = all(one.startswith("/") or one in _HERE for one in host.split(","))
    return {} if is_here or "PGSSLMODE" in os.environ else {"sslmode": "require"}


def was_let_in(url: str) -> None:
    """Remember that an address is right: what is refused there later is no mistake in it."""
    _let_in.add(url)


def refused(url: str, said: str) -> PlatformError:
    """What it means that a server does not let us in.

    Whoever has been in waits: one side of a rotation may be late, or a restored server has no role
    yet; no reason to end a node.
    """
    name = name_of(url)
    # The driver indents what it only guesses: that nobody may be running there.
    lines = [line for line in said.splitlines() if line[:1] not in "\t "] or ["no answer"]
    refusals = [line for line in lines if any(words in line for words in _WRONG_ADDRESS)]
    if refusals and not any(words in said for words in _NOBODY_THERE):
        if url in _let_in:
            return RetryableError(
                f"seen: {name} refuses us by now ({refusals[-1]}); expected: the role, password "
                "and database that it knew; nothing was done; do: wait for the end of a rotation "
                "or restore, or correct what the address refers to"
            )
        return ConfigError(
            f"seen: {name} refuses us ({refusals[-1]}); expected: a database that may be reached "
            "like this, and a role that may use it; do: correct DATABASE_URL, or create them"
        )
    if any(_SERVER_SAYS in line for line in lines):
        return NotLetInError(
            f"seen: {name} lets nobody in now ({lines[-1]}); expected: a place for one more "
            "connection; do: wait, or see to what holds it up"
        )
    return RetryableError(
        f"seen: {name} does not answer ({lines[-1]}); expected: a PostgreSQL server there; do: "
        "start it, or name another"
    )


def no_password(url: str, error: ConfigError) -> PlatformError:
    """As `refused`, where the reference to the password leads to none."""
    return RetryableError(str(error)) if url in _let_in else error


def _require_version(name: str, number: int) -> None:
    major = number // 10_000
    if major < OLDEST:
        raise ConfigError(
            f"seen: {name} is PostgreSQL {major}; expected: {OLDEST} to {NEWEST}; do: upgrade it"
        )
    if major > NEWEST:
        log.warning("untried server", action="server_version", seen=major, tried_to=NEWEST)
