"""The emergency flatten of an account, joined: its key, its exchange, and this host's file.

Not here: what is sent (execution.emergency).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from holdfast import files
from holdfast.app.live import bans
from holdfast.app.live.activity import is_led
from holdfast.app.live.lines import venue_of
from holdfast.config import Config
from holdfast.domain.order import deployment_tag
from holdfast.errors import ConfigError, PlatformError, RetryableError
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.emergency import Emergency, EmergencyFile, Line
from holdfast.execution.patience import away, stand_by
from holdfast.execution.recorder import Recorder
from holdfast.journal.database import SqliteDatabase, database_at
from holdfast.journal.high_water import OF_POSTGRES
from holdfast.journal.port import NotLetInError
from holdfast.ledger.state import AccountState
from holdfast.venues.binance.inspection import last_price
from holdfast.venues.port import Purpose


def emergency_file(config: Config) -> EmergencyFile:
    """Of one account, at this host."""
    return EmergencyFile(Path(config.state_dir) / f"{config.account.name}.emergency")


def keep_symbols(config: Config, account: AccountState, traded: Collection[str]) -> None:
    """Note at this host what the account's bots trade or hold: commands may have made some of them,
    which only the journal knows, and that may be gone one day.

    Args:
        traded: symbols of the bots that are to run.

    Raises:
        RetryableError: the file cannot be written.
    """
    held = (symbol for bot in account.bots if bot for symbol in account.elsewhere(bot, traded))
    body = msgspec.json.encode(sorted({*traded, *held}))
    path = _symbols_file(config)
    try:
        if not path.exists() or path.read_bytes() != body:
            files.replace(path, body)
    except OSError as error:
        raise RetryableError(
            f"seen: {path} cannot be written ({error.strerror}); expected: a small file in "
            "`state_dir`; do: free space or allow writing"
        ) from error


def symbols_to_flatten(config: Config, named: Collection[str]) -> tuple[str, ...]:
    """What the account may hold: of the file's bots, of those that a node here knew, and `named`.

    Raises:
        ConfigError: nobody knows all of them.
    """
    path = _symbols_file(config)
    try:
        known = msgspec.json.decode(path.read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError) as error:
        if not named:
            raise ConfigError(
                f"seen: {path} cannot be read ({error}); expected: the symbols of bots that "
                "commands have made, as a node noted them here; do: go to a host where one ran, or "
                "name each symbol that the account may hold with --symbol"
            ) from error
        known = []
    found = {*known, *named, *(symbol for bot in config.bots for symbol in bot.symbols)}
    if not found:
        raise ConfigError(
            f"seen: no bot of {config.account.name}; expected: symbols to sell; do: name each that "
            "the account may hold with --symbol"
        )
    return tuple(sorted(found))


def _symbols_file(config: Config) -> Path:
    return Path(config.state_dir) / f"{config.account.name}.symbols"


async def merge_emergency(config: Config, recorder: Recorder) -> None:
    """Tell the journal what this host did without it; the account is halted until it is resumed.

    What executed has been booked from the exchange's own word before this.
    """
    file = emergency_file(config)
    facts = file.merge_facts()
    if facts:
        await recorder.record(*facts)
        file.append(Line(what="merged"))


async def flatten_without_journal(
    config: Config,
    symbols: Collection[str],
    *,
    by: str,
    why: str,
    cap_pct: Decimal,
    tell: Callable[[str], None],
) -> dict[str, Decimal | None]:
    """Take back our orders and sell what is free; what is left, by symbol.

    Args:
        config: of one account.
        symbols: see `symbols_to_flatten`. Of one that the exchange does not list None is left:
            nobody has looked.
        tell: told what is waited for, for people.

    Raises:
        ConfigError: a node trades the account: it can do this with its journal.
        RejectedError, RetryableError: as `Emergency.flatten`.
    """
    _refuse_beside_a_node(config)
    account = config.account
    venue = venue_of(config)
    away_s = partial(venue.delay_s, Purpose.RESOLVE)
    try:
        await stand_by(away_s, tell)
        listed = await venue.instruments(symbols)
        left = await Emergency(
            account=account.name,
            tag=deployment_tag(config.deployment),
            by=by,
            why=why,
            venue=venue,
            clock=ExchangeClock(time.monotonic_ns),
            file=emergency_file(config),
            price=partial(last_price, venue),
            cap_pct=cap_pct,
            tell=tell,
        ).flatten(each for each in listed if each.symbol in symbols)
        return {symbol: left.get(symbol) for symbol in symbols}
    except RetryableError as error:
        wait_s = away_s()
        if not wait_s:
            raise
        file = bans.bans_of(config).file
        raise away(
            wait_s, f"; where it was lifted, or this host's address is another now, remove {file}"
        ) from error
    finally:
        await venue.close()


def _refuse_beside_a_node(config: Config) -> None:
    """Only where the journal is gone; a wrong address of one that is there proves nothing.

    Raises:
        ConfigError: a node trades the account, or nobody can tell.
    """
    database = database_at(
        config.database_url, Path(config.state_dir), may_lose=config.may_lose_commits
    )
    if isinstance(database, SqliteDatabase) and not database.name.exists():
        _refuse_another_journal(config, database.name)
        return
    try:
        database.version()
        led = is_led(database, config.account.name)
    except (ConfigError, NotLetInError) as error:
        raise ConfigError(
            f"{error}. A database is there, and nodes may trade by it: nothing was sold; give its "
            "address as they have it (DATABASE_URL, --database), or stop the nodes"
        ) from error
    except PlatformError:
        return  # the journal is gone, which is what this is for
    if led:
        raise ConfigError(
            f"seen: {database.name} answers, and a node trades {config.account.name}; expected: no "
            "journal, or no node; do: `holdfast halt --level flatten`"
        )


def _refuse_another_journal(config: Config, missing: Path) -> None:
    """Nodes of this host that wrote to a PostgreSQL have left its marks in their directory."""
    account = config.account.name
    marks = sorted(Path(config.state_dir).glob(f"*{OF_POSTGRES}.{account}.highwater"))
    if marks:
        raise ConfigError(
            f"seen: no journal at {missing}, and {marks[-1]}, which nodes of this host keep of a "
            "PostgreSQL; expected: their journal; do: give its address as they have it "
            "(DATABASE_URL, --database)"
        )
