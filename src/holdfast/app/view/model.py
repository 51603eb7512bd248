"""Everything that the read model knows at this moment, in one place, for this process's event loop.

Not here: history (history), telling it as it happens (feeds).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from holdfast.app.live.lines import endpoints_of
from holdfast.app.view.account import config_of, symbols_in
from holdfast.app.view.cluster import Nodes
from holdfast.app.view.journals import Followed, Journals
from holdfast.app.view.prices import Prices, Seen, age_s
from holdfast.app.view.sentence import Situation, Tone, say
from holdfast.config import Account, Bot, Config
from holdfast.domain.guard import HaltLevel
from holdfast.journal.database import Database
from holdfast.venues.binance.endpoints import Endpoints

_LEVELS: Final = tuple(HaltLevel)

Mine = Callable[[str, str], bool]
"""Of an account and a bot of it."""


def _all(_account: str, _bot: str) -> bool:
    return True


class Model:
    """Journals, prices and nodes.

    Attributes:
        config: with accounts that were added since.
        last: the newest price of each symbol.
    """

    def __init__(self, config: Config, database: Database) -> None:
        self.configure(config)
        self.journals = Journals(database)
        self.nodes = Nodes(config)
        self.last: dict[str, Seen] = {}
        self.markets = [
            Prices(endpoints, lambda one=endpoints: self.symbols(self._on[one]), self.last)  # type: ignore[misc]
            for endpoints in self._on
        ]

    def configure(self, config: Config, dropped: AbstractSet[str] = frozenset()) -> None:
        """Know the accounts of this configuration from now on, on the exchanges that were known.

        Args:
            dropped: accounts that nodes were told to trade no more.
        """
        self.config = config
        self._written = {account.name: account for account in config.all_accounts}
        self._dropped = dropped - self._written.keys()
        self._on = _by_exchange(config)

    async def run(self) -> None:
        """Keep all of it up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            for run in (self.journals.run, self.nodes.run, *(one.run for one in self.markets)):
                group.create_task(run())

    # -- what is there -----------------------------------------------------------------------------

    def account(self, name: str) -> Followed | None:
        """An account that has a journal; None without."""
        return self.journals.accounts.get(name)

    def is_traded(self, account: str) -> bool:
        """Whether nodes are to trade it; of others there is what happened, and no present."""
        return account not in self._dropped

    def written(self, account: str) -> dict[str, Bot]:
        """The bots of an account in the configuration, by name."""
        bots = self.config.bots
        return {bot.name: bot for bot in bots if self.config.account_of(bot.name) == account}

    def written_account(self, account: str) -> Account | None:
        """An account in the configuration; None of one that only a journal knows."""
        return self._written.get(account)

    def bots(self, accounts: Iterable[Followed]) -> Iterator[tuple[Followed, str, Bot | None]]:
        """Every bot that a journal or the configuration knows, by account and name."""
        for followed in accounts:
            written = self.written(followed.name)
            for name in sorted({*followed.state.present, *written}):
                yield followed, name, written.get(name)

    def venue_of(self, account: str) -> str | None:
        """Whose protocol is spoken; None of an account that only a journal knows."""
        written = self._written.get(account)
        return written.venue.kind if written is not None else None

    def endpoints_of(self, symbol: str) -> Endpoints | None:
        """Of an exchange where a bot trades `symbol`; None where none does."""
        for endpoints, names in self._on.items():
            if symbol in self.symbols(names):
                return endpoints
        return None

    def symbols(self, accounts: Iterable[str]) -> tuple[str, ...]:
        """What the bots of these accounts trade, and what else their holdings are worth by."""
        found: set[str] = set()
        for name in accounts:
            for bot in self.written(name).values():
                found.update(bot.symbols)
            followed = self.account(name)
            if followed is not None:
                found |= symbols_in(followed)
        return tuple(sorted(found))

    def price_age_s(self, accounts: Iterable[Followed], mine: Mine = _all) -> float | None:
        """Of the oldest price that a running bot looks at; None while one is missing."""
        wanted = {
            symbol
            for followed in accounts
            for name, bot in followed.state.bots.items()
            if bot.running and mine(followed.name, name)
            for symbol in config_of(bot).traded
        }
        return age_s(self.last, tuple(wanted))

    def says(self, accounts: Iterable[Followed]) -> tuple[str, Tone]:
        """The sentence about these accounts."""
        return say(self.situation(list(accounts)))

    def situation(self, accounts: list[Followed], mine: Mine = _all) -> Situation:
        """What their sentence is made of.

        Args:
            mine: whether a bot of an account counts; of the others nothing is told.
        """
        names = {followed.name for followed in accounts}
        states = [followed.state for followed in accounts]
        leaders = {name: self.nodes.leader_of(name) for name in sorted(names)}
        doubtful = [
            (followed, cid) for followed in accounts
            for cid, order in followed.state.live.items()
            if order.in_doubt and mine(followed.name, order.armed.bot)
        ]  # fmt: skip
        bots = [
            (name, bot) for followed in accounts
            for name, bot in sorted(followed.state.present.items()) if mine(followed.name, name)
        ]  # fmt: skip
        since = [f.places[cid].armed_ns for f, cid in doubtful if cid in f.places]
        halted = [state for state in states if state.halted]
        worst = max(halted, key=lambda s: _LEVELS.index(s.halt_level), default=None)
        return Situation(
            faults=list(self._faults(names)),
            unled=[name for name, leader in leaders.items() if leader is None],
            leaders=[leader for leader in leaders.values() if leader is not None],
            doubts=len(doubtful),
            doubt_s=max(0.0, (time.time_ns() - min(since)) / 1e9) if since else 0.0,
            halt=worst.halt_level if worst is not None else None,
            why=worst.halted if worst is not None else "",
            is_failing=any(state.in_maintenance or state.breakers for state in states),
            failed=[name for name, bot in bots if bot.failed],
            bots=len(bots),
            running=sum(bot.running for _, bot in bots),
            price_age_s=self.price_age_s(accounts, mine),
        )

    def _faults(self, names: AbstractSet[str]) -> Iterator[str]:
        """What makes that which is known of accounts wrong, or old."""
        yield from (text for name, text in self.journals.faults.items() if name in names)
        if names and (unread_s := self.journals.unread_s):
            yield f"the journal was not read for {unread_s:.0f} s, and all but prices is as old"
        if names and (unread_s := self.nodes.unread_s):
            yield f"the lease store told nothing for {unread_s:.0f} s, so who leads is not known"


def _by_exchange(config: Config) -> Mapping[Endpoints, tuple[str, ...]]:
    found: dict[Endpoints, tuple[str, ...]] = {}
    for account in config.all_accounts:
        endpoints = endpoints_of(account.venue)
        found[endpoints] = (*found.get(endpoints, ()), account.name)
    return found
