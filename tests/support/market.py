"""A bare matching engine for tests: one symbol, accounts with money, short ways to order.

Not here: a server (`tests.support.exchange`).
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Trade as Print
from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange.accounts import Account, FeePlan
from holdfast.exchange.contingency import Placement
from holdfast.exchange.flow import Place, Refresh, Remove
from holdfast.exchange.matching import Engine
from holdfast.exchange.mirror import MirrorEngine
from holdfast.exchange.order_list import ListTicket, OrderList
from holdfast.exchange.orders import Change, Execution, Kind, Order, SelfTrade, Ticket, Trade
from holdfast.market.orderbook import BookGapError, Diff, OrderBook, Snapshot

SYMBOL = "BTC/USDT"
NO_FEES = FeePlan(maker=Decimal(0), taker=Decimal(0))
COIN = Instrument(
    symbol=SYMBOL,
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=Decimal(1),
    quantity_step=Decimal("0.1"),
    min_quantity=Decimal("0.1"),
    max_quantity=Decimal(1000),
    min_notional=Decimal(1),
)


class Diary:
    """A listener that remembers: reports as (client id, change, status), also of lists, trades."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, str]] = []
        self.trades: list[Trade] = []

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        """Write a report down."""
        self.reports.append((order.client_order_id, change.value, order.status.value))

    def on_list(self, account: Account, order_list: OrderList) -> None:
        """Write a report of a list down among those of its orders."""
        self.reports.append((order_list.client_list_id, "LIST", order_list.status.value))

    def on_trade(self, trade: Trade) -> None:
        """Write a trade down."""
        self.trades.append(trade)


class Market:
    """An engine with one symbol at whose door tests knock."""

    def __init__(self, instrument: Instrument = COIN) -> None:
        self.diary = Diary()
        self.engine: Engine = Engine([instrument], self.diary)
        self.listing = self.engine.listings[instrument.symbol]
        self.now_ns = 1_000_000_000_000
        self._names = 0
        self._keys = 0
        self._accounts = 0

    def account(self, usdt: str = "1000000", btc: str = "1000", **plan: Any) -> Account:
        """An account with money; without fees unless a plan is given."""
        self._accounts += 1
        fees = FeePlan(**plan) if plan else NO_FEES
        account = Account(self._accounts, f"key{self._accounts:010}", "secret", fees)
        account.balance("USDT").free = Decimal(usdt)
        account.balance("BTC").free = Decimal(btc)
        return account

    def order(
        self,
        account: Account,
        side: str,
        quantity: str | None,
        price: str | None = None,
        *,
        kind: str | None = None,
        name: str | None = None,
        stop: str | None = None,
        quote: str | None = None,
        tif: str | None = None,
        stp: str | None = None,
    ) -> Order:
        """Submit an order: a limit with a price, else a market order, unless `kind` says other."""
        self._names += 1
        self.now_ns += 1_000_000
        default = Kind.LIMIT if price else Kind.MARKET
        return self.engine.submit(
            account,
            Ticket(
                symbol=SYMBOL,
                side=Side(side),
                kind=Kind(kind) if kind else default,
                quantity=_number(quantity),
                quote_quantity=_number(quote),
                price=_number(price),
                stop_price=_number(stop),
                time_in_force=TimeInForce(tif) if tif else None,
                self_trade=SelfTrade(stp) if stp else None,
                client_order_id=name or f"n{self._names}",
            ),
            self.now_ns,
        )

    def pair(
        self,
        account: Account,
        side: str,
        quantity: str,
        gain: str,
        loss: str,
        *,
        loss_limit: str | None = None,
        entry: tuple[str, str, str] | None = None,
    ) -> Placement:
        """Submit an OCO of a post-only order at `gain` and a stop at `loss`.

        Args:
            loss_limit: of the stop; at market without.
            entry: side, quantity and price of the working order that brings it, when one does.
        """
        self._names += 1
        self.now_ns += 1_000_000

        lasting = {Kind.LIMIT, Kind.STOP_LOSS_LIMIT}

        def ticket(
            kind: Kind, what: tuple[str, str], name: str, price: str | None, stop: str | None = None
        ) -> Ticket:
            return Ticket(
                symbol=SYMBOL,
                side=Side(what[0]),
                kind=kind,
                quantity=Decimal(what[1]),
                time_in_force=TimeInForce.GTC if kind in lasting else None,
                client_order_id=f"{name}{self._names}",
                price=_number(price),
                stop_price=_number(stop),
            )

        working = None
        if entry is not None:
            working = ticket(Kind.LIMIT, entry[:2], "entry", entry[2])
        kind = Kind.STOP_LOSS if loss_limit is None else Kind.STOP_LOSS_LIMIT
        pair = (
            ticket(kind, (side, quantity), "loss", loss_limit, loss),
            ticket(Kind.LIMIT_MAKER, (side, quantity), "gain", gain),
        )
        return self.engine.submit_list(
            account,
            ListTicket(
                symbol=SYMBOL, client_list_id=f"list{self._names}", working=working, others=pair
            ),
            self.now_ns,
        )

    def house(self, side: str, quantity: str, price: str | None) -> int:
        """Place an order of the house; returns the key it rests under."""
        self._keys += 1
        self.now_ns += 1_000_000
        self.engine.place(
            Place(
                self.now_ns, SYMBOL, Side(side), _number(price), Decimal(quantity),
                self._keys if price else 0,
            ),
            self.now_ns,
        )
        return self._keys

    def remove(self, key: int) -> None:
        """Take a house order back."""
        self.engine.remove(Remove(self.now_ns, SYMBOL, key))

    def ladder(self, side: str) -> list[tuple[str, str]]:
        """Price and quantity of each level from the best on."""
        half = self.listing.book.half(Side(side))
        return [(str(level.price), str(level.quantity)) for level in half.levels()]


