"""A paper run: one strategy on live or invented prices with money that is not there.

Lives here: what a run was begun with, and that it is gone on with. Not here: the run itself, which
is the demo's (app.demo.run), or options and output (cli.paper).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from holdfast.app.demo.admin import Admin
from holdfast.app.demo.plan import DEFAULT_SEED, Plan
from holdfast.app.markets.local_exchange import LocalExchange, check_mirror
from holdfast.config import Bot
from holdfast.domain.money import parse
from holdfast.errors import ConfigError
from holdfast.exchange.mirror import ASSUMPTION
from holdfast.strategy.load import create

BOT: Final = "paper"
DEFAULT_CASH: Final = "10000"
DEFAULT_TIMEFRAME: Final = "1m"


class PaperPlan(Plan, kw_only=True):
    """One bot, on an invented market or a mirrored one.

    Attributes:
        strategy: a shipped one's name, or `FILE:Class` with an absolute path.
        pairs: what it trades, `BASE/QUOTE`; the first is the primary one.
        cash: quote units at the beginning, text.
        mirror: the exchange whose live market is traded; empty for an invented one.
        seed: of an invented market.
        latency_ms: by which orders reach the exchange later than they were sent.
        is_open: the account exists.
    """

    verb = "paper"
    kind = "paper run"

    strategy: str
    pairs: tuple[str, ...]
    timeframe: str = DEFAULT_TIMEFRAME
    params: dict[str, str] = msgspec.field(default_factory=dict)
    cash: str = DEFAULT_CASH
    mirror: str = ""
    mirror_url: str = ""
    mirror_stream_url: str = ""
    seed: int = DEFAULT_SEED
    latency_ms: float = 0.0
    is_open: bool = False

    @property
    def is_complete(self) -> bool:
        """See `Plan`."""
        return self.is_open

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded."""
        return self.pairs

    @property
    def market(self) -> str:
        """See `Plan`."""
        if self.mirror:
            return f"live prices of {self.mirror}"
        return f"invented market, seed {self.seed}"

    @property
    def opening(self) -> dict[str, str]:
        """Cash and nothing else."""
        return {self.pairs[0].split("/")[1]: self.cash}

    @property
    def assumption(self) -> str:
        """See `Plan`."""
        return ASSUMPTION if self.mirror else ""

    async def check(self) -> None:
        """See `Plan`."""
        if self.mirror:
            await check_mirror(
                LocalExchange(
                    symbols=self.pairs,
                    mirror=self.mirror,
                    mirror_url=self.mirror_url,
                    mirror_stream_url=self.mirror_stream_url,
                )
            )

    def exchange_words(self) -> list[str]:
        """See `Plan`."""
        late = ["--latency-ms", str(self.latency_ms)] if self.latency_ms else []
        if not self.mirror:
            return ["--synthetic", "--seed", str(self.seed), *late]
        words = ["--mirror", self.mirror, *late]
        for option, value in (
            ("--mirror-url", self.mirror_url),
            ("--mirror-stream-url", self.mirror_stream_url),
        ):
            words += [option, value] if value else []
        return words

    async def settle_in(self, _admin: Admin) -> None:
        """Nothing depends on the market here."""
        self.is_open = True

    def bots(self) -> str:
        """See `Plan`."""
        text = json.dumps  # a JSON string or list of strings is TOML as well
        params = "".join(f"{text(name)} = {text(value)}\n" for name, value in self.params.items())
        return f"""\
[[bots]]
name = "{BOT}"
strategy = {text(self.strategy, ensure_ascii=False)}
symbols = {text(self.pairs)}
timeframe = {text(self.timeframe)}

[bots.params]
{params}"""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a user said this time; None, or empty, is what the folder keeps, or else the default."""

    strategy: str | None = None
    symbols: tuple[str, ...] = ()
    timeframe: str | None = None
    params: dict[str, str] = {}
    cash: str | None = None
    mirror: str | None = None
    mirror_url: str = ""
    mirror_stream_url: str = ""
    seed: int | None = None
    latency_ms: float | None = None


def paper_plan(kept: PaperPlan | None, given: Given) -> PaperPlan:
    """The plan to go on with.

    Raises:
        ConfigError: what is given makes no sense, or is not what the folder was begun with: its
            position and its journal belong to that.
    """
    plan = _begun(given) if kept is None else _gone_on_with(kept, given)
    # Where the exchange is and how far away may change; what is traded there may not.
    if given.mirror_url or given.mirror_stream_url:
        plan.mirror_url, plan.mirror_stream_url = given.mirror_url, given.mirror_stream_url
    if given.latency_ms is not None:
        plan.latency_ms = given.latency_ms
    create(plan.strategy, plan.params)
    return plan


def _begun(given: Given) -> PaperPlan:
    if not given.strategy or not given.symbols:
        missing = "--symbol" if given.strategy else "--strategy"
        raise ConfigError(
            f"seen: no {missing}; expected: what to trade, where nothing was begun yet; "
            "do: name it, such as --strategy sma_cross --symbol BTC/USDT"
        )
    plan = PaperPlan(
        strategy=_absolute(given.strategy),
        pairs=given.symbols,
        timeframe=given.timeframe or DEFAULT_TIMEFRAME,
        params=given.params,
        cash=given.cash or DEFAULT_CASH,
        mirror=given.mirror or "",
        seed=DEFAULT_SEED if given.seed is None else given.seed,
    )
    _check_cash(plan.cash)
    try:
        msgspec.convert(
            {
                "name": BOT, "strategy": plan.strategy, "symbols": plan.pairs,
                "timeframe": plan.timeframe,
            },
            Bot,
        )  # fmt: skip
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"seen: {', '.join(plan.pairs)} in bars of {plan.timeframe} ({error}); expected: "
            "symbols such as BTC/USDT, paid in one asset, and a time such as 5m; do: correct it"
        ) from error
    return plan


def _gone_on_with(kept: PaperPlan, given: Given) -> PaperPlan:
    strategy = None if given.strategy is None else _absolute(given.strategy)
    said: Mapping[str, tuple[object, object]] = {
        "--strategy": (strategy, kept.strategy),
        "--symbol": (given.symbols or None, kept.pairs),
        "--timeframe": (given.timeframe, kept.timeframe),
        "--param": (given.params or None, kept.params),
        "--cash": (given.cash, kept.cash),
        "--mirror": (given.mirror, kept.mirror),
        "--seed": (given.seed, kept.seed),
    }
    for option, (now, then) in said.items():
        if now is not None and now != then:
            raise ConfigError(
                f"seen: {option} {_shown(now)}, where this folder was begun with "
                f"{_shown(then) or 'none'}; expected: the same, since what it holds comes from "
                "that; do: leave the option out, name another folder with --dir, or begin anew "
                "with --fresh"
            )
    return kept


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={item}" for name, item in value.items())
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _absolute(strategy: str) -> str:
    """The same whatever the working directory is next time."""
    path, colon, name = strategy.rpartition(":")
    return f"{Path(path).absolute()}:{name}" if colon and path else strategy


def _check_cash(cash: str) -> None:
    try:
        amount = parse(cash)
    except ValueError:
        amount = Decimal(0)
    if amount <= 0:
        raise ConfigError(
            f"seen: --cash {cash!r}; expected: an amount above zero; do: write it as 10000"
        )
