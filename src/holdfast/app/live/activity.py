"""Whether an account trades, and whether anything of it is still on its way: asked from outside.

Everything here reads the journal beside the node and never writes. Not here: stopping it
(operator), or what a bot does while it drains (engine).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from holdfast.app.live.operator import account_state
from holdfast.config import load
from holdfast.errors import FencedError
from holdfast.journal.database import Database, database_at
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, LiveOrder

LOOK_S = 0.05


class Activity(msgspec.Struct, frozen=True):
    """An account at one moment.

    Attributes:
        led: a process is the writer of its stream now.
        halt: level of the account's halt, empty while there is none; `reason` says why.
        breakers: circuit breakers that are not closed, by class of endpoints: open or half_open.
        in_maintenance: the exchange says that it is closed for a while.
        quarantine: assets and symbols that differ from the exchange, with the evidence.
        bots: each bot's condition: running, draining, halted, stopped or failed.
        in_doubt: client order ids of attempts that are armed or in doubt.
        resting: of orders that the exchange has open and that protect nothing, and of those whose
            fills are not booked yet.
        protecting: of stops, and take-profits in one list with a stop.
    """

    account: str
    led: bool
    halt: str
    reason: str
    breakers: dict[str, str]
    in_maintenance: bool
    quarantine: dict[str, str]
    bots: dict[str, str]
    in_doubt: tuple[str, ...]
    resting: tuple[str, ...]
    protecting: tuple[str, ...]

    @property
    def trades(self) -> bool:
        """Whether a bot may open a position now."""
        is_held = self.halt or self.in_maintenance or "open" in self.breakers.values()
        return self.led and not is_held and "running" in self.bots.values()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is on its way and nothing but protective orders rests."""
        return not (self.in_doubt or self.resting)


def condition(state: AccountState, bot: str) -> str:
    """A bot in one word: running, draining, halted, stopped or failed."""
    found = state.bot(bot)
    if found.failed:
        return "failed"
    if not found.running:
        return "stopped"
    if found.halted or state.halted:
        return "halted"
    return "draining" if found.draining else "running"


def activity_of(state: AccountState, *, led: bool) -> Activity:
    """What the fold says."""
    working = [o for o in state.live.values() if o.is_working or o.executed > o.booked]
    return Activity(
        account=state.account,
        led=led,
        halt=state.halt_level.value if state.halted else "",
        reason=state.halted,
        breakers={endpoint: found.value for endpoint, found in sorted(state.breakers.items())},
        in_maintenance=state.in_maintenance,
        quarantine=dict(state.quarantine),
        bots={name: condition(state, name) for name in sorted(state.present)},
        in_doubt=_cids(o for o in state.live.values() if o.is_under_way),
        resting=_cids(o for o in working if not o.protects or o.executed > o.booked),
        protecting=_cids(o for o in working if o.protects),
    )


def _cids(orders: Iterable[LiveOrder]) -> tuple[str, ...]:
    return tuple(order.armed.cid for order in orders)


def is_led(database: Database, account: str) -> bool:
    """Whether a process is the writer of the account's stream now."""
    try:
        database.own(account).release()
    except FencedError:
        return True
    return False


def look(database: Database, account: str) -> Activity:
    """The account as its journal tells it now; blocks while the whole stream is read.

    Raises:
        ConfigError: there is no such journal or account.
    """
    return activity_of(account_state(database, account), led=is_led(database, account))


def is_trading_active(*, account: str | None = None, database: str | None = None) -> bool:
    """Whether a bot of the account may open a position now.

    That is: a process is the writer of its journal, the account is not halted, its exchange neither
    under maintenance nor failing, and at least one bot runs, neither halted nor draining. Blocks
    while the journal is read; safe to repeat.

    Args:
        account: its name; otherwise the one of `holdfast.toml` in the working directory.
        database: address of the journal; otherwise the configuration's.

    Raises:
        ConfigError: there is no such journal or account.
        UnreachableError: the journal does not answer.
    """
    return look(*_named(account, database)).trades


def wait_for_trades_to_complete(
    timeout: float = 120.0, *, account: str | None = None, database: str | None = None
) -> bool:
    """Wait until nothing of the account is on its way; whether that came about in time.

    True when no attempt is armed or in doubt, all fills are booked, and nothing rests at the
    exchange but what protects a position. It stops nothing: drain or halt first, or the next
    decision makes a new order. Blocks, and reads the journal beside the node; safe to repeat.

    Args:
        timeout: seconds; 0 looks once.
        account, database: as `is_trading_active`.

    Raises:
        ConfigError: there is no such journal or account.
    """
    return wait_until_complete(*_named(account, database), timeout)


def wait_until_complete(journal: Database, account: str, timeout_s: float) -> bool:
    """As `wait_for_trades_to_complete`."""
    deadline = time.monotonic() + timeout_s
    state = account_state(journal, account)
    while not activity_of(state, led=True).is_complete:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(LOOK_S, left_s))
        for record in journal.read(account, state.seq):
            apply(state, record.seq, record.epoch, record.at_ns, record.fact)
    return True


def _named(account: str | None, database: str | None) -> tuple[Database, str]:
    config = load()
    where = config.database_url if database is None else database
    found = database_at(where, Path(config.state_dir), may_lose=config.may_lose_commits)
    return found, account if account is not None else config.account.name
