"""Drift: balances that are not what the journal says, and what an operator accepts of it.

Lives here: values that ask nobody. Not here: asking the exchange, what the policy does (reconcile).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.fact import (
    UNKNOWN,
    Adjustment,
    AnyFact,
    CashFlow,
    CommandTaken,
    Liquidated,
    Released,
)
from holdfast.domain.fill import Fill
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import Side
from holdfast.ledger.state import AccountState
from holdfast.venues.port import Balance

LONG_LOOKS: Final = 5
LATE_S: Final = 5.0
"""How old the balances may be that an exchange tells; its answers lag by a second or two."""


class Difference(msgspec.Struct, frozen=True):
    """A holding that is not what the journal says.

    Attributes:
        journal, exchange: units of `asset`.
        asked_ns: exchange time at which the balances were asked for that showed it first.
        gaps: by how much the exchange may have more; several where it may tell balances as they
            were before a trade of the last moments.
        looks: in how many looks in a row it was seen.
    """

    asset: str
    journal: Decimal
    exchange: Decimal
    asked_ns: int = 0
    gaps: frozenset[Decimal] = frozenset()
    looks: int = 1

    def may_agree(self, tolerance: Callable[[str], Decimal]) -> bool:
        """Whether it is dust, or nothing at all, where its balance was told late."""
        dust = tolerance(self.asset)
        return any(not gap or abs(gap) < dust for gap in self.gaps)

    def __str__(self) -> str:
        return (
            f"{self.asset}: journal {plain(self.journal)}, exchange {plain(self.exchange)}, "
            f"difference {plain(self.exchange - self.journal)}"
        )


def narrowed(
    found: Iterable[Difference], before: Mapping[str, Difference]
) -> dict[str, Difference]:
    """What differs, by asset, with those gaps alone that explain the look before as well.

    Trading moves both sides alike, and balances that are told late by another amount each time:
    what nobody knows of stays. It moved by the time of the first look that showed it.
    """
    left = {}
    for each in found:
        first = before.get(each.asset)
        gaps = each.gaps & first.gaps if first is not None else frozenset[Decimal]()
        if first is not None and gaps:
            left[each.asset] = msgspec.structs.replace(
                each, gaps=gaps, asked_ns=first.asked_ns, looks=first.looks + 1
            )
        else:
            left[each.asset] = each
    return left


def lasting(
    found: Mapping[str, Difference], before: Mapping[str, Difference]
) -> list[Difference]:
    """Those of `narrowed` that differ as they did before; by how much may be open yet."""
    known = {asset: each.gaps for asset, each in before.items()}
    return [each for asset, each in found.items() if each.gaps & known.get(asset, frozenset())]


def certain(lasts: Iterable[Difference], *, if_long: bool = False) -> list[Difference]:
    """Those of `lasting` of which one amount alone is left, by that amount.

    Args:
        if_long: those as well that were seen for long, by whatever amount: a bot may make the same
            round trip before each look. That they differ is certain; nothing may be booked of them.
    """
    return [
        msgspec.structs.replace(each, exchange=each.journal + min(each.gaps, key=abs))
        for each in lasts
        if len(each.gaps) == 1 or (if_long and each.looks >= LONG_LOOKS)
    ]


def differences(
    holdings: Mapping[str, Decimal],
    balances: Mapping[str, Balance],
    tolerance: Callable[[str], Decimal],
    unsettled: frozenset[str],
    asked_ns: int = 0,
) -> list[Difference]:
    """Assets whose balance differs by the tolerance or more, in order of name.

    Args:
        tolerance: by asset: one step of the instrument it is the base of; smaller is dust.
        unsettled: assets that an attempt may still move; comparing them proves nothing.
        asked_ns: exchange time before which nobody read the balances.
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
            found.append(Difference(asset, journal, exchange, asked_ns))
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

    def gaps(self, found: Difference, now_s: float) -> frozenset[Decimal]:
        """By how much the exchange may have more than what was held then: now, or lately."""
        self._forget(now_s)
        held = [each for _, asset, each in self._until if asset == found.asset]
        return frozenset([found.exchange - each for each in (found.journal, *held)])

    def _forget(self, now_s: float) -> None:
        while self._until and self._until[0][0] < now_s - LATE_S:
            self._until.popleft()


class Flows:
    """Differences that were accepted, as money that came or went: neither profit nor loss.

    Each is measured on the equity that those before it leave.

    Args:
        rate: reporting units per unit of an asset; None when unknown.
        equity: of the account before all of them, reporting units; None while it cannot be told.
    """

    def __init__(
        self, reporting: str, rate: Callable[[str], Decimal | None], equity: Decimal | None
    ) -> None:
        self._reporting = reporting
        self._rate = rate
        self._equity = equity

    def of(self, found: Difference, evidence: str) -> CashFlow:
        """What is booked of a difference; the next one comes after it."""
        amount = found.exchange - found.journal
        rate = Decimal(1) if found.asset == self._reporting else self._rate(found.asset)
        before = self._equity
        if before is not None and rate is not None:
            self._equity = before + amount * rate
        return CashFlow(
            asset=found.asset,
            amount=amount,
            reason=UNKNOWN,
            evidence=evidence,
            at_ns=found.asked_ns,
            rate=rate,
            equity=before,
        )


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

    def releases(
        self, agreed: Iterable[str], before: Mapping[str, str], now: Mapping[str, str]
    ) -> list[Released]:
        """The end of quarantine for what agrees, and was in it all the time that this looked.

        Args:
            before, now: why each thing is in quarantine, when this began and when it ends.
        """
        evidence = f"reviewed: {self.reason or 'it agrees'}"
        return [
            Released(what=what, by=self.by, evidence=evidence)
            for what in agreed if before.get(what) == now[what]
        ]

    def facts(
        self, found: Iterable[Difference], account: AccountState, flows: Flows
    ) -> list[AnyFact]:
        """The command, and what is booked of each difference that was accepted.

        Where the bot's position lost something, all of it is an adjustment: what came for it is no
        deposit. Else it is money that came or went.
        """
        asked = {"adjust": ",".join(sorted(self.assets)), "bot": self.bot, "reason": self.reason}
        taken = CommandTaken(
            command_id=self.command_id,
            name="reconcile",
            by=self.by,
            arguments=str(sorted((key, value) for key, value in asked.items() if value)),
        )
        accepted = [each for each in found if each.asset in self.assets]
        lost = {each.asset: self._lost_from(each, account) for each in accepted}
        if not any(lost.values()):
            return [
                taken,
                *(flows.of(each, f"{self._evidence(each)}; by {self.by}") for each in accepted),
            ]
        return [
            taken,
            *(
                Adjustment(
                    asset=each.asset,
                    amount=each.exchange - each.journal,
                    actor=self.by,
                    evidence=self._evidence(each),
                    bot=self.bot,
                    symbol=lost[each.asset],
                )
                for each in accepted
            ),
        ]

    def _evidence(self, found: Difference) -> str:
        return f"{found}; {self.reason}" if self.reason else str(found)

    def _lost_from(self, found: Difference, account: AccountState) -> str:
        """The symbol whose position of the bot's lost what is missing; empty when none did."""
        if not self.bot or found.exchange >= found.journal:
            return ""
        held = account.bot(self.bot).positions
        of_asset = (symbol for symbol in held if symbol.split("/")[0] == found.asset)
        return next((symbol for symbol in of_asset if held[symbol].quantity), "")


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


def assets_of(symbols: Iterable[str]) -> frozenset[str]:
    """Both sides of each."""
    return frozenset(asset for symbol in symbols for asset in symbol.split("/"))
