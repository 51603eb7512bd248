"""Exchange accounts, and the first screen.

Not here: their keys, which are references in the configuration and never leave it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from holdfast.api.shapes.base import Amount, Out
from holdfast.api.shapes.limits import LimitsOut
from holdfast.domain.guard import HaltLevel


class Tone(StrEnum):
    """How a sentence is meant."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"


class Account(Out, frozen=True, kw_only=True):
    """An exchange account.

    Attributes:
        venue: whose protocol is spoken; null when only the journal knows the account.
        leader: name of the node that leads it; null while nobody does.
        epoch: of the leader; one more with each takeover.
        seq: of its last record.
        trades: whether a bot may open a position now.
        halt, reason: of the account's own halt.
        breakers: circuit breakers that are not closed, by class of endpoints.
        quarantine: assets and symbols that differ from the exchange, with the evidence.
        in_doubt, resting, protecting: how many orders.
        day_pnl, drawdown_pct: null until a price is known.
        exposure: what is held beyond the reporting currency, in it.
    """

    name: str
    venue: str | None = None
    leader: str | None = None
    epoch: int
    seq: int
    trades: bool
    halt: HaltLevel | None = None
    reason: str
    in_maintenance: bool
    breakers: dict[str, str]
    quarantine: dict[str, str]
    in_doubt: int
    resting: int
    protecting: int
    reporting: str
    equity: Amount | None = None
    day_pnl: Amount | None = None
    exposure: Amount | None = None
    drawdown_pct: Amount | None = None
    heard_at: datetime | None = None


class Accounts(Out, frozen=True, kw_only=True):
    """All accounts, by name."""

    items: tuple[Account, ...]


class AccountDetail(Out, frozen=True, kw_only=True):
    """An account with what it was told.

    Attributes:
        api_key: the reference to it, such as `env:BINANCE_API_KEY`; never the key. Null where this
            process has no configuration of the account.
        reconcile: what is done about what others do on it.
        config_version: of its limits; also its ETag.
    """

    account: Account
    api_key: str | None = None
    rest_url: str | None = None
    reconcile: str | None = None
    limits: LimitsOut
    config_version: int


class Overview(Out, frozen=True, kw_only=True):
    """All accounts that the caller may see, in one sentence and a few numbers.

    Attributes:
        sentence: such as `Trading normally. node-1 leads. Prices 0.2 s old. Nothing in doubt.`
        price_age_s: of the oldest price that a running bot looks at; null without any.
        equity, day_pnl, exposure: sums over accounts of one reporting currency; null while a price
            is missing, or where accounts report in several.
        in_doubt: orders of which nobody knows.
        positions: how far the journal of each account had been read, to follow on from in a stream.
    """

    at: datetime
    sentence: str
    tone: Tone
    halt: HaltLevel | None = None
    leaders: tuple[str, ...]
    price_age_s: float | None = None
    in_doubt: int
    reporting: str | None = None
    equity: Amount | None = None
    day_pnl: Amount | None = None
    day_pnl_pct: Amount | None = None
    exposure: Amount | None = None
    exposure_pct: Amount | None = None
    accounts: tuple[Account, ...]
    positions: dict[str, int]
