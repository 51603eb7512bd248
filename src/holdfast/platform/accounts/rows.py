"""Accounts that were added: functions on a table in a caller's transaction.

Not here: who may add one, and whether it goes with a configuration (app.accounts).
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.config.added import AddedAccount
from holdfast.domain.platform import AccountAdded, AccountDropped
from holdfast.errors import CorruptionError
from holdfast.platform.identity.values import AbsentError, TakenError
from holdfast.platform.port import Change, Look

_ADD: Final = """
    INSERT INTO added_account (name, written, "by", added_ns, dropped_ns) VALUES (?, ?, ?, ?, 0)
"""
_DROP: Final = "UPDATE added_account SET dropped_ns = ? WHERE name = ? AND dropped_ns = 0"
_DROPPED: Final = "SELECT name FROM added_account WHERE dropped_ns > 0"


class Row(msgspec.Struct, frozen=True):
    """An account with where it comes from.

    Attributes:
        by: who added it.
        added_ns: UTC.
    """

    account: AddedAccount
    by: str
    added_ns: int


def every(look: Look) -> tuple[Row, ...]:
    """All of them, in the order in which they were added.

    Raises:
        CorruptionError: a row that this program cannot read.
    """
    rows = look.rows(
        'SELECT name, written, "by", added_ns FROM added_account WHERE dropped_ns = 0'
    )
    found = [Row(_read(name, written), by, added_ns) for name, written, by, added_ns in rows]
    return tuple(sorted(found, key=lambda row: (row.added_ns, row.account.name)))


def dropped(look: Look) -> frozenset[str]:
    """Names of those that were added once, and dropped."""
    return frozenset(name for (name,) in look.rows(_DROPPED))


def add(change: Change, account: AddedAccount, *, by: str, now_ns: int) -> Row:
    """One more; what is there as it is to be stays.

    Raises:
        TakenError: there is another one of that name.
    """
    for row in every(change):
        if row.account == account:
            return row
        if row.account.name == account.name:
            raise TakenError(
                "account",
                f"seen: another account {account.name!r}, which {row.by} added; expected: a new "
                "name; do: drop that one first, or name this one otherwise",
            )
    change.run("DELETE FROM added_account WHERE name = ?", account.name)
    change.run(
        _ADD,
        account.name, msgspec.json.encode(account).decode(), by, now_ns,
    )  # fmt: skip
    change.note(
        AccountAdded(
            by=by, account=account.name, like=account.like, api_key=account.api_key,
            api_secret=account.api_secret,
        )
    )  # fmt: skip
    return Row(account, by, now_ns)


def drop(change: Change, name: str, *, by: str, now_ns: int) -> None:
    """One less; that it was there stays known.

    Raises:
        AbsentError: none of that name was added.
    """
    if not change.run(_DROP, now_ns, name):
        raise AbsentError(
            "account",
            f"seen: no account {name!r} that a command added; expected: one; do: what stands in "
            "the nodes' file is taken out there",
        )
    change.note(AccountDropped(by=by, account=name))


def _read(name: str, written: str) -> AddedAccount:
    try:
        return msgspec.json.decode(written, type=AddedAccount)
    except msgspec.DecodeError as error:
        raise CorruptionError(
            f"seen: the added account {name} ({error}); expected: one that this version reads; "
            "do: `holdfast account drop` it and add it again"
        ) from error
