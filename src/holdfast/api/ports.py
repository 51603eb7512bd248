"""What the API asks of others: the read model, commands, and the parts that have a port elsewhere.

Whoever asks comes along as `who`: a port answers only with what is his, and the routes need not
filter. Implementations are handed in by `app.web`. Not here: routes, shapes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from holdfast.api.shapes.accounts import Account, AccountDetail, Overview
from holdfast.api.shapes.bots import Bot, BotDetail, LogLine, StrategyInfo
from holdfast.api.shapes.cluster import Cluster, Failover
from holdfast.api.shapes.commands import Command
from holdfast.api.shapes.configuration import Configuration
from holdfast.api.shapes.exchange_accounts import ExchangeAccount, NewExchangeAccount
from holdfast.api.shapes.jobs import Dataset
from holdfast.api.shapes.market import Candles, Price
from holdfast.api.shapes.trading import (
    Balance,
    EquitySeries,
    Fill,
    Order,
    OrderCondition,
    OrderStory,
    Position,
)
from holdfast.errors import RejectedError
from holdfast.operations.notify.port import Notifications
from holdfast.platform.identity.port import Audit, Identity
from holdfast.platform.identity.values import Principal
from holdfast.platform.jobs.port import Jobs
from holdfast.platform.requests.port import Requests

T = TypeVar("T")


class NotThereError(RejectedError):
    """What was named is not there, or not for the one who asks to see: which, is not told.

    `code`: what was named, such as `order`.
    """


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the sort key of its last item, which no later record can come before.

    Attributes:
        at_ns: moment of the item, UTC nanoseconds; 0 where the place alone sorts.
    """

    at_ns: int
    account: str
    seq: int


class Part(msgspec.Struct, Generic[T], frozen=True):
    """Some of many items, newest first.

    Attributes:
        end: after which the next page begins; None when there is none.
        written: the same items as they go over the wire, where they are kept so; empty where not.
    """

    items: tuple[T, ...]
    end: Mark | None = None
    written: tuple[msgspec.Raw, ...] = ()


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of a list; None lets everything through.

    Attributes:
        since, until: moments, the first included and the second not.
    """

    account: str | None = None
    bot: str | None = None
    symbol: str | None = None
    condition: OrderCondition | None = None
    since: datetime | None = None
    until: datetime | None = None


class Reads(Protocol):
    """What is known, folded from journals, off every writer's locks. No method blocks the loop.

    Methods that name an object raise NotThereError. Any may raise RetryableError (a database does
    not answer).
    """

    async def reached(self, account: str, seq: int, within_s: float) -> bool:
        """Whether the other methods know of this record, once they do or `within_s` has passed."""
        ...

    async def overview(self, who: Principal) -> Overview:
        """All accounts of which he has the whole, in one sentence and a few numbers."""
        ...

    async def accounts(self, who: Principal) -> tuple[Account, ...]:
        """By name."""
        ...

    async def account(self, who: Principal, account: str) -> AccountDetail:
        """One of them."""
        ...

    async def bots(self, who: Principal, account: str | None = None) -> tuple[Bot, ...]:
        """By account and name."""
        ...

    async def bot(self, who: Principal, account: str, bot: str) -> BotDetail:
        """One of them, with its configuration."""
        ...

    async def bot_log(
        self, who: Principal, account: str, bot: str, after: Mark | None, limit: int
    ) -> Part[LogLine]:
        """What happened to it."""
        ...

    async def orders(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Order]:
        """Those that may still matter, and all that came before them."""
        ...

    async def order(self, who: Principal, account: str, cid: str) -> OrderStory:
        """One of them with every record about it."""
        ...

    async def fills(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Fill]:
        """Executions; `which.condition` means nothing here."""
        ...

    async def positions(
        self, who: Principal, account: str | None = None, bot: str | None = None
    ) -> tuple[Position, ...]:
        """Open ones, by account, bot and symbol."""
        ...

    async def balances(self, who: Principal, account: str | None = None) -> tuple[Balance, ...]:
        """What is not zero, by account and asset; of accounts of which he has the whole."""
        ...

    async def equity(
        self,
        who: Principal,
        account: str | None,
        bot: str | None,
        points: int,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> EquitySeries:
        """Of an account, of a bot of it, or of all accounts together; thinned to `points`."""
        ...

    async def prices(self, who: Principal, symbols: Sequence[str]) -> tuple[Price, ...]:
        """The last prices, by symbol; all of them when none is named."""
        ...

    async def candles(
        self,
        symbol: str,
        timeframe: str,
        limit: int,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> Candles:
        """Bars of a symbol that some bot trades; NotThereError for others."""
        ...

    async def cluster(self, who: Principal) -> Cluster:
        """Nodes, leadership, and the newest failovers."""
        ...

    async def failovers(
        self, who: Principal, account: str | None, after: Mark | None, limit: int
    ) -> Part[Failover]:
        """How leadership moved."""
        ...

    async def strategies(self) -> tuple[StrategyInfo, ...]:
        """The strategies that may be traded, by name."""
        ...

    async def datasets(self) -> tuple[Dataset, ...]:
        """Recorded bars on this machine, by name."""
        ...

    async def conditions(self) -> Mapping[str, Any]:
        """For health: `exchange_connected` (bool or None), `last_order_at` (datetime or None), and
        whatever helps an operator. Answers at once from memory.
        """
        ...


class SlowReaderError(Exception):
    """A reader did not take what it had asked for; it may come again and resume."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A message of a stream, encoded once for everybody who hears it.

    Attributes:
        seq: journal position of its account that a reader has reached with it; 0 of what has no
            place in a journal.
        body: JSON, one line.
    """

    topic: str
    account: str
    seq: int
    body: bytes


TOPICS: Final = ("orders", "alerts", "cluster", "prices", "positions", "equity")
"""What can be listened to. The first three are events, each with its place in a journal; of the
others every message says how things stand, and only the newest counts."""


class Feeds(Protocol):
    """Changes as they come, resumable from a journal position."""

    def subscribe(
        self, who: Principal, topics: Sequence[str], after: Mapping[str, int]
    ) -> AsyncGenerator[Frame, None]:
        """Messages until it is closed: first `ready` with the positions, then what was missed.

        A `beat` every few seconds says that it lives.

        Args:
            topics: of `TOPICS`.
            after: by account, the journal position that the client has seen; without one, what
                comes from now on. Where too much was missed, `reset` says that the client has to
                look anew.

        Raises:
            SlowReaderError: what is told is not taken in time.
            RetryableError: not yet: journals are still being read.
        """
        ...


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it is to be asked for.

    Attributes:
        command_id: the same id asks once, however often it is given.
        arguments: as the engine and the leader know them; what has parts is JSON text.
        by_key: the id comes from an `Idempotency-Key`, which may be used anew once it is forgotten,
            and after a failure: the id stands for the same thing only, until the leader refuses
            it or the key's week is over. What is asked for then has another id.
    """

    command_id: str
    account: str
    name: str
    arguments: Mapping[str, str]
    by_key: bool = False


