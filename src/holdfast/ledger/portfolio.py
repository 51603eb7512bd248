"""Positions, profit and equity in units: folds of fills and money movements.

Not here: orders (ledger.fold), limits (engine.risk).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.fill import Fill
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side

_BUY: Final = Side.BUY  # an attribute of an enum is slow to look up on Python 3.11


class Position(msgspec.Struct):
    """One bot's position in one symbol.

    Attributes:
        quantity: base units, net of fees taken in the base asset; >= 0 in version 1.
        cost: what the open quantity cost, quote units, fees in base or quote included.
        cash: quote units earned minus spent since the bot began, fees in quote included.
        fees: paid so far, by asset.
        unconverted: fees in a third asset that had no rate, by asset: shown, never counted as zero.
        in_kind: base units that fees of sales took off it since it was last flat.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    cash: Decimal = ZERO
    fees: dict[str, Decimal] = {}
    unconverted: dict[str, Decimal] = {}
    in_kind: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Quote units per base unit of the open quantity; 0 when flat."""
        return self.cost / self.quantity if self.quantity > ZERO else ZERO

    def pnl(self, price: Decimal) -> Decimal:
        """Profit since the bot began, in quote units, with the open quantity marked at `price`."""
        return self.cash + self.quantity * price

    def lose(self, quantity: Decimal, price: Decimal | None = None) -> None:
        """Base units went without a fill of the bot's: at `price`, or at what they had cost."""
        lost = min(quantity, self.quantity)
        worth = lost * self.average_price
        self.quantity -= lost
        self.cost -= worth
        self.cash += worth if price is None else lost * price

    def book(self, fill: Fill, base: str, quote: str, quote_rate: Decimal | None) -> None:
        """Fold one execution in; the caller makes sure that it is booked once.

        Args:
            quote_rate: quote units per unit of a third fee asset; None when unknown.
        """
        quantity, fee, asset = fill.quantity, fill.fee, fill.fee_asset
        value = quantity * fill.price
        in_base = fee if asset == base else ZERO
        in_quote = fee if asset == quote else ZERO
        if fee:
            self.fees[asset] = self.fees.get(asset, ZERO) + fee
            if asset not in {base, quote}:
                if quote_rate is None:
                    self.unconverted[asset] = self.unconverted.get(asset, ZERO) + fee
                else:
                    in_quote = fee * quote_rate
        before = self.quantity
        if fill.side is _BUY:
            self.quantity = before + quantity - in_base
            self.cost += value + in_quote
            self.cash -= value + in_quote
        else:
            left = before - quantity - in_base
            self.cash += value - in_quote
            if in_base or self.in_kind:
                left += self._paid_elsewhere(left, in_base, fill.price)
            self.quantity = left
            if before > ZERO:
                self.cost = self.cost * left / before if left > ZERO else ZERO

    def _paid_elsewhere(self, left: Decimal, in_base: Decimal, price: Decimal) -> Decimal:
        """Base units of fees that a sale left nothing of the position to pay with.

        They came from what else the account holds of the asset, and cost the bot their price: less
        than nothing is held by nobody, and who wished to be flat would buy it back.
        """
        taken = self.in_kind + in_base
        short = min(taken, max(-left, ZERO))
        self.cash -= short * price
        self.in_kind = taken - short if left > ZERO else ZERO
        return short


class Units(msgspec.Struct):
    """Equity as units, so that deposits and withdrawals touch neither returns nor limits.

    Attributes:
        units: how many there are; one is worth 1 reporting unit at the first flow.
        peak: highest unit price at any mark since a person last resumed after a drawdown.
        last: unit price at the last mark or flow, 0 before the first.
        marked_ns: time of the last mark, 0 before the first.
        bot_peaks, bot_last: the same of each bot's profit.
        day_price: what a unit would be worth had nothing been won or lost in the current UTC day.
        day_pnl: each bot's profit at that day's first mark, or at its last one before.
    """

    units: Decimal = ZERO
    peak: Decimal = ZERO
    last: Decimal = ZERO
    marked_ns: int = 0
    bot_peaks: dict[str, Decimal] = {}
    bot_last: dict[str, Decimal] = {}
    day_price: Decimal = ZERO
    day_pnl: dict[str, Decimal] = {}

    def price(self, equity: Decimal) -> Decimal:
        """What one unit is worth at this equity; 1 before the first flow."""
        return equity / self.units if self.units > ZERO else Decimal(1)

    def flow(self, value: Decimal, equity: Decimal | None) -> None:
        """Money worth `value` (signed, reporting units) came while equity was `equity`.

        While equity cannot be told, a unit is taken to be worth what it was worth last. What was
        lost today is an amount of money, so it is spread over the units that there are from now on.
        """
        price = self.price(equity) if equity is not None and equity > ZERO else self.last
        price = price if price > ZERO else Decimal(1)
        lost = self._lost_at(price)
        is_empty = equity is not None and equity + value <= ZERO  # whatever a division rounds to
        self.units = ZERO if is_empty else max(ZERO, self.units + value / price)
        self.last = price
        self.peak = max(self.peak, price)
        self.day_price = price + lost / (self.units or 1)

    def mark(self, at_ns: int, equity: Decimal, pnl: dict[str, Decimal], *, new_day: bool) -> None:
        """Take a mark in."""
        begins = new_day or (self.day_price == ZERO and not self.marked_ns)
        self.marked_ns = at_ns
        price = self.last = self.price(equity)
        self.peak = max(self.peak, price)
        self.bot_last.update(pnl)
        for bot, profit in pnl.items():
            self.bot_peaks[bot] = max(self.bot_peaks.get(bot, ZERO), profit)
        if begins:
            self.day_price = price
            self.day_pnl = dict(self.bot_last)  # who is away or has no price has made it as well

    def day_loss(self, equity: Decimal) -> Decimal:
        """Reporting units lost since the day's first mark, without flows; negative when won."""
        return self._lost_at(self.price(equity))

    def _lost_at(self, price: Decimal) -> Decimal:
        """The day's loss at a unit price; while there are no units it is kept as that of one."""
        if self.units > ZERO:
            return (self.day_price - price) * self.units
        return self.day_price - self.last if self.day_price else ZERO

    def drawdown_pct(self, equity: Decimal) -> Decimal:
        """How far the unit price is under its peak, in percent; 0 at the peak."""
        price = self.price(equity)
        if self.peak <= ZERO or price >= self.peak:
            return ZERO
        return (self.peak - price) / self.peak * 100

    def bot_drawdown_pct(self, bot: str, pnl: Decimal, equity: Decimal) -> Decimal:
        """How far a bot's profit is under its peak, in percent of the equity it would be without.

        A bot has no money of its own, so its losses are measured on the account's.
        """
        lost = self.bot_peaks.get(bot, ZERO) - pnl
        return lost / (equity + lost) * 100 if lost > ZERO and equity + lost > ZERO else ZERO

    def forgive(self) -> None:
        """The drawdown counts from the last mark on."""
        self.peak = self.last

    def forgive_bot(self, bot: str) -> None:
        """The bot's drawdown counts from the last mark on."""
        if bot in self.bot_last:
            self.bot_peaks[bot] = self.bot_last[bot]
