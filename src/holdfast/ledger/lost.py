"""The lost time: what came after a backup that was put in the journal's place, as a fold of facts.

Its orders are known from the exchange alone. Whose they were nobody can tell, so what they bought
is no bot's; of what they sold, what they had not bought before was some bot's, and is taken off.
Not here: finding them (execution.strangers).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.fact import Restored
from holdfast.domain.fill import Fill
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side


class LostTrades(msgspec.Struct):
    """What lost orders did in one symbol.

    Attributes:
        net: base units bought, with what was sold counted off; below zero, bots held them.
        sold_at: price of the last sale, quote units per base unit; 0 before one.
    """

    net: Decimal = ZERO
    sold_at: Decimal = ZERO


class LostTime(msgspec.Struct):
    """The time between a backup and the step that put it in place.

    Attributes:
        since_ms, until_ms: as of `Restored`.
        trades: by symbol; None once the account was compared with its exchange: each trade that is
            found later is seen to by itself.
    """

    since_ms: int
    until_ms: int
    trades: dict[str, LostTrades] | None

    @classmethod
    def of(cls, fact: Restored) -> LostTime:
        """As it begins: nothing is found yet."""
        return cls(fact.since_ms, fact.until_ms, {})

    def has(self, placed_ns: int) -> bool:
        """Whether an order without a row that the exchange took at `placed_ns` may be of it."""
        return 0 < placed_ns <= self.until_ms * 1_000_000

    def filled(self, fill: Fill) -> None:
        """An execution of one of its orders."""
        if self.trades is None:
            return
        done = self.trades.setdefault(fill.symbol, LostTrades())
        if fill.side is Side.BUY:
            is_paid_in_kind = fill.fee_asset == fill.symbol.split("/")[0]
            done.net += fill.quantity - (fill.fee if is_paid_in_kind else ZERO)
        else:
            done.net -= fill.quantity
            done.sold_at = fill.price

    def taken_off(self, symbol: str, quantity: Decimal) -> None:
        """So much of it went off a bot's position."""
        if self.trades and symbol in self.trades:
            self.trades[symbol].net += quantity
