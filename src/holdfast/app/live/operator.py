"""What a person at the command line sees of an account, and asks of the process that trades it.

Lives here: the fold read beside a trading node, and commands that wait until they took effect. Not
here: what a command does (engine), how it is shown (cli).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec

from holdfast.app.live.given import give
from holdfast.app.live.start import start_at
from holdfast.app.reports.telling import order_of
from holdfast.domain.fact import (
    UNKNOWN,
    Adjustment,
    AnyFact,
    CashFlow,
    CommandTaken,
    Reconciled,
    Released,
)
from holdfast.domain.platform import CommandGiven
from holdfast.errors import ConfigError, CorruptionError, UnreachableError
from holdfast.journal.database import Database
from holdfast.journal.reading import all_heads, orders_like, proved, snapshot_of
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, BotState
from holdfast.platform.port import Change

POLL_S = 0.05


class Entry(msgspec.Struct, frozen=True):
    """One line of an order's story."""

    seq: int
    epoch: int
    at_ns: int
    fact: AnyFact


def account_state(database: Database, account: str) -> AccountState:
    """The account as its journal tells it now; blocks while what came after a snapshot is read.

    Raises:
        ConfigError: there is no such journal or account.
        CorruptionError: the chain does not hold.
    """
    database.require()
    with database.one_moment() as rows:
        state = start_at(account, snapshot_of(rows, account)).state
        for record in proved(database.name, rows, account, state.seq):
            apply(state, record.seq, record.epoch, record.at_ns, record.fact)
    if not state.seq:
        raise ConfigError(
            f"seen: no records of account {account} in {database.name}; expected: an account that "
            "has traded; do: name it with --account, or start `holdfast node`"
        )
    return state


def symbols_of(bot: BotState) -> tuple[str, ...]:
    """What a bot trades, its own symbol first, and where it holds something besides."""
    config: dict[str, Any] = msgspec.json.decode(bot.config) if bot.config else {}
    traded = config.get("symbols") or [config[name] for name in ("symbol",) if name in config]
    held = [symbol for symbol, position in bot.positions.items() if position.quantity]
    return tuple(dict.fromkeys((*traded, *held)))


def story(database: Database, account: str, cid: str) -> list[Entry]:
    """Every record about one attempt, its cancels and its fills, in order.

    Blocks while the stream is read from where it was armed on.

    Args:
        cid: the client order id, or enough of its beginning to be the only one.

    Raises:
        ConfigError: none, or several, begin like that.
    """
    database.require()
    with database.one_moment() as rows:
        found = orders_like(rows, account, cid, most=2)
        if len(found) != 1:
            raise ConfigError(
                f"seen: {'no order' if not found else 'several orders'} whose id begins with "
                f"{cid!r}; expected: exactly one; do: take the id from `holdfast orders list`"
            )
        ((whole, armed_seq),) = found
        return [
            Entry(record.seq, record.epoch, record.at_ns, record.fact)
            for record in proved(database.name, rows, account, armed_seq - 1)
            if order_of(record.fact) == whole
        ]


def ask(
    database: Database,
    account: str,
    name: str,
    arguments: dict[str, str],
    *,
    by: str,
    wait_s: float,
) -> int:
    """Ask the account's leader for `name` and wait until it took effect; its place in the stream.

    Raises: as `ask_all`.
    """
    return ask_all(database, (account,), name, arguments, by=by, wait_s=wait_s)[account]


