"""What each bot has lost, by the exchange's own executions and its price of the moment.

The world begins at 00:00 UTC and no run lasts a day, so that this is the day's loss. Not here: what
may not be armed for it (limits).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Final

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.orders import Execution
from holdfast.simulation.exposure import Exposure

_FEE_RATE: Final = Decimal("0.001")
"""Of what a third asset pays for: nobody tells the platform what that asset is worth."""


class Losses:
    """Follows the money of the bots of one account.

    Args:
        price: quote units of one base unit of a symbol, as the exchange traded it last.
        account: whose money it is.
        traded: symbols that have a bot; the platform has the prices of no others.
    """

    def __init__(
        self, exposure: Exposure, price: Callable[[str], Decimal], account: Account,
        traded: Collection[str],
    ) -> None:  # fmt: skip
        self._exposure = exposure
        self._price = price
        self._account = account
        self._priced = {asset for symbol in traded for asset in symbol.split("/")}
        self._spent: dict[str, Decimal] = {}  # quote units, less what sales brought
        self._other_fees: dict[str, Decimal] = {}  # the same, at most

    def executed(self, bot: str, fill: Execution) -> None:
        """Some of a bot's order executed."""
        base, quote = fill.symbol.split("/")
        fee = fill.fee if fill.fee_asset == quote else ZERO
        cost = (fill.cost if fill.side is Side.BUY else -fill.cost) + fee
        self._spent[bot] = self._spent.get(bot, ZERO) + cost
        if fill.fee_asset not in {base, quote}:
            self._other_fees[bot] = self._other_fees.get(bot, ZERO) + fill.cost * _FEE_RATE

    def of(self, bot: str) -> tuple[Decimal, Decimal]:
        """Quote units lost, at least and at most; negative when won."""
        lost = self._spent.get(bot, ZERO)
        for name, symbol in self._exposure.positions:
            if name == bot:
                lost -= self._exposure.held(name, symbol) * self._price(symbol)
        return lost, lost + self._other_fees.get(bot, ZERO)

    def is_unknown(self) -> bool:
        """Whether the account holds what nobody told the platform the price of, as something that
        people paid in: nothing may be added under a limit on losses then."""
        return any(
            held.free + held.locked
            for asset, held in self._account.balances.items()
            if asset not in self._priced
        )
