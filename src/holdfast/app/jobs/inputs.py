"""What each kind of job is asked for with, and the kinds themselves; light enough for whoever asks.

Not here: the functions, which are named and imported only where they run.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from holdfast.config import Config
from holdfast.platform.jobs.kinds import Kind
from holdfast.platform.jobs.planned import Planned

_DAY_S: Final = 86_400
_HOUR_S: Final = 3600

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Names = Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1, max_length=20)]
_Number = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?\Z")]


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run over recorded bars is told, whatever asks for it; see `backtest`.

    Attributes:
        strategy: a shipped name, or `FILE:Class` in the folder of strategies.
        data: names of datasets, or files in the folder of data, one per symbol; `invented`.
        trades, depth: recordings there.
        signals: a file there of each external series, by name.
    """

    strategy: _Name
    data: _Names
    symbol: str | None = None
    timeframe: str | None = None
    cash: _Number = "10000"
    fee_bps: _Number = "10"
    fee_asset: Literal["quote", "base"] = "quote"
    slippage_bps: _Number = "0"
    latency_ms: _Number = "0"
    trades: tuple[_Name, ...] = ()
    depth: tuple[_Name, ...] = ()
    depth_fallback: bool = False
    conservative: bool = False
    signals: dict[_Name, _Name] = {}


class BacktestJob(Costs, frozen=True, kw_only=True):
    """A strategy over recorded bars.

    Attributes:
        params: of the strategy.
    """

    params: dict[str, Any] = {}


class SweepJob(Costs, frozen=True, kw_only=True):
    """A search of a strategy's parameters; see `search`. Workers share it by windows.

    Attributes:
        fixed: parameters that are not searched.
        space: `name=low:high[:step]`, instead of the declared bounds.
        seed: the same one gives the same search.
    """

    fixed: dict[str, Any] = {}
    space: tuple[str, ...] = ()
    objective: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}\Z")] = "sharpe"
    trials: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    walk_forward: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 1


class SweepWindowJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One window of a sweep, from 1."""

    sweep: SweepJob
    window: int


class ReportJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The report of the day before a moment.

    Attributes:
        before: ISO 8601, UTC; the day of `before` itself is not reported.
    """

    before: str



class SlotJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job of a slot of time.

    Attributes:
        slot: when it began, ISO 8601, UTC.
    """

    slot: str


def _kind(name: str, takes: type[msgspec.Struct], run: str, **more: Any) -> Kind:
    return Kind(name=name, takes=takes, run=f"holdfast.app.jobs.{run}", **more)


KINDS: Final = {
    kind.name: kind
    for kind in (
        _kind("backtest", BacktestJob, "backtests:backtest_job"),
        _kind(
            "sweep", SweepJob, "sweeps:gather", split="holdfast.app.jobs.sweeps:windows_of",
        ),
        _kind("sweep-window", SweepWindowJob, "sweeps:search_window", is_public=False,
              most_s=6 * _HOUR_S),
        _kind("daily-report", ReportJob, "daily:send_daily_report", is_public=False),
        _kind("sentiment", SlotJob, "news:analyze_sentiment", is_public=False, attempts=1),
        _kind("upkeep", SlotJob, "upkeep:keep_up", is_public=False),
    )
}  # fmt: skip
"""Every kind of job that this installation can do."""


def planned_of(config: Config) -> list[Planned]:
    """What the platform asks for by itself."""
    slot = '{"slot":"{slot}"}'
    found = [Planned(kind="upkeep", every_s=_HOUR_S, given=slot)]
    mail, sentiment = config.jobs.mail, config.jobs.sentiment
    if mail is not None:
        found.append(
            Planned(
                kind="daily-report", every_s=_DAY_S, at_s=mail.at_s, given='{"before":"{slot}"}'
            )
        )
    if sentiment is not None:
        found.append(Planned(kind="sentiment", every_s=sentiment.every_s, given=slot))
    return found
