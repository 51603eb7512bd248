"""Drift: balances that are not what the journal says, and what an operator accepts of it.

Lives here: values that ask nobody. Not here: asking the exchange, what the policy does (reconcile).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.fact import Adjustment, AnyFact, CommandTaken, Liquidated
from holdfast.domain.fill import Fill
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import Side
from holdfast.ledger.state import AccountState
from holdfast.venues.port import Balance

LATE_S: Final = 5.0
"""How old the balances may be that an exchange tells; its answers lag by a second or two."""


class Difference(msgspec.Struct, frozen=True):
    """A holding that is not what the journal says.

    Attributes:
        journal, exchange: units of `asset`.
    """

    asset: str
    journal: Decimal
    exchange: Decimal

    @property
    def gap(self) -> tuple[str, Decimal]:
        """What stays the same while both sides move alike, as they do when something trades."""
        return self.asset, self.exchange - self.journal

    def __str__(self) -> str:
        return (
            f"{self.asset}: journal {plain(self.journal)}, exchange {plain(self.exchange)}, "
            f"difference {plain(self.exchange - self.journal)}"
        )


def differences(
    holdings: Mapping[str, Decimal],
    balances: Mapping[str, Balance],
    tolerance: Callable[[str], Decimal],
    unsettled: frozenset[str],
) -> list[Difference]:
    """Assets whose balance differs by the tolerance or more, in order of name.

    Args:
        tolerance: by asset: one step of the instrument it is the base of; smaller is dust.
        unsettled: assets that an attempt may still move; comparing them proves nothing.
    """
    found = []
    for asset in sorted({*holdings, *balances}):
        if asset in unsettled:
            continue
        balance = balances.get(asset)
        exchange = balance.free + balance.locked if balance else ZERO
        journal = holdings.get(asset, ZERO)
        apart = abs(exchange - journal)
        if apart and apart >= tolerance(asset):
            found.append(Difference(asset, journal, exchange))
    return found


class Lately:
    """What was held until a moment ago: an exchange may show balances as they were then."""

    def __init__(self) -> None:
        self._until: deque[tuple[float, str, Decimal]] = deque()

    def note(self, fill: Fill, holdings: Mapping[str, Decimal], now_s: float) -> None:
        """A fill is booked, and `holdings` are with it."""
        base, quote = fill.symbol.split("/")
        sign = 1 if fill.side is Side.BUY else -1
        moved = {base: sign * fill.quantity, quote: -sign * fill.quantity * fill.price}
        moved[fill.fee_asset] = moved.get(fill.fee_asset, ZERO) - fill.fee
        self._forget(now_s)
        for asset, amount in moved.items():
            self._until.append((now_s, asset, holdings.get(asset, ZERO) - amount))

    def explains(self, found: Difference, now_s: float) -> bool:
        """Whether the exchange may have told what was held `LATE_S` ago, or since."""
        self._forget(now_s)
        return any(
            asset == found.asset and held == found.exchange for _, asset, held in self._until
        )

    def _forget(self, now_s: float) -> None:
        while self._until and self._until[0][0] < now_s - LATE_S:
            self._until.popleft()


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator asked for with `holdfast reconcile`.

    Attributes:
        assets: differences of these are booked, and released from quarantine.
        by, reason: who says so, and why; both stay with what is booked.
        bot: whose position lost what is missing; empty when no bot's did.
    """

    command_id: str
    by: str
    reason: str = ""
    assets: frozenset[str] = frozenset()
    bot: str = ""

    def facts(self, found: Iterable[Difference], account: AccountState) -> list[AnyFact]:
        """The command, and an adjustment for each difference that was accepted."""
        asked = {"adjust": ",".join(sorted(self.assets)), "bot": self.bot, "reason": self.reason}
        taken = CommandTaken(
            command_id=self.command_id,
            name="reconcile",
            by=self.by,
            arguments=str(sorted((key, value) for key, value in asked.items() if value)),
        )
        held = account.bot(self.bot).positions
        return [
            taken,
            *(
                Adjustment(
                    asset=each.asset,
                    amount=each.exchange - each.journal,
                    actor=self.by,
                    evidence=f"{each}; {self.reason}" if self.reason else str(each),
                    bot=self.bot,
                    symbol=next((s for s in held if s.split("/")[0] == each.asset), ""),
                )
                for each in found
                if each.asset in self.assets
            ),
        ]


def liquidations(fill: Fill, account: AccountState, evidence: str) -> list[Liquidated]:
    """Off whose positions a sale goes that was no bot's; what exceeds them was nobody's."""
    return taken_off(fill.symbol, fill.quantity, fill.price, account, evidence)


def taken_off(
    symbol: str, quantity: Decimal, price: Decimal, account: AccountState, evidence: str
) -> list[Liquidated]:
    """As `liquidations`, of `quantity` base units that were sold at `price`."""
    left, found = quantity, []
    for name, bot in account.bots.items():
        quantity = min(left, bot.held(symbol))
        if quantity > ZERO:
            left -= quantity
            found.append(
                Liquidated(
                    bot=name,
                    symbol=symbol,
                    quantity=quantity,
                    price=price,
                    evidence=evidence,
                )
            )
    return found
