"""What the bots of an account share: its money, its limits, and the doubts of a symbol.

Lives here: I8 of more than one bot, from the exchange's true balances and executions. Not here:
what a bot may do by itself (checker), what it wishes (wishes).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from holdfast.app.demo.told import Told
from holdfast.domain.fact import AnyFact, Armed, AttemptMoved, Refusal
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, Side
from holdfast.exchange.accounts import Account
from holdfast.ledger.state import AccountState
from holdfast.simulation.clock import WORLD
from holdfast.simulation.exposure import Exposure

CLOCKS_MS = 2_000
"""What the time that is signed into an order may be ahead of the exchange's true one."""
PRICES = Decimal("1.03")
"""The platform's price of a symbol is not the order's own."""


class Shared:
    """Holds purchases against what all bots of one account have, and may yet get.

    Args:
        most_together: quote units that the bots may have in a symbol; None where each has its own.

    Attributes:
        waits: bots that were refused for want of money, rightly, and armed no purchase since.
    """

    def __init__(
        self, account: Account, told: Told, exposure: Exposure, most_together: Decimal | None
    ) -> None:
        self.waits: set[str] = set()
        self._account = account
        self._told = told
        self._exposure = exposure
        self._most_together = most_together
        self._doubts: dict[str, int | None] = {}  # since when a leader knows of it, milliseconds

    def begin(self) -> None:
        """Something is committed: whoever commits it knows all that was durable before."""
        now_ms = WORLD.now_ns // 1_000_000
        for cid, known_ms in self._doubts.items():
            if known_ms is None:
                self._doubts[cid] = now_ms

    def take(self, fact: AnyFact) -> None:
        """A fact became durable, and `told` and `exposure` have it."""
        match fact:
            case AttemptMoved(cid=cid, state=AttemptState.IN_DOUBT):
                self._doubts.setdefault(cid, None)
            case AttemptMoved(cid=cid):
                self._doubts.pop(cid, None)
            case Armed(bot=bot, spec=spec) if spec.side is Side.BUY:
                self.waits.discard(bot)
            case Refusal(bot=bot) if self._is_short(fact):
                self.waits.add(bot)
            case _:
                pass

    def faults(self, fact: Armed) -> Iterator[str]:
        """Why a purchase that is armed now may not be, whatever its own bot has."""
        spec = fact.spec
        base, quote = spec.symbol.split("/")
        if fact.reserve_asset != quote:
            yield f"a purchase of {base} sets {fact.reserve_asset} aside"
        cost = self._exposure.cost(fact, spec.quantity)
        most = self.available(quote) + self._exposure.spent_by_others(quote)
        if cost > most:
            yield f"{cost} {quote} committed where {most} were left, doubts and open orders counted"
        for cid, known_ms in self._doubts.items():
            armed = self._told.attempts[cid].armed
            is_known = known_ms is not None and fact.timestamp_ms > known_ms + CLOCKS_MS
            if armed.spec.symbol == spec.symbol and is_known:
                yield f"armed more of {spec.symbol} beside the doubt {cid}"
        price = cost / spec.quantity
        if self.is_too_much(spec.symbol, spec.quantity, price / PRICES):
            together = self._together(spec.symbol, spec.quantity) * price
            yield f"{together} {quote} together, beyond {self._most_together}"

    def is_too_much(self, symbol: str, more: Decimal, price: Decimal) -> bool:
        """Whether all bots may not have so much more of it, at quote units for each."""
        most = self._most_together
        return most is not None and self._together(symbol, more) * price > most

    def available(self, quote: str) -> Decimal:
        """Quote units that the exchange says there are, less all that purchases may yet cost."""
        balance = self._account.balances.get(quote)
        total = balance.free + balance.locked if balance is not None else ZERO
        return total - self._exposure.committed(quote)

    def misattributed(self, state: AccountState, *, is_meddled: bool) -> Iterator[str]:
        """Positions that are not what the bot's own orders executed, and assets that are not the
        sum of the positions; for a moment at which nothing moves.

        Args:
            is_meddled: people have acted on the account: what it has more is theirs.
        """
        sums: dict[str, Decimal] = {}
        for bot, symbol in sorted(self._exposure.positions):
            held, told = self._exposure.held(bot, symbol), state.bot(bot).held(symbol)
            if told != held:
                yield f"{bot} is said to hold {told} {symbol}, and its orders made that {held}"
            base = symbol.partition("/")[0]
            sums[base] = sums.get(base, ZERO) + told
        for base, positions in sums.items():
            balance = self._account.balances.get(base)
            there = balance.free + balance.locked if balance is not None else ZERO
            if positions > there or (positions != there and not is_meddled):
                yield f"bots hold {positions} {base} together, and the account has {there}"

    def _together(self, symbol: str, more: Decimal) -> Decimal:
        for bot in self._exposure.bots:
            more += self._exposure.held(bot, symbol)
            more += self._exposure.outstanding(bot, symbol, Side.BUY)
        return more

    def _is_short(self, fact: Refusal) -> bool:
        """Whether a refusal for want of money is true."""
        spec = fact.spec
        if fact.rule != "balance" or spec is None:
            return False
        need = Decimal(fact.seen) if spec.price is None else spec.quantity * spec.price
        return need > self.available(spec.symbol.partition("/")[2])
