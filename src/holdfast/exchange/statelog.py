"""What lets the exchange survive its own kill -9: accounts, orders, executions, money in one file.

Append-only: each operation is one line and one `write`, made before the reply leaves, and each line
holds absolute values, so that reading them in order ends at the last state. A start writes the file
anew with that state alone. The house's book is not kept: its flow makes a new one. Not here: what
the values mean (`core`, `matching`), when to sync (`server`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.errors import ConfigError, CorruptionError
from holdfast.exchange.accounts import Account, Balance, FeePlan
from holdfast.exchange.core import Exchange
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Execution, Order, OrderFields

T = TypeVar("T")

FILE_NAME = "exchange.log"
_PER_LINE = 1000  # orders, lists or executions in one line of a file that is written anew


class StoredAccount(msgspec.Struct, frozen=True):
    """An account without its money."""

    number: int
    api_key: str
    secret: str
    fees: FeePlan
    created_ns: int


class StoredOrder(OrderFields, kw_only=True):
    """An order, its owner by number."""

    owner: int


class StoredExecution(msgspec.Struct, frozen=True):
    """An execution, its owner by number."""

    owner: int
    execution: Execution


class StoredList(msgspec.Struct, frozen=True):
    """A list of orders, its owner by number."""

    owner: int
    order_list: OrderList


class Batch(msgspec.Struct, omit_defaults=True):
    """One operation: all that it changed, as it was afterwards.

    Attributes:
        balances: by account number, then by asset.
        names: how many names the exchange has made up so far.
    """

    accounts: list[StoredAccount] = []
    orders: list[StoredOrder] = []
    lists: list[StoredList] = []
    executions: list[StoredExecution] = []
    balances: dict[int, dict[str, Balance]] = {}
    names: int = 0


class StateLog:
    """The file, open for appending by this process alone.

    A line survives the process as soon as it is written, and the machine from the next `sync` on.

    Args:
        directory: made when it is not there.
        fsync: makes what was written to a file durable; raises OSError.

    Raises:
        ConfigError: another process has it open, or it cannot be opened.
    """

    def __init__(self, directory: Path, fsync: Callable[[int], None] = os.fsync) -> None:
        self.path = directory / FILE_NAME
        self._fresh = directory / f"{FILE_NAME}.new"
        self._written = 0
        self._synced = 0  # apart, because a sync may run in another thread
        self._fsync = fsync
        self._batch = Batch()
        self._orders: dict[tuple[int, str, int], Order] = {}
        self._lists: dict[int, StoredList] = {}
        self._exchange: Exchange | None = None
        self._is_broken = False
        self._sync_failed = False
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigError(
                f"seen {error.strerror} at {self.path}; expected a directory to write to: "
                "choose another with --state"
            ) from error
        if not self._lock(self._file):
            os.close(self._file)
            raise ConfigError(
                f"seen {self.path} in use by another exchange; expected one process per "
                "directory: stop the other, or choose another with --state"
            )

    def _lock(self, file: int) -> bool:
        """Whether the file is ours alone, and still the one that the path names."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(file), self.path.stat())
        except OSError:
            return False

    def attach(self, exchange: Exchange) -> None:
        """Give `exchange` what an earlier run has left, and record all it does from now on.

        Orders that are open still go on: those that the market has reached meanwhile trade now.

        Raises:
            ConfigError: it has orders of a market that is not offered.
            CorruptionError: the file contradicts itself anywhere but in its last line, which a
                crash may have cut.
        """
        state, lines = self._load()
        unlisted = sorted(state.symbols() - exchange.engine.listings.keys())
        if unlisted:
            raise ConfigError(
                f"seen: orders of {', '.join(unlisted)} in {self.path}; expected: markets that "
                "are offered; do: name them with --symbol as well, or choose another --state"
            )
        accounts = state.enter(exchange)
        batches = list(state.batches())
        self._fresh.unlink(missing_ok=True)  # an earlier start died over it
        if lines > len(batches):
            self._write_anew(batches)
        self._exchange = exchange
        exchange.recorder = self
        for account in accounts:
            exchange.show_restored(account)
        exchange.resume()

    @property
    def unsynced_bytes(self) -> int:
        """Written, and not yet known to survive a crash of the machine."""
        return self._written - self._synced

    def sync(self) -> None:
        """Make durable what was written before the call; blocks, and may run in another thread.

        Raises:
            OSError: the disk did not; from then on nothing is taken any more.
        """
        written = self._written
        try:
            self._fsync(self._file)
        except OSError:
            self._sync_failed = True  # what became of the pages is unknown: a retry proves nothing
            raise
        self._synced = written

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    # --- Recorder ------------------------------------------------------------------------------

    def account(self, account: Account) -> None:
        """Note a new account."""
        self._batch.accounts.append(StoredAccount(
            account.number, account.api_key, account.secret, account.fees, account.created_ns
        ))

    def order(self, order: Order) -> None:
        """Note an order; only its last state in an operation is written."""
        if order.account is not None:
            self._orders[order.account.number, order.symbol, order.order_id] = order

    def order_list(self, account: Account, order_list: OrderList) -> None:
        """Note a list; only its last state in an operation is written."""
        self._lists[order_list.list_id] = StoredList(account.number, order_list)

    def execution(self, account: Account, execution: Execution) -> None:
        """Note an execution."""
        self._batch.executions.append(StoredExecution(account.number, execution))

    def balances(self, account: Account) -> None:
        """Note the balances as they are."""
        self._batch.balances[account.number] = account.balances

    def commit(self) -> None:
        """Write what was noted as one line.

        Raises:
            OSError: the disk did not take it whole; the exchange must not answer.
        """
        batch = self._batch
        batch.names = 0 if self._exchange is None else self._exchange.names_made
        batch.orders.extend(_stored(key[0], order) for key, order in self._orders.items())
        batch.lists.extend(self._lists.values())
        line = msgspec.json.encode(batch) + b"\n"
        self._batch = Batch()
        self._orders = {}
        self._lists = {}
        if self._is_broken or self._sync_failed:
            raise OSError(f"seen an earlier write to {self.path} fail: start the exchange again")
        self._is_broken = True  # until the write has proved that it is not
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(f"seen {written} of {len(line)} bytes written to {self.path}: disk full?")
        self._is_broken = False
        self._written += written

    # --- Reading -------------------------------------------------------------------------------

    def _load(self) -> tuple[_State, int]:
        """The state that the file ends at, and how many lines say so."""
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._file, whole)
        state = _State()
        decoder = msgspec.json.Decoder(Batch)
        lines = data[:whole].splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                state.take(decoder.decode(line))
            except (msgspec.DecodeError, KeyError) as error:
                raise CorruptionError(
                    f"seen line {number} of {self.path} unreadable ({error}); expected one JSON "
                    "batch per line: restore the file, or start with an empty directory"
                ) from error
        return state, len(lines)

    def _write_anew(self, batches: list[Batch]) -> None:
        """Put a file with just these lines in the place of the present one, all or nothing.

        Raises:
            OSError: the disk did not take it; the present file is as it was.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
        file = os.open(self._fresh, flags, 0o600)
        try:
            with os.fdopen(file, "ab", closefd=False) as whole:
                whole.writelines(msgspec.json.encode(batch) + b"\n" for batch in batches)
            self._fsync(file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._fresh.replace(self.path)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            self._fsync(directory)
        finally:
            os.close(directory)


class _State:
    """The state that the lines add up to."""

    def __init__(self) -> None:
        self._stored: dict[int, StoredAccount] = {}
        self._accounts: dict[int, Account] = {}
        self._orders: dict[tuple[int, str, int], StoredOrder] = {}
        self._lists: dict[int, StoredList] = {}
        self._executions: list[StoredExecution] = []
        self._names = 0

    def take(self, batch: Batch) -> None:
        for stored in batch.accounts:
            self._stored[stored.number] = stored
            account = Account(stored.number, stored.api_key, stored.secret, stored.fees)
            account.created_ns = account.updated_ns = stored.created_ns
            self._accounts[stored.number] = account
        for order in batch.orders:
            self._orders[order.owner, order.symbol, order.order_id] = order
        for item in batch.lists:
            self._lists[item.order_list.list_id] = item
        self._executions.extend(batch.executions)
        for number, balances in batch.balances.items():
            self._accounts[number].balances = balances
        self._names = batch.names

    def symbols(self) -> set[str]:
        """The markets of all orders."""
        return {order.symbol for order in self._orders.values()}

    def enter(self, exchange: Exchange) -> list[Account]:
        for account in self._accounts.values():
            exchange.enter_account(account)
        for stored in sorted(self._orders.values(), key=lambda item: item.sequence):
            account = self._accounts[stored.owner]
            fields = {name: getattr(stored, name) for name in OrderFields.__struct_fields__}
            exchange.engine.restore(Order(account=account, **fields))
        for held in self._lists.values():
            exchange.engine.restore_list(self._accounts[held.owner], held.order_list)
        for item in self._executions:
            exchange.engine.restore_execution(self._accounts[item.owner], item.execution)
        exchange.names_made = self._names
        return list(self._accounts.values())

    def batches(self) -> Iterator[Batch]:
        """The fewest lines that add up to it; to be taken before the exchange goes on."""
        names = self._names
        if self._stored:
            balances = {number: each.balances for number, each in self._accounts.items()}
            yield Batch(accounts=list(self._stored.values()), balances=balances, names=names)
        for orders in _parts(list(self._orders.values())):
            yield Batch(orders=orders, names=names)
        for lists in _parts(list(self._lists.values())):
            yield Batch(lists=lists, names=names)
        for executions in _parts(self._executions):
            yield Batch(executions=executions, names=names)


def _parts(rows: list[T]) -> Iterator[list[T]]:
    return (rows[start : start + _PER_LINE] for start in range(0, len(rows), _PER_LINE))


def _stored(owner: int, order: Order) -> StoredOrder:
    fields = {name: getattr(order, name) for name in OrderFields.__struct_fields__}
    return StoredOrder(owner=owner, **fields)