class Commands(Protocol):
    """Commands to the leaders of accounts, in the journal with who asked (`CommandGiven`)."""

    async def give(
        self, who: Principal, given: Sequence[Given], request_id: str, wait_s: float
    ) -> tuple[Command, ...]:
        """Ask for them all, and wait until they took effect or `wait_s` has passed.

        Raises:
            RetryableError: nothing was asked for.
        """
        ...

    async def find(self, who: Principal, command_id: str) -> Command:
        """One that was asked for.

        Raises:
            NotThereError: there is none, or not on an account of his.
        """
        ...

    async def hand_over(
        self, who: Principal, account: str, node: str, request_id: str, wait_s: float
    ) -> Command:
        """Move an account to a node; waits as `give`.

        Raises:
            NotThereError: there is no such node.
            RejectedError: it may not lead the account, or leads it already.
        """
        ...


class ExchangeAccounts(Protocol):
    """The exchange accounts that nodes are configured with."""

    async def all(self) -> tuple[ExchangeAccount, ...]:
        """Those of the file, and then those that were added, in order."""
        ...

    async def add(self, who: Principal, account: NewExchangeAccount) -> ExchangeAccount:
        """One more; the same one again changes nothing.

        Raises:
            ConfigError: it does not go together with the others.
            RejectedError: there is another one of that name.
        """
        ...

    async def drop(self, who: Principal, name: str) -> None:
        """One less.

        Raises:
            RejectedError: something of it goes on, or none of that name was added.
        """
        ...


class Signals(Protocol):
    """External series whose sources call."""

    async def deliver(self, name: str, body: bytes, signature: str, request_id: str) -> Command:
        """Hand an entry over to the leader of the account that hears the series.

        Args:
            body: as it came, which is what was signed.
            signature: `sha256=` and the HMAC of the body under the series' secret, in hex.

        Raises:
            NotThereError: no such series, or no such proof: which, is not told.
            RejectedError: the entry is none, or not one that can follow.
        """
        ...


class Probe(Protocol):
    """Something that this process depends on."""

    async def ask(self) -> None:
        """Return when it answers.

        Raises:
            PlatformError, OSError: it does not.
        """
        ...


class Rate(msgspec.Struct, frozen=True):
    """So many in so long, spent evenly after a burst of all of them."""

    amount: int
    period_s: float


class Rates(Protocol):
    """What callers have spent."""

    async def spend(self, key: str, rate: Rate) -> float:
        """Take one; 0 when there was one, else after how many seconds there is. Never raises."""
        ...


class Striker(Protocol):
    """The hand that the demo lends."""

    async def kill_leader(self, who: Principal) -> str:
        """Kill the node that leads; what was done, in a sentence.

        Raises:
            RejectedError: nobody leads just now.
        """
        ...


class Settings(Protocol):
    """What this process was told."""

    async def configuration(self) -> Configuration:
        """The effective configuration, and what of its sources has not taken effect yet."""
        ...

    def reload(self) -> None:
        """Read it again: what is safe takes effect, the rest is named in the log."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of them, as `app.web` joins them.

    Attributes:
        database, redis: probes of health; None where it is not configured.
        striker: in the demo only.
    """

    identity: Identity
    audit: Audit
    requests: Requests
    reads: Reads
    feeds: Feeds
    commands: Commands
    exchange_accounts: ExchangeAccounts
    signals: Signals
    jobs: Jobs
    notifications: Notifications
    rates: Rates
    settings: Settings
    database: Probe
    redis: Probe | None = None
    striker: Striker | None = None
