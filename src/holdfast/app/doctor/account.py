"""An account as its journal tells it: what holds it back, and what nobody knows the end of.

Not here: the exchange's side of it (exchange).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from holdfast.app.live.activity import activity_of, is_led
from holdfast.app.live.opening import database_of
from holdfast.app.live.operator import account_state
from holdfast.config import Config
from holdfast.errors import PlatformError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.reading import all_heads
from holdfast.ledger.state import AccountState
from holdfast.operations.doctor.finding import Finding, fail, failed, ok, skip, warn

OLD_DOUBT_S: Final = 60.0
"""A resolver that reaches its exchange knows sooner."""


def account(config: Config) -> Iterator[Finding]:
    """Look at one account's journal; blocks while what came after its snapshot is read.

    Args:
        config: of one account.
    """
    database = database_of(config)
    name = config.account.name
    try:
        if isinstance(database, SqliteDatabase) and not database.name.exists():
            yield skip("journal", f"{database.name} is not there yet; the first start makes it")
            return
        if not _has_traded(database, name):
            yield skip("journal", "nobody has traded it yet")
            return
        state = account_state(database, name)
        led = is_led(database, name)
    except PlatformError as error:
        yield failed("journal", error, "make the journal reachable")
        return
    finally:
        database.close()
    who = "a process writes it now" if led else "no process writes it now"
    yield ok("journal", f"{state.seq:,} records, proved from its last snapshot on; {who}")
    yield from judged(state, time.time(), led=led)
    yield from without_price(config, state)


def journaled_uid(config: Config) -> str:
    """What the exchange calls an account, by its journal; empty where that cannot be told.

    Why not is a finding of `account`.
    """
    database = database_of(config)
    try:
        return account_state(database, config.account.name).uid
    except PlatformError:
        return ""
    finally:
        database.close()


def judged(state: AccountState, now_s: float, *, led: bool) -> Iterator[Finding]:
    """What is to be said of an account's fold.

    Args:
        now_s: this host's time, for ages.
        led: a process writes its journal.
    """
    found = activity_of(state, led=led)
    yield _doubts(state, now_s)
    if found.halt:
        yield warn(
            "halt", f"halted at level {found.halt}: {found.reason}",
            "see to the reason, then `holdfast resume`",
        )  # fmt: skip
    else:
        yield ok("halt", "not halted")
    for asset, why in found.quarantine.items():
        yield warn(
            f"quarantine {asset}", why, "`holdfast reconcile`, and `--adjust` what is accounted for"
        )
    if found.in_maintenance:
        yield warn("exchange", "closed for maintenance", "nothing; it is asked again and again")
    for endpoint, breaker in found.breakers.items():
        yield warn(
            f"breaker {endpoint}", breaker, "look whether the exchange answers this host: "
            "`holdfast doctor --live`",
        )  # fmt: skip
    broken = [bot for bot, condition in found.bots.items() if condition == "failed"]
    if broken:
        yield warn(
            "bots", f"{', '.join(broken)} failed", "`holdfast bot logs NAME`, then `bot start NAME`"
        )


def without_price(config: Config, state: AccountState) -> Iterator[Finding]:
    """Holdings that keep equity from being told, where a limit on losses waits for it.

    Args:
        config: of the account.
    """
    limits = [config.account.limits, *(bot.limits for bot in config.bots)]
    if all(one.max_daily_loss is None and one.max_drawdown_pct is None for one in limits):
        return
    pairs = {symbol for bot in config.bots for symbol in bot.symbols}
    unknown = [
        asset for asset, amount in sorted(state.holdings.items())
        if amount and asset != state.reporting and f"{asset}/{state.reporting}" not in pairs
    ]
    if unknown:
        yield warn(
            "prices",
            f"the account holds {', '.join(unknown)}, which no bot's symbol has a price of in "
            f"{state.reporting}, so that its equity cannot be told: under max_daily_loss or "
            "max_drawdown_pct nothing is added",
            f"let a bot have {unknown[0]}/{state.reporting} among its symbols, or sell or move it",
        )


def _doubts(state: AccountState, now_s: float) -> Finding:
    ages_s = [
        now_s - order.armed.timestamp_ms / 1000 for order in state.live.values() if order.in_doubt
    ]
    if not ages_s:
        return ok("doubts", "none")
    oldest_s = max(ages_s)
    seen = f"{len(ages_s)} orders in doubt, the oldest for {oldest_s:,.0f} s"
    if oldest_s > OLD_DOUBT_S:
        return fail(
            "doubts", seen, "they are asked for until the exchange knows: see that a node leads "
            "the account and reaches the exchange; nothing is sent again meanwhile",
        )  # fmt: skip
    return warn("doubts", seen, "wait: they are being asked for")


def _has_traded(database: Database, name: str) -> bool:
    if database.version() is None:
        return False
    with database.one_moment() as rows:
        return any(head.account == name and head.seq for head in all_heads(database.name, rows))
