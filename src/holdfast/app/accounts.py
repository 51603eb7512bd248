"""Adding an exchange account beside running nodes, and dropping one: from a shell and over the API.

Nodes find out by themselves (app.live.added). Not here: rows (platform.accounts).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

import msgspec

from holdfast.app.live.given import give
from holdfast.app.live.opening import database_of
from holdfast.app.live.operator import account_state
from holdfast.config import Config
from holdfast.config.added import AddedAccount, joined, require_addable
from holdfast.domain.platform import CommandGiven
from holdfast.errors import ConfigError, PlatformError, RejectedError
from holdfast.journal.database import Database
from holdfast.journal.reading import head_of
from holdfast.ledger.state import AccountState
from holdfast.platform.accounts import rows
from holdfast.platform.accounts.rows import Row
from holdfast.platform.port import Change, PlatformStore

_DROPPED: Final = '{"reason":"the account was dropped"}'


class Listed(msgspec.Struct, frozen=True):
    """An exchange account as it is configured.

    Attributes:
        exchange: where it is; empty of what is left out.
        added_by: empty of what stands in the file.
        left_out: why nodes cannot have it; empty when they can.
    """

    name: str
    exchange: str
    api_key: str
    api_secret: str
    added_by: str = ""
    left_out: str = ""


def with_those_added(config: Config) -> Config:
    """A configuration with the accounts that nodes of its database have besides; blocks.

    Raises:
        ConfigError, RetryableError: the database cannot be read.
    """
    with closing(database_of(config)) as database:
        return joined(config, [row.account for row in _rows(database)]).config


def as_far_as_known(config: Config) -> Config:
    """The same; what the file says, where the database cannot be read. Blocks."""
    try:
        return with_those_added(config)
    except PlatformError:
        return config


def listed(config: Config) -> list[Listed]:
    """All accounts, those of the file first; blocks. Raises: as `with_those_added`."""
    with closing(database_of(config)) as database:
        added = {row.account.name: row for row in _rows(database)}
    now, refused = joined(config, [row.account for row in added.values()])
    of_file = {account.name for account in config.all_accounts}
    return [
        Listed(
            name=one.name, exchange=one.venue.rest_url, api_key=one.api_key,
            api_secret=one.api_secret, added_by="" if one.name in of_file else added[one.name].by,
        )
        for one in now.all_accounts
    ] + [
        Listed(
            name=name, exchange="", api_key=added[name].account.api_key,
            api_secret=added[name].account.api_secret, added_by=added[name].by, left_out=why,
        )
        for name, why in refused.items()
    ]  # fmt: skip


def add_at_machine(config: Config, wanted: Mapping[str, Any], *, by: str) -> AddedAccount:
    """As `add`, for who has the database anyway.

    Raises:
        ConfigError: also when it is no account.
        RetryableError: the database does not answer.
    """
    try:
        account = msgspec.convert(wanted, AddedAccount)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"seen: an account with {error}; expected: a name of letters and digits, and "
            "references such as env:NAME or file:/path; do: correct it"
        ) from error
    with closing(database_of(config)) as database:
        database.require()
        with closing(database.platform()) as store:
            add(store, config, account, by=f"cli:{by}", now_ns=time.time_ns())
    return account


def drop_at_machine(config: Config, name: str, *, by: str) -> None:
    """As `drop`, for who has the database anyway. Raises: that, and as `add_at_machine`."""
    with closing(database_of(config)) as database:
        database.require()
        with database.one_moment() as rows_:
            has_journal = bool(head_of(database.name, rows_, name).seq)
        state = account_state(database, name) if has_journal else None
        with closing(database.platform()) as store:
            drop(store, name, state, by=f"cli:{by}", now_ns=time.time_ns())


def _rows(database: Database) -> tuple[Row, ...]:
    database.require()
    with closing(database.platform()) as store:
        return store.look(rows.every)


def add(
    store: PlatformStore, config: Config, account: AddedAccount, *, by: str, now_ns: int
) -> Row:
    """Let nodes trade one more account; blocks.

    Args:
        config: as it is written, which nodes are expected to have as well.

    Raises:
        ConfigError: it does not go together with that, or with what else was added.
        TakenError: there is another one of that name.
    """

    def change(change: Change) -> Row:
        there = [row.account for row in rows.every(change)]
        if account not in there:
            require_addable(config, [one for one in there if one.name != account.name], account)
        return rows.add(change, account, by=by, now_ns=now_ns)

    return store.change(change)


def drop(
    store: PlatformStore, name: str, state: AccountState | None, *, by: str, now_ns: int
) -> None:
    """Let nodes trade an account no more; its journal stays. Blocks.

    It is halted with that: some node leads it for half a minute yet, and a bot that somebody starts
    meanwhile must not buy what nobody would look after.

    Args:
        state: as it was last seen; None of an account that has no journal.

    Raises:
        RejectedError: something of it goes on.
        AbsentError: none of that name was added.
    """
    going = ", ".join(_going_on(state)) if state is not None else ""
    if going:
        raise RejectedError(
            "account_in_use",
            f"seen: {going}; expected: an account at which nothing goes on; do: drain and stop its "
            "bots first, and sell what is to be sold",
        )

    def change(change: Change) -> None:
        rows.drop(change, name, by=by, now_ns=now_ns)
        if state is not None:
            halt = CommandGiven(
                by=by, command_id=uuid.uuid4().hex, account=name, name="halt", arguments=_DROPPED
            )
            give(change, halt, by, now_ns)

    store.change(change)


def _going_on(state: AccountState) -> Iterator[str]:
    for name, bot in sorted(state.present.items()):
        if bot.running:
            yield f"bot {name} runs"
        if left := state.elsewhere(name, ()):
            yield f"bot {name} has a position or orders in {', '.join(left)}"
    if state.live:
        yield f"{len(state.live)} orders are open or on their way"
