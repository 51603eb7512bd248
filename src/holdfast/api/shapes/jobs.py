"""Backtests, sweeps and other background jobs, and the data they run on.

Not here: doing them (platform.jobs, app.research).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from holdfast.api.shapes.base import In, Out, PositiveAmount
from holdfast.platform.jobs.port import JobState

StrategyName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$", max_length=64)]
DatasetName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", max_length=128)
]
Number = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?$",
        max_length=37,
        description="An exact number from zero on, as text without exponent.",
        examples=["10"],
    ),
]
SearchRange = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z_]\w{0,63}=[0-9.:-]{1,60}$", max_length=130)
]
DatasetNames = Annotated[tuple[DatasetName, ...], msgspec.Meta(min_length=1, max_length=20)]


class Job(Out, frozen=True, kw_only=True):
    """Work in the background.

    Attributes:
        kind: what is done, such as `backtest` or `sweep`.
        owner: id of the user whose it is.
        progress: 0 to 1; `note` says what it is at.
        attempts: how often it was begun: a worker may have died.
        is_cancelling: a worker has been told to stop.
        error: why it failed, for people.
        input: what was asked for.
        files: names of what it wrote.
    """

    job_id: str
    kind: str
    state: JobState
    progress: float
    note: str
    owner: str
    attempts: int
    is_cancelling: bool
    error: str | None = None
    input: dict[str, Any]
    files: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Jobs(Out, frozen=True, kw_only=True):
    """A page of jobs, newest first."""

    items: tuple[Job, ...]
    next_cursor: str | None = None


class JobResult(Out, frozen=True, kw_only=True):
    """What came of a job that is done; its shape is that of its kind."""

    job_id: str
    kind: str
    result: dict[str, Any]


class Backtest(In, frozen=True, kw_only=True):
    """A strategy over recorded bars.

    Attributes:
        data: names of datasets, one per symbol, the bot's own first.
        params: as the strategy's schema says.
        cash: quote units to begin with.
        conservative: fills are at least as bad as a careful person would expect.
    """

    strategy: StrategyName
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    data: DatasetNames
    cash: PositiveAmount = "10000"
    fee_bps: Number = "10"
    fee_asset: Literal["quote", "base"] = "quote"
    slippage_bps: Number = "0"
    latency_ms: Number = "0"
    conservative: bool = False


class Sweep(In, frozen=True, kw_only=True):
    """A search of a strategy's parameters over recorded bars.

    Attributes:
        fixed: parameters that are not searched.
        space: `name=low:high` or `name=low:high:step`, instead of the declared bounds.
        trials: how many to try.
        objective: the figure to make large.
        walk_forward: in so many folds; 0 searches over all of it.
        seed: the same one tries the same.
    """

    strategy: StrategyName
    fixed: dict[str, Any] = msgspec.field(default_factory=dict)
    space: Annotated[tuple[SearchRange, ...], msgspec.Meta(max_length=50)] = ()
    data: DatasetNames
    trials: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    objective: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}$", max_length=40)] = "sharpe"
    walk_forward: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0
    cash: PositiveAmount = "10000"
    fee_bps: Number = "10"
    fee_asset: Literal["quote", "base"] = "quote"
    slippage_bps: Number = "0"
    conservative: bool = False
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 1


class Dataset(Out, frozen=True, kw_only=True):
    """Recorded bars on this machine."""

    name: str
    symbol: str
    timeframe: str
    rows: int
    first: datetime
    last: datetime


class Datasets(Out, frozen=True, kw_only=True):
    """By name."""

    items: tuple[Dataset, ...]


class Signal(In, frozen=True, kw_only=True):
    """An entry of an external series, as its source tells it.

    Attributes:
        value: any JSON.
        known_at: RFC 3339 with a zone; left out, now.
        id: unique within the series, so that a repetition is known as one.
    """

    value: Any
    known_at: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    id: Annotated[str, msgspec.Meta(max_length=200)] = ""

