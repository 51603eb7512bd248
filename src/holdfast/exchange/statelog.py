"""What lets the exchange survive its own kill -9: accounts, orders, executions, money in one file.

Append-only: each operation is one line and one `write`, made before the reply leaves, and each line
holds absolute values, so that reading them in order ends at the last state. The house's book is not
kept: its flow makes a new one. Not here: what the values mean (`core`, `matching`).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from holdfast.errors import ConfigError, CorruptionError
from holdfast.exchange.accounts import Account, Balance, FeePlan
from holdfast.exchange.core import Exchange
from holdfast.exchange.orders import Execution, Order, OrderFields

FILE_NAME = "exchange.log"


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


class Batch(msgspec.Struct, omit_defaults=True):
    """One operation: all that it changed, as it was afterwards.

    Attributes:
        balances: by account number, then by asset.
        names: how many names the exchange has made up so far.
    """

    accounts: list[StoredAccount] = []
    orders: list[StoredOrder] = []
    executions: list[StoredExecution] = []
    balances: dict[int, dict[str, Balance]] = {}
    names: int = 0


class StateLog:
    """The file, open for appending by this process alone.

    Args:
        directory: made when it is not there.

    Raises:
        ConfigError: another process has it open, or it cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._batch = Batch()
        self._orders: dict[tuple[int, str, int], Order] = {}
        self._exchange: Exchange | None = None
        self._is_broken = False
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigError(
                f"seen {error.strerror} at {self.path}; expected a directory to write to: "
                "choose another with --state"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise ConfigError(
                f"seen {self.path} in use by another exchange; expected one process per "
                "directory: stop the other, or choose another with --state"
            ) from error

    def attach(self, exchange: Exchange) -> None:
        """Give `exchange` what an earlier run has left, and record all it does from now on.

        Orders that are open still go on: those that the market has reached meanwhile trade now.

        Raises:
            CorruptionError: the file contradicts itself anywhere but in its last line, which a
                crash may have cut.
        """
        accounts = self._load(exchange)
        self._exchange = exchange
        exchange.recorder = self
        for account in accounts:
            exchange.show_restored(account)
        exchange.resume()

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    # --- Recorder ------------------------------------------------------------------------------

    def account(self, account: Account) -> None:
        """Note a new account."""
        self._batch.accounts.append(
            StoredAccount(
                account.number, account.api_key, account.secret, account.fees, account.created_ns
            )
        )

    def order(self, order: Order) -> None:
        """Note an order; only its last state in an operation is written."""
        if order.account is not None:
            self._orders[order.account.number, order.symbol, order.order_id] = order

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
        line = msgspec.json.encode(batch) + b"\n"
        self._batch = Batch()
        self._orders = {}
        if self._is_broken:
            raise OSError(f"seen an earlier write to {self.path} fail: start the exchange again")
        self._is_broken = True  # until the write has proved that it is not
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(f"seen {written} of {len(line)} bytes written to {self.path}: disk full?")
        self._is_broken = False

    # --- Reading -------------------------------------------------------------------------------

    def _load(self, exchange: Exchange) -> list[Account]:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._file, whole)
        state = _State()
        decoder = msgspec.json.Decoder(Batch)
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                state.take(decoder.decode(line))
            except (msgspec.DecodeError, KeyError) as error:
                raise CorruptionError(
                    f"seen line {number} of {self.path} unreadable ({error}); expected one JSON "
                    "batch per line: restore the file, or start with an empty directory"
                ) from error
        return state.enter(exchange)


class _State:
    """The state that the lines add up to."""

    def __init__(self) -> None:
        self._accounts: dict[int, Account] = {}
        self._orders: dict[tuple[int, str, int], StoredOrder] = {}
        self._executions: list[StoredExecution] = []
        self._names = 0

    def take(self, batch: Batch) -> None:
        for stored in batch.accounts:
            account = Account(stored.number, stored.api_key, stored.secret, stored.fees)
            account.created_ns = account.updated_ns = stored.created_ns
            self._accounts[stored.number] = account
        for order in batch.orders:
            self._orders[order.owner, order.symbol, order.order_id] = order
        self._executions.extend(batch.executions)
        for number, balances in batch.balances.items():
            self._accounts[number].balances = balances
        self._names = batch.names

    def enter(self, exchange: Exchange) -> list[Account]:
        for account in self._accounts.values():
            exchange.enter_account(account)
        for stored in sorted(self._orders.values(), key=lambda item: item.sequence):
            account = self._accounts[stored.owner]
            fields = {name: getattr(stored, name) for name in OrderFields.__struct_fields__}
            exchange.engine.restore(Order(account=account, **fields))
        for item in self._executions:
            exchange.engine.restore_execution(self._accounts[item.owner], item.execution)
        exchange.names_made = self._names
        return list(self._accounts.values())


def _stored(owner: int, order: Order) -> StoredOrder:
    fields = {name: getattr(order, name) for name in OrderFields.__struct_fields__}
    return StoredOrder(owner=owner, **fields)
