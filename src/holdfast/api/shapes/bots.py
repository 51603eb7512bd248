"""Bots and strategies.

Not here: what they trade (trading), the account they are on (accounts).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from holdfast.api.shapes.base import Amount, In, Name, NodeName, Out, Reason, Symbol, Timeframe
from holdfast.api.shapes.limits import LimitsIn, LimitsOut
from holdfast.domain.guard import HaltLevel


class BotCondition(StrEnum):
    """A bot in one word."""

    RUNNING = "running"
    DRAINING = "draining"
    HALTED = "halted"
    STOPPED = "stopped"
    FAILED = "failed"


class Bot(Out, frozen=True, kw_only=True):
    """A strategy on some symbols of an account.

    Attributes:
        reason: why it does not run, empty while it does.
        halt: how much of it is stopped, by its own halt or its account's.
        config_version: of the configuration that it runs with; also its ETag.
        decisions: made so far.
        wish: what it wants now, in words.
        pnl, day_pnl: in the quote asset; null while a price is missing.
    """

    account: str
    name: str
    strategy: str
    symbols: tuple[str, ...]
    timeframe: str
    condition: BotCondition
    reason: str
    halt: HaltLevel | None = None
    config_version: int
    decisions: int
    wish: str
    pnl: Amount | None = None
    day_pnl: Amount | None = None
    value: Amount | None = None
    quote: str
    decided_at: datetime | None = None


class Bots(Out, frozen=True, kw_only=True):
    """All bots, by account and name."""

    items: tuple[Bot, ...]


class BotDetail(Out, frozen=True, kw_only=True):
    """A bot with its configuration.

    Attributes:
        params: as they are in force, those with defaults included.
        schema: JSON schema of each parameter; null where its strategy is not known here.
    """

    bot: Bot
    params: dict[str, Any]
    schema: dict[str, dict[str, Any]] | None = None
    limits: LimitsOut
    join_timeout_s: float
    decide_budget_ms: float


class BotConfig(In, frozen=True, kw_only=True):
    """What a bot is to trade, whole: what is left out gets its default.

    Attributes:
        strategy: a shipped one's name.
        params: as the strategy's schema says.
        join_timeout_s: how long bars that close together are waited for.
        decide_budget_ms: how long one decision may take.
    """

    strategy: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$", max_length=64)]
    symbols: Annotated[tuple[Symbol, ...], msgspec.Meta(min_length=1, max_length=50)]
    timeframe: Timeframe = "1m"
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    limits: LimitsIn = msgspec.field(default_factory=LimitsIn)
    join_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
    decide_budget_ms: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 100.0


class NewBot(BotConfig, frozen=True, kw_only=True):
    """A bot that is to be there."""

    name: Name


class Move(In, frozen=True, kw_only=True):
    """Where an account, with all its bots, is to be led."""

    node: NodeName


class Why(In, frozen=True, kw_only=True):
    """Why something is asked for."""

    reason: Reason = ""


class LogLine(Out, frozen=True, kw_only=True):
    """Something that happened to a bot, as its journal tells it.

    Attributes:
        kind: of the fact.
        level: `info`, `warning` or `error`.
    """

    seq: int
    at: datetime
    level: str
    kind: str
    told: str


class Log(Out, frozen=True, kw_only=True):
    """A page of a bot's log, newest first."""

    items: tuple[LogLine, ...]
    next_cursor: str | None = None


class StrategyInfo(Out, frozen=True, kw_only=True):
    """A strategy that is installed.

    Attributes:
        about: one line.
        parameters: JSON schema of each; one without `default` must be given.
    """

    name: str
    about: str
    parameters: dict[str, dict[str, Any]]


class Strategies(Out, frozen=True, kw_only=True):
    """All of them, by name."""

    items: tuple[StrategyInfo, ...]
