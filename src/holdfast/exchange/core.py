"""The exchange as one object: engine, accounts, what queries may see, tape, and who is told.

In-process and single-threaded: the clock is injected, nothing here sleeps or listens on a socket.
Not here: HTTP, WebSockets, deadlines, limits (`gateway` and what is in front of it).
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.exchange.accounts import Account, FeePlan
from holdfast.exchange.contingency import Placement
from holdfast.exchange.errors import bad_symbol
from holdfast.exchange.flow import Depth, FlowEvent, Place
from holdfast.exchange.listing import Listing
from holdfast.exchange.matching import Engine
from holdfast.exchange.mirror import MirrorEngine
from holdfast.exchange.order_list import ListTicket, OrderList
from holdfast.exchange.orders import Change, Execution, Order, Ticket, Trade
from holdfast.exchange.tape import Tape
from holdfast.exchange.views import (
    AccountView,
    Aspect,
    ViewChange,
    aspect_of,
    balances_of,
    snapshot,
)

ARCHIVE_AFTER_S = 90 * 86_400.0


class Source(StrEnum):
    """Where a reader gets the exchange's state from, each with a delay of its own."""

    MEMORY = "memory"
    DATABASE = "database"
    STREAM = "stream"


class OrderReport(msgspec.Struct, frozen=True):
    """An order has changed: what the user stream's executionReport says."""

    order: Order
    change: Change
    execution: Execution | None
    at_ns: int


class ListReport(msgspec.Struct, frozen=True):
    """A list has changed: what the user stream's listStatus says."""

    order_list: OrderList


class Position(msgspec.Struct, frozen=True):
    """Balances have changed by orders: (asset, free, locked) each."""

    balances: tuple[tuple[str, Decimal, Decimal], ...]
    at_ns: int


class Transfer(msgspec.Struct, frozen=True):
    """A balance was moved by hand."""

    asset: str
    delta: Decimal
    at_ns: int


UserEvent = OrderReport | ListReport | Position | Transfer


class Recorder(Protocol):
    """Keeps what must survive the process; `commit` returns when it is written."""

    def account(self, account: Account) -> None:
        """An account was made or changed in anything but money."""

    def order(self, order: Order) -> None:
        """An order of an account is new or changed."""

    def order_list(self, account: Account, order_list: OrderList) -> None:
        """A list of an account is new or changed."""

    def execution(self, account: Account, execution: Execution) -> None:
        """An account traded."""

    def balances(self, account: Account) -> None:
        """An account's balances changed."""

    def commit(self) -> None:
        """Write all that was noted since the last call, as one unit."""


