"""A read model that was told what to say: two accounts with a bot each, for tests of the API alone.

It keeps the port's promise about whose things it shows. Not here: the real one (app.view).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.api.ports import Mark, NotThereError, Part, Which
from holdfast.api.shapes.accounts import Account, AccountDetail, Overview, Tone
from holdfast.api.shapes.bots import Bot, BotCondition, BotDetail, LogLine, StrategyInfo
from holdfast.api.shapes.cluster import Cluster, Failover, Leadership, Node
from holdfast.api.shapes.jobs import Dataset
from holdfast.api.shapes.limits import LimitsOut
from holdfast.api.shapes.market import Candle, Candles, Price
from holdfast.api.shapes.trading import (
    Balance,
    EquityPoint,
    EquitySeries,
    Fill,
    JournalEntry,
    Order,
    OrderCondition,
    OrderStory,
    Position,
)
from holdfast.domain.order import AttemptState, OrderState, OrderType, Side
from holdfast.platform.identity.values import Principal

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENT_NS = int(MOMENT.timestamp()) * 1_000_000_000
BOTS = {"main": "cross", "other": "grid"}
LIMITS = LimitsOut(max_order_notional="500", price_band_pct="5", max_orders_per_minute=60)
ORDERS = 5


def account(name: str) -> Account:
    return Account(
        name=name, venue="binance", leader="node-1", epoch=3, seq=42, trades=True, reason="",
        in_maintenance=False, breakers={}, quarantine={}, in_doubt=0, resting=1, protecting=0,
        reporting="USDT", equity="10000", day_pnl="12.5", exposure="640", drawdown_pct="0.5",
        heard_at=MOMENT,
    )  # fmt: skip


def bot(name: str) -> Bot:
    return Bot(
        account=name, name=BOTS[name], strategy="sma-cross", symbols=("BTC/USDT",),
        timeframe="1m", condition=BotCondition.RUNNING, reason="", config_version=3, decisions=7,
        wish="0.01 BTC/USDT", pnl="1.5", day_pnl="0.5", value="640", quote="USDT",
        decided_at=MOMENT,
    )  # fmt: skip


def order(name: str, number: int) -> Order:
    return Order(
        account=name, cid=f"{name}-{number}", bot=BOTS[name], symbol="BTC/USDT", side=Side.BUY,
        type=OrderType.MARKET, quantity="0.01", executed="0.01", condition=OrderCondition.FILLED,
        attempt=AttemptState.ACKED, state=OrderState.FILLED, order_id=str(number), seq=number,
        armed_at=MOMENT, changed_at=MOMENT,
    )  # fmt: skip


class ToldReads:
    """See `Reads`."""

    def __init__(self) -> None:
        self.conditions_told: dict[str, Any] = {"exchange_connected": True, "last_order_at": None}

    def _accounts(self, who: Principal, only: str | None = None) -> list[str]:
        return [name for name in BOTS if who.owns(name) and only in {None, name}]

    def _bots(self, who: Principal, only: str | None = None) -> list[str]:
        return [name for name in BOTS if who.owns(name, BOTS[name]) and only in {None, name}]

    async def reached(self, account: str, seq: int, within_s: float) -> bool:
        return True

    async def overview(self, who: Principal) -> Overview:
        return Overview(
            at=MOMENT, sentence="Trading normally.", tone=Tone.GOOD, leaders=("node-1",),
            price_age_s=0.2, in_doubt=0, reporting="USDT", equity="10000", day_pnl="12.5",
            accounts=tuple(account(name) for name in self._accounts(who)),
            positions=dict.fromkeys(self._accounts(who), 42),
        )  # fmt: skip

    async def accounts(self, who: Principal) -> tuple[Account, ...]:
        return tuple(account(name) for name in self._accounts(who))

    async def account(self, who: Principal, account_: str) -> AccountDetail:
        if account_ not in self._accounts(who):
            raise NotThereError("account", "seen: no such account that you may see")
        return AccountDetail(
            account=account(account_), api_key="env:BINANCE_API_KEY", limits=LIMITS,
            config_version=3,
        )  # fmt: skip

    async def bots(self, who: Principal, account_: str | None = None) -> tuple[Bot, ...]:
        return tuple(bot(name) for name in self._bots(who, account_))

    async def bot(self, who: Principal, account_: str, name: str) -> BotDetail:
        if account_ not in self._bots(who) or BOTS[account_] != name:
            raise NotThereError("bot", "seen: no such bot that you may see")
        return BotDetail(
            bot=bot(account_), params={"fast": 10}, limits=LIMITS, join_timeout_s=5.0,
            decide_budget_ms=100.0,
        )  # fmt: skip

    async def bot_log(
        self, who: Principal, account_: str, name: str, after: Mark | None, limit: int
    ) -> Part[LogLine]:
        await self.bot(who, account_, name)
        line = LogLine(seq=1, at=MOMENT, level="info", kind="decided", told="number=1")
        return Part((line,)[:limit] if after is None else ())

    async def orders(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Order]:
        found = [
            order(name, number)
            for name in self._bots(who, which.account)
            for number in range(ORDERS, 0, -1)
            if which.bot in {None, BOTS[name]} and which.symbol in {None, "BTC/USDT"}
        ]
        if after is not None:
            keys = [(one.account, one.seq) for one in found]
            found = found[keys.index((after.account, after.seq)) + 1 :]
        page = found[:limit]
        more = len(found) > limit
        end = Mark(MOMENT_NS, page[-1].account, page[-1].seq) if more else None
        return Part(tuple(page), end)

    async def order(self, who: Principal, account_: str, cid: str) -> OrderStory:
        for number in range(1, ORDERS + 1):
            if account_ in self._bots(who) and cid == f"{account_}-{number}":
                entry = JournalEntry(
                    seq=number, epoch=3, at=MOMENT, kind="armed", told="armed", fact={"cid": cid}
                )
                return OrderStory(order=order(account_, number), timeline=(entry,))
        raise NotThereError("order", "seen: no such order that you may see")

    async def fills(
        self, who: Principal, which: Which, after: Mark | None, limit: int
    ) -> Part[Fill]:
        found = tuple(
            Fill(
                account=name, seq=1, at=MOMENT, bot=BOTS[name], symbol="BTC/USDT", side=Side.BUY,
                quantity="0.01", price="64000", fee="0.64", fee_asset="USDT", is_maker=False,
                trade_id="1", order_id="1",
            )
            for name in self._bots(who, which.account)
        )  # fmt: skip
        return Part(found[:limit] if after is None else ())

    async def positions(
        self, who: Principal, account_: str | None = None, name: str | None = None
    ) -> tuple[Position, ...]:
        return tuple(
            Position(
                account=one, bot=BOTS[one], symbol="BTC/USDT", quantity="0.01",
                average_price="64000",
            )
            for one in self._bots(who, account_)
            if name in {None, BOTS[one]}
        )  # fmt: skip

    async def balances(self, who: Principal, account_: str | None = None) -> tuple[Balance, ...]:
        return tuple(
            Balance(account=name, asset="USDT", total="9360", free="9360", reserved="0")
            for name in self._accounts(who, account_)
        )

    async def equity(
        self,
        who: Principal,
        account_: str | None,
        name: str | None,
        points: int,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> EquitySeries:
        if account_ is not None and account_ not in self._bots(who):
            raise NotThereError("account", "seen: no such account that you may see")
        items = tuple(
            EquityPoint(at=MOMENT + timedelta(days=day), equity="10000", drawdown_pct="0")
            for day in range(min(points, 3))
        )
        return EquitySeries(
            account=account_, bot=name, reporting="USDT", items=items, max_drawdown_pct="0"
        )

    async def prices(self, who: Principal, symbols: Sequence[str]) -> tuple[Price, ...]:
        price = Price(symbol="BTC/USDT", price="64000", at=MOMENT, age_s=0.2)
        return (price,) if not symbols or price.symbol in symbols else ()

    async def candles(
        self,
        symbol: str,
        timeframe: str,
        limit: int,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> Candles:
        if symbol != "BTC/USDT":
            raise NotThereError("symbol", "seen: a symbol that no bot trades")
        bar = Candle(at=MOMENT, open="1", high="2", low="0.5", close="1.5", volume="10")
        return Candles(symbol=symbol, timeframe=timeframe, items=(bar,)[:limit])

    async def cluster(self, who: Principal) -> Cluster:
        node = Node(
            name="node-1", boot_id="b1", pid=1, version="0.1.0", is_live=True,
            leads=tuple(self._accounts(who)),
        )  # fmt: skip
        led = tuple(
            Leadership(account=name, epoch=3, leader="node-1", since=MOMENT)
            for name in self._accounts(who)
        )
        return Cluster(profile="fast", nodes=(node,), leadership=led, failovers=())

    async def failovers(
        self, who: Principal, account_: str | None, after: Mark | None, limit: int
    ) -> Part[Failover]:
        return Part(())

    async def strategies(self) -> tuple[StrategyInfo, ...]:
        return (StrategyInfo(name="sma-cross", about="Averages.", parameters={}),)

    async def datasets(self) -> tuple[Dataset, ...]:
        return ()

    async def conditions(self) -> Mapping[str, Any]:
        return self.conditions_told