class MirroredMarket(Market):
    """The same with a market that happens elsewhere: bids 99 and 98, asks 101 and 102, 5 each."""

    def __init__(self, instrument: Instrument = COIN) -> None:
        super().__init__(instrument)
        self.depth = OrderBook(SYMBOL)
        self.mirror = MirrorEngine([instrument], {SYMBOL: self.depth}, self.diary)
        self.engine = self.mirror
        self.listing = self.engine.listings[instrument.symbol]
        self._trades = 7_000
        self._last_snapshot = 0
        self.snapshot({"99": "5", "98": "5"}, {"101": "5", "102": "5"})

    def snapshot(self, bids: dict[str, str], asks: dict[str, str]) -> None:
        """The whole depth, told anew."""
        self._last_snapshot += 100
        self.depth.restore(Snapshot(self._last_snapshot, _levels(bids), _levels(asks)))
        self.mirror.refresh(Refresh(SYMBOL, is_whole=True))

    def tell(self, bids: dict[str, str] | None = None, asks: dict[str, str] | None = None) -> None:
        """One change of the depth."""
        number, self.now_ns = self.depth.last_id + 1, self.now_ns + 1_000_000
        diff = Diff(self.now_ns, number, number, _levels(bids or {}), _levels(asks or {}))
        self.depth.apply(diff)
        told_bids, told_asks = (
            tuple(price for price, _ in side) for side in (diff.bids, diff.asks)
        )
        self.mirror.refresh(Refresh(SYMBOL, told_bids, told_asks))

    def lose(self) -> None:
        """The depth has a gap: it is not known any more."""
        number = self.depth.last_id + 10
        with suppress(BookGapError):
            self.depth.apply(Diff(self.now_ns, number, number, (), ()))

    def trade(self, taker: str, quantity: str, price: str, *, late_ns: int = 0) -> None:
        """A print elsewhere; `late_ns` before now."""
        self.now_ns += 1_000_000
        self._trades += 1
        seen = Print(
            self.now_ns - late_ns, SYMBOL, Decimal(price), Decimal(quantity), taker == "SELL",
            self._trades,
        )
        self.mirror.witness(seen, self.now_ns)


def _levels(levels: dict[str, str]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(quantity)) for price, quantity in levels.items())


def money(account: Account, asset: str) -> tuple[Decimal, Decimal]:
    """Free and locked."""
    balance = account.balance(asset)
    return balance.free, balance.locked


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