class Exchange:
    """The local exchange without its doors.

    Args:
        instruments: the markets.
        now_ns: exchange time, UTC nanoseconds.
        seed: of everything random: keys of accounts, draws of faults.
        recorder: where accounts and orders are kept; None keeps them in memory only.
        depths: of the instruments, when they are another exchange's that is mirrored here.

    Attributes:
        lag_ms: how late the next change shows in a source; of the stream no aspect is asked.
        archive_after_s: an order that ended without an execution cannot be queried from then on.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        now_ns: Callable[[], int] = time.time_ns,
        seed: int = 0,
        recorder: Recorder | None = None,
        depths: Mapping[str, Depth] | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        self.now_ns = now_ns
        self.seed = seed
        self.random = random.Random(seed)
        self.recorder = recorder
        self.mirror: MirrorEngine | None = None
        if depths is not None:
            self.mirror = MirrorEngine(self.instruments, depths, self)
        self.engine: Engine = self.mirror or Engine(self.instruments, self)
        self.accounts: dict[str, Account] = {}
        self.tapes = {item.symbol: Tape(item.symbol) for item in self.instruments}
        self.trade_watchers: list[Callable[[Trade], None]] = []
        self.event_watchers: list[Callable[[Account, UserEvent], None]] = []
        self.lag_ms: Callable[[Source, Aspect | None], float] = lambda _source, _aspect: 0.0
        self.archive_after_s = ARCHIVE_AFTER_S
        self._by_venue_symbol = {item.venue_symbol: item.symbol for item in self.instruments}
        self._views: dict[tuple[int, Source], AccountView] = {}
        self._dirty: dict[int, tuple[Account, set[str]]] = {}
        self.names_made = 0

    # --- Accounts ------------------------------------------------------------------------------

    def open_account(
        self, balances: dict[str, Decimal], fees: FeePlan | None = None
    ) -> Account:
        """A new account with its keys; balances are not checked for being plausible, only >= 0.

        Raises:
            ValueError: a balance is negative.
        """
        if any(amount < 0 for amount in balances.values()):
            raise ValueError(f"seen a negative balance in {balances}; expected amounts >= 0")
        number = len(self.accounts) + 1
        account = Account(
            number, self._key("key", number), self._key("secret", number), fees
        )
        account.created_ns = account.updated_ns = self.now_ns()
        for asset, amount in balances.items():
            account.balance(asset).free = amount
        self.enter_account(account)
        if self.recorder is not None:
            self.recorder.account(account)
            self.recorder.balances(account)
            self.recorder.commit()
        return account

    def renew_key(self, account: Account) -> None:
        """Another key for an account; the one before it is unknown from here on."""
        former = account.api_key
        del self.accounts[former]
        account.api_key = self._key(f"key after {former}", account.number)
        account.secret = self._key(f"secret after {former}", account.number)
        account.is_revoked = False
        self.accounts[account.api_key] = account
        if self.recorder is not None:
            self.recorder.account(account)
            self.recorder.balances(account)
            self.recorder.commit()

    def enter_account(self, account: Account) -> None:
        """Know an account that was made here or in an earlier run."""
        self.accounts[account.api_key] = account
        for source in (Source.MEMORY, Source.DATABASE):
            self._views[account.number, source] = AccountView()
        self._show(account, balances_of(account))

    def show_restored(self, account: Account) -> None:
        """Let queries see everything of an account that an earlier run has left."""
        for order in account.orders.values():
            self._show(account, snapshot(order))
        for order_list in account.lists.values():
            self._show(account, snapshot(order_list))
        for execution in account.executions:
            self._show(account, execution)
        self._show(account, balances_of(account))

    def resume(self) -> None:
        """Let restored orders go on: those that the market has reached meanwhile trade now."""
        self.engine.resume(self.now_ns())
        self.commit()

    def move_balance(self, account: Account, asset: str, delta: Decimal) -> None:
        """Deposit (> 0) or withdraw (< 0) by hand.

        Raises:
            ValueError: the free balance would become negative.
        """
        balance = account.balance(asset)
        if balance.free + delta < 0:
            raise ValueError(
                f"seen {delta} {asset} with {balance.free} free; expected at most what is free"
            )
        balance.free += delta
        account.updated_ns = self.now_ns()
        self._tell(account, Transfer(asset, delta, account.updated_ns))
        self._dirty.setdefault(account.number, (account, set()))[1].add(asset)
        self.commit()

    def view(self, account: Account, source: Source) -> AccountView:
        """What `source` shows of an account now."""
        return self._views[account.number, source].catch_up(self.now_ns())

    def is_archived(self, order: Order) -> bool:
        """Whether it ended without an execution, so long ago that queries name it no more."""
        if order.is_open or order.executed:
            return False
        return self.now_ns() - order.updated_ns > self.archive_after_s * 1e9

    # --- Orders --------------------------------------------------------------------------------

    def submit(self, account: Account, ticket: Ticket) -> Order:
        """Accept and match an order, durably when there is a recorder; RefusedError when not."""
        order = self.engine.submit(account, ticket, self.now_ns())
        self.commit()
        return order

    def submit_list(self, account: Account, ticket: ListTicket) -> Placement:
        """Accept and match a list, durably when there is a recorder; RefusedError when not."""
        placement = self.engine.submit_list(account, ticket, self.now_ns())
        self.commit()
        return placement

    def cancel_list(
        self, account: Account, order_list: OrderList, cancel_id: str
    ) -> tuple[Order, ...]:
        """Cancel the open orders of a list, durably; returns them; RefusedError when it is done."""
        found = self.engine.cancel_list(account, order_list, cancel_id, self.now_ns())
        self.commit()
        return found

    def cancel(self, account: Account, order: Order, cancel_id: str) -> None:
        """Cancel an open order, durably when there is a recorder; RefusedError when not open."""
        self.engine.cancel(account, order, cancel_id, self.now_ns())
        self.commit()

    def apply(self, event: FlowEvent, at_ns: int | None = None) -> None:
        """Apply a house event, now or (history before the doors open) at `at_ns`."""
        if isinstance(event, Place):
            self.engine.place(event, self.now_ns() if at_ns is None else at_ns)
        else:
            self.engine.remove(event)
        if self._dirty:
            self.commit()

    def listing(self, venue_symbol: str) -> Listing:
        """The market that clients call `venue_symbol`, such as BTCUSDT; RefusedError when none."""
        symbol = self._by_venue_symbol.get(venue_symbol)
        if symbol is None:
            raise bad_symbol()
        return self.engine.listings[symbol]

    def commit(self) -> None:
        """Make the last operation durable, then visible, then tell of the balances."""
        dirty, self._dirty = self._dirty, {}
        if self.recorder is not None and dirty:
            for account, _assets in dirty.values():
                self.recorder.balances(account)
            self.recorder.commit()
        now_ns = self.now_ns()
        for account, assets in dirty.values():
            self._show(account, balances_of(account))
            rows = tuple(
                (asset, account.balance(asset).free, account.balance(asset).locked)
                for asset in sorted(assets)
            )
            self._tell(account, Position(rows, now_ns))

    # --- Listener of the engine ----------------------------------------------------------------

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        """Take a report of the engine: note it, show it after its lag, tell the user stream."""
        account = order.account
        if account is None:
            return
        listing = self.engine.listings[order.symbol]
        _account, assets = self._dirty.setdefault(account.number, (account, set()))
        assets.update((listing.base, listing.quote))
        if self.recorder is not None:
            self.recorder.order(order)
        if execution is not None:
            assets.add(execution.fee_asset)
            if self.recorder is not None:
                self.recorder.execution(account, execution)
            self._show(account, execution)
        copy = snapshot(order)
        self._show(account, copy)
        self._tell(account, OrderReport(copy, change, execution, order.updated_ns))

    def on_list(self, account: Account, order_list: OrderList) -> None:
        """Take a report of a list: note it, show it after its lag, tell the user stream."""
        self._dirty.setdefault(account.number, (account, set()))
        if self.recorder is not None:
            self.recorder.order_list(account, order_list)
        copy = snapshot(order_list)
        self._show(account, copy)
        self._tell(account, ListReport(copy))

    def on_trade(self, trade: Trade) -> None:
        """Take a print of the engine."""
        self.tapes[trade.symbol].note(trade)
        for watcher in self.trade_watchers:
            watcher(trade)

    # --- Inside --------------------------------------------------------------------------------

    def _show(self, account: Account, change: ViewChange) -> None:
        now_ns, aspect = self.now_ns(), aspect_of(change)
        for source in (Source.MEMORY, Source.DATABASE):
            visible_ns = now_ns + int(self.lag_ms(source, aspect) * 1_000_000)
            self._views[account.number, source].feed(change, visible_ns, now_ns)

    def _tell(self, account: Account, event: UserEvent) -> None:
        for watcher in self.event_watchers:
            watcher(account, event)

    def next_name(self) -> int:
        """A counter for names of the exchange's own making."""
        self.names_made += 1
        return self.names_made

    def _key(self, what: str, number: int) -> str:
        # Not from `random`: an exchange that restarts with its state must never repeat a key.
        return hashlib.sha256(f"{what}\0{self.seed}\0{number}".encode()).hexdigest()

