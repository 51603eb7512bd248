"""What the API may ask of the read model: `api.ports.Reads`.

Not here: lists that go back in history (lists).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.api.ports import NotThereError
from holdfast.api.shapes.accounts import Account, AccountDetail, Overview, Tone
from holdfast.api.shapes.base import amount
from holdfast.api.shapes.bots import Bot, BotDetail, StrategyInfo
from holdfast.api.shapes.cluster import Cluster, Leadership, Node
from holdfast.api.shapes.jobs import Dataset
from holdfast.api.shapes.market import Candle, Candles, Price
from holdfast.api.shapes.trading import Balance, Position
from holdfast.app.jobs.places import dataset_name
from holdfast.app.markets.data import list_data
from holdfast.app.research.strategies import described
from holdfast.app.view import account as shown
from holdfast.app.view.candles import Candles as Charts
from holdfast.app.view.history import History
from holdfast.app.view.journals import POLL_S, Followed
from holdfast.app.view.lists import Lists
from holdfast.app.view.model import Model
from holdfast.app.view.prices import age_s
from holdfast.app.view.recent import Recent
from holdfast.app.view.sentence import STALE_PRICES_S, say
from holdfast.config import Account as WrittenAccount
from holdfast.domain.limits import Limits, read_limits
from holdfast.domain.market import Bar
from holdfast.domain.money import ZERO
from holdfast.domain.timeframe import timeframe_s
from holdfast.journal.report_months import moment, nanoseconds
from holdfast.ledger.state import AccountState
from holdfast.platform.identity.values import Principal

NEWEST_FAILOVERS: Final = 100


class ViewReads(Lists):
    """All of it, for one event loop.

    Args:
        data: the folder of recorded market data.
    """

    def __init__(
        self, model: Model, history: History, recent: Recent, charts: Charts, data: Path
    ) -> None:
        super().__init__(model, history, recent)
        self._charts = charts
        self._data = data

    async def reached(self, account: str, seq: int, within_s: float) -> bool:
        """Whether the journal is folded so far, once it is or `within_s` has passed."""
        until_s = time.monotonic() + within_s
        while not self._has(account, seq):
            if time.monotonic() >= until_s:
                return False
            await asyncio.sleep(POLL_S / 4)
        return True

    def _has(self, account: str, seq: int) -> bool:
        followed = self._model.account(account)
        return followed is not None and followed.state.seq >= seq

    # -- accounts ----------------------------------------------------------------------------------

    async def overview(self, who: Principal) -> Overview:
        """All accounts of which he has the whole, in one sentence and a few numbers.

        Who has the whole of none is told of his bots in the sentence.
        """
        seen, followed = self._traded(who), self._whole(who)
        accounts = tuple(self._shown(one) for one in followed)
        situation = self._model.situation(followed or seen, who.owns)
        if not (who.accounts is None or who.accounts):
            situation = msgspec.structs.replace(situation, is_granted=False)
        sentence, tone = say(situation)
        reporting = {one.reporting for one in accounts}
        equity = _sum(one.equity for one in accounts) if len(reporting) == 1 else None
        day_pnl = _sum(one.day_pnl for one in accounts) if len(reporting) == 1 else None
        exposure = _sum(one.exposure for one in accounts) if len(reporting) == 1 else None
        begun = None if equity is None or day_pnl is None else equity - day_pnl
        age = situation.price_age_s
        return Overview(
            at=shown.now(),
            sentence=sentence,
            tone=Tone(tone.value),
            halt=situation.halt,
            leaders=tuple(dict.fromkeys(situation.leaders)),
            price_age_s=None if age is None else round(age, 3),
            in_doubt=situation.doubts,
            reporting=reporting.pop() if len(reporting) == 1 else None,
            equity=_text(equity),
            day_pnl=_text(day_pnl),
            day_pnl_pct=_percent_of(day_pnl, begun),
            exposure=_text(exposure),
            exposure_pct=_percent_of(exposure, equity),
            accounts=accounts,
            positions={one.name: one.state.seq for one in seen},
        )

    async def accounts(self, who: Principal) -> tuple[Account, ...]:
        """By name."""
        return tuple(self._shown(one) for one in self._whole(who))

    async def account(self, who: Principal, account: str) -> AccountDetail:
        """One of them, with what it was told."""
        if not who.owns(account):
            raise NotThereError("account", "seen: no such account that you may see")
        (followed,) = self._of(who, account)
        written = self._model.written_account(account)
        return AccountDetail(
            account=self._shown(followed),
            api_key=written.api_key if written is not None else None,
            rest_url=written.venue.rest_url if written is not None else None,
            reconcile=written.reconcile.value if written is not None else None,
            limits=shown.limits_of(_limits(followed.state, written)),
            config_version=1 + followed.state.limits_version,
        )

    async def balances(self, who: Principal, account: str | None = None) -> tuple[Balance, ...]:
        """What is not zero, by account and asset; of accounts of which he has the whole."""
        return tuple(
            balance
            for followed in self._of(who, account) if who.owns(followed.name)
            for balance in shown.balances_of(followed, self._model.last)
        )  # fmt: skip

    async def positions(
        self, who: Principal, account: str | None = None, bot: str | None = None
    ) -> tuple[Position, ...]:
        """Open ones, by account, bot and symbol."""
        return tuple(
            position
            for followed in self._of(who, account)
            for position in shown.positions_of(followed, self._model.last, bot)
            if who.owns(followed.name, position.bot)
        )

    # -- bots --------------------------------------------------------------------------------------

    async def bots(self, who: Principal, account: str | None = None) -> tuple[Bot, ...]:
        """By account and name."""
        return tuple(
            shown.bot_of(followed, name, self._model.last, written)
            for followed, name, written in self._model.bots(self._of(who, account))
            if who.owns(followed.name, name)
        )

    async def bot(self, who: Principal, account: str, bot: str) -> BotDetail:
        """One of them, with its configuration."""
        found = [each for each in self._model.bots(self._of(who, account)) if each[1] == bot]
        if not found or not who.owns(account, bot):
            raise NotThereError("bot", "seen: no such bot that you may see")
        ((followed, _, written),) = found
        config = shown.config_of(followed.state.bot(bot))
        strategy = config.strategy or (written.strategy if written is not None else "")
        params = config.params or (written.params if written is not None else {})
        limits = config.limits if config.strategy or written is None else written.limits
        return BotDetail(
            bot=shown.bot_of(followed, bot, self._model.last, written),
            params=params,
            schema=next((s.parameters for s in _strategies() if s.name == strategy), None),
            limits=shown.limits_of(limits),
            join_timeout_s=config.join_timeout_s,
            decide_budget_ms=config.decide_budget_ms,
        )

    async def strategies(self) -> tuple[StrategyInfo, ...]:
        """The shipped ones, by name."""
        return await asyncio.to_thread(_strategies)

    async def datasets(self) -> tuple[Dataset, ...]:
        """Recorded bars on this machine, by name."""
        entries = await asyncio.to_thread(list_data, self._data)
        return tuple(
            Dataset(
                name=dataset_name(Path(entry.path)),
                symbol=entry.symbol,
                timeframe=entry.timeframe,
                rows=entry.rows,
                first=datetime.fromisoformat(entry.first),
                last=datetime.fromisoformat(entry.last),
            )
            for entry in entries
            if entry.kind == "bars" and entry.first is not None and entry.last is not None
        )

    # -- markets -----------------------------------------------------------------------------------

    async def prices(self, who: Principal, symbols: Sequence[str]) -> tuple[Price, ...]:
        """The last prices, by symbol; all of them when none is named."""
        del who  # a price is nobody's
        last = self._model.last
        return tuple(
            shown.price_of(symbol, last[symbol])
            for symbol in sorted(last)
            if not symbols or symbol in symbols
        )

    async def candles(
        self,
        symbol: str,
        timeframe: str,
        limit: int,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> Candles:
        """Bars of a symbol that some bot trades."""
        endpoints = self._model.endpoints_of(symbol)
        if endpoints is None:
            raise NotThereError("symbol", f"seen: {symbol}, which no bot trades")
        until_ns = None if until is None else nanoseconds(until)
        bar_s = timeframe_s(timeframe)
        bars, forming = await self._charts.find(endpoints, symbol, bar_s, until_ns, limit)
        return Candles(
            symbol=symbol,
            timeframe=timeframe,
            items=tuple(_candles(bars, since, until)),
            forming=None if forming is None or until is not None else _candle(forming),
        )

    # -- cluster -----------------------------------------------------------------------------------

    async def cluster(self, who: Principal) -> Cluster:
        """Nodes, leadership, and the newest failovers."""
        followed = self._traded(who)
        names = {one.name for one in followed}
        failovers = await self.failovers(who, None, None, NEWEST_FAILOVERS)
        since = {f.account: f.at for f in reversed(failovers.items)}
        return Cluster(
            profile=self._model.nodes.profile,
            nodes=tuple(
                Node(
                    name=node.name,
                    boot_id=node.boot_id,
                    pid=node.pid,
                    version=node.version,
                    is_live=node.is_live,
                    leads=tuple(account for account in node.leads if account in names),
                )
                for node in self._model.nodes.all
            ),
            leadership=tuple(
                Leadership(
                    account=one.name,
                    epoch=one.state.epoch,
                    leader=self._model.nodes.leader_of(one.name),
                    since=_led_since(one) or since.get(one.name),
                )
                for one in followed
            ),
            failovers=failovers.items,
        )

    # -- health ------------------------------------------------------------------------------------

    async def conditions(self) -> Mapping[str, Any]:
        """For health, at once and from memory."""
        accounts = list(self._model.journals.accounts.values())
        symbols = self._model.symbols(one.name for one in accounts)
        age = age_s(self._model.last, symbols)
        last_order_ns = max((one.last_order_ns for one in accounts), default=0)
        return {
            "exchange_connected": None if not symbols else age is not None
            and age < 10 * STALE_PRICES_S,
            "last_order_at": shown.time_of(last_order_ns),
            "journal_reached": self._model.journals.is_reached,
            "leases_reached": self._model.nodes.is_reached,
            "price_age_s": age,
            "positions": {one.name: one.state.seq for one in accounts},
            "faults": dict(self._model.journals.faults),
            "replica_lag_s": self._history.lag_s,
        }  # fmt: skip

    def _whole(self, who: Principal) -> list[Followed]:
        """Of which he has the whole, and which are traded."""
        traded = self._traded(who)
        return [one for one in traded if who.owns(one.name)]

    def _traded(self, who: Principal) -> list[Followed]:
        return [one for one in self._of(who, None) if self._model.is_traded(one.name)]

    def _shown(self, followed: Followed) -> Account:
        model, name = self._model, followed.name
        return shown.account_of(
            followed, model.last, model.nodes.leader_of(name), model.venue_of(name)
        )


def _limits(state: AccountState, written: WrittenAccount | None) -> Limits:
    """Of all bots together, as they bind: a command's go before the file's."""
    if state.limits:
        return read_limits(state.limits)
    return written.limits if written is not None else Limits()


@cache
def _strategies() -> tuple[StrategyInfo, ...]:
    """Those that are shipped: others are files of somebody's, which this process does not run."""
    return tuple(
        StrategyInfo(name=one.name, about=one.about, parameters=one.parameters)
        for one in described()
    )


def _led_since(followed: Followed) -> datetime | None:
    leader = followed.leadership.leader
    return moment(leader.at_ns) if leader is not None else None


def _candles(
    bars: Iterable[Bar], since: datetime | None, until: datetime | None
) -> Iterator[Candle]:
    for bar in bars:
        candle = _candle(bar)
        if (since is None or candle.at >= since) and (until is None or candle.at < until):
            yield candle


def _candle(bar: Bar) -> Candle:
    return Candle(
        at=moment(bar.open_ns),
        open=amount(bar.open),
        high=amount(bar.high),
        low=amount(bar.low),
        close=amount(bar.close),
        volume=amount(bar.volume),
    )


def _sum(amounts: Iterable[str | None]) -> Decimal | None:
    total = ZERO
    for one in amounts:
        if one is None:
            return None
        total += Decimal(one)
    return total


def _text(value: Decimal | None) -> str | None:
    return None if value is None else amount(value)


def _percent_of(part: Decimal | None, whole: Decimal | None) -> str | None:
    if part is None or not whole:
        return None
    return amount(round(part / whole * 100, shown.RATIO_DIGITS))