def ask_all(
    database: Database,
    accounts: Sequence[str],
    name: str,
    arguments: dict[str, str],
    *,
    by: str,
    wait_s: float,
) -> dict[str, int]:
    """Ask the leader of each account, all at once; where in each stream it took effect.

    A command stays asked for when the wait ends: a node that starts later takes it first.

    Raises:
        ConfigError: there is no such journal; or a leader refused it, as of a bot that is none.
        UnreachableError: one of them did not take it within `wait_s`.
    """
    database.require()
    waiting = _asked(database, accounts, name, msgspec.json.encode(arguments).decode(), by)
    commands = database.commands()
    try:
        taken: dict[str, int] = {}
        deadline = time.monotonic() + wait_s
        while True:
            for account in [one for one in waiting if one not in taken]:
                seq = commands.taken_at(waiting[account])
                if seq is not None:
                    taken[account] = seq
            if len(taken) == len(waiting):
                _require_taken(database, taken)
                return {account: taken[account] for account in accounts}
            if time.monotonic() > deadline:
                raise _not_taken(name, wait_s, taken, [a for a in accounts if a not in taken])
            time.sleep(POLL_S)
    finally:
        commands.close()


def _require_taken(database: Database, taken: Mapping[str, int]) -> None:
    """What is in the stream may stand there with the reason why nothing was done."""
    for account, seq in taken.items():
        fact = next(database.read(account, seq - 1)).fact
        if isinstance(fact, CommandTaken) and fact.refused:
            raise ConfigError(fact.refused)


def _asked(
    database: Database, accounts: Sequence[str], name: str, arguments: str, by: str
) -> dict[str, str]:
    """Ask all of them at once, and note who did; the command's id, by account."""
    asked = {account: uuid.uuid4().hex for account in accounts}
    at_ns = time.time_ns()

    def ask(change: Change) -> None:
        for account, command_id in asked.items():
            noted = CommandGiven(
                by=f"cli:{by}", command_id=command_id, account=account, name=name,
                arguments=arguments,
            )  # fmt: skip
            give(change, noted, by, at_ns)

    with closing(database.platform()) as store:
        store.change(ask)
    return asked


class Reviewed(msgspec.Struct, frozen=True):
    """What a comparison with the exchange showed.

    Attributes:
        adjusted: what was booked of differences that were accepted.
        quarantine: what nothing is added to any more, as of now, with the evidence.
    """

    agreed: bool
    findings: tuple[str, ...]
    adjusted: tuple[Adjustment | CashFlow, ...]
    released: tuple[str, ...]
    quarantine: dict[str, str]


def reviewed(database: Database, account: str, seq: int) -> Reviewed:
    """What the comparison found that took effect at record `seq`."""
    adjusted: list[Adjustment | CashFlow] = []
    released: list[str] = []
    for record in database.read(account, seq):
        fact = record.fact
        if isinstance(fact, Adjustment) or (isinstance(fact, CashFlow) and fact.reason == UNKNOWN):
            adjusted.append(fact)
        elif isinstance(fact, Released):
            released.append(fact.what)
        elif isinstance(fact, Reconciled):
            state = account_state(database, account)
            return Reviewed(
                fact.agreed, fact.findings, tuple(adjusted), tuple(released), state.quarantine
            )
    raise CorruptionError(
        f"seen: no result after record {seq}; expected: one; do: `holdfast audit verify`"
    )


def _not_taken(
    name: str, wait_s: float, taken: Iterable[str], left: Sequence[str]
) -> UnreachableError:
    done = f", while {', '.join(taken)} did" if taken else ""
    which = "account" if len(left) == 1 else "accounts"
    return UnreachableError(
        f"seen: nobody took `{name}` within {wait_s:g} s for {which} {', '.join(left)}{done}; "
        f"expected: a node that trades it; do: start it, the command is kept and taken first"
    )


def accounts_of(database: Database) -> tuple[str, ...]:
    """Every account that has a stream, in order of name.

    Raises:
        ConfigError: there is no such journal, or no account in it.
    """
    database.require()
    with database.one_moment() as rows:
        found = tuple(head.account for head in all_heads(database.name, rows))
    if not found:
        raise ConfigError(
            f"seen: no account in {database.name}; expected: one that has traded; do: start "
            "`holdfast node`, or name another journal with --database"
        )
    return found
