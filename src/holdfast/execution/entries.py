"""The last look at an entry that was approved a moment ago: what came since may hold it back.

What is journaled now comes after that, be it in the fold already or on its way into the journal;
so both are looked at. Not here: the risk gate that approved it (engine.risk).
"""

from __future__ import annotations

from holdfast.domain.action import Approved
from holdfast.execution.breaker import Breakers
from holdfast.execution.recorder import Recorder
from holdfast.ledger.state import AccountState

Terms = tuple[int, int]
"""Which limits an order was approved under: the versions of its account's and its bot's."""


class Entries:
    """Looks at what adds exposure; exits pass.

    Args:
        breakers: what keeps entries back while the exchange fails; None keeps none.
    """

    def __init__(
        self, account: AccountState, recorder: Recorder, breakers: Breakers | None
    ) -> None:
        self._account = account
        self._recorder = recorder
        self._breakers = breakers

    def terms(self, bot: str) -> Terms:
        """Which limits the fold knows for a bot, which is what the risk gate goes by."""
        return self._account.limits_version, self._account.bot(bot).config_version

    def may_go(
        self, orders: tuple[Approved, ...], terms: Terms, unsent: int
    ) -> tuple[tuple[Approved, ...], str]:
        """The orders up to the first that adds exposure and may not, and why it may not.

        Args:
            orders: of one bot.
            terms: that they were approved under.
            unsent: attempts that are armed, or about to be, and not yet sent.
        """
        adding = [i for i, o in enumerate(orders) if not o.order.reduces]
        if not adding:
            return orders, ""
        first, bot = adding[0], orders[0].order.bot
        if self._is_stopped(bot):
            return orders[:first], "a halt, drain or stop came before it"
        if self.terms(bot) != terms or self._recorder.is_limiting(bot):
            return orders[:first], "other limits came before it"
        why = ""
        for at in adding:
            symbol = orders[at].order.spec.symbol
            if self._account.quarantined(symbol) or self._recorder.is_quarantining(symbol):
                orders, why = orders[:at], "a quarantine came before it"
                break
        if self._breakers is None or len(orders) <= first:
            return orders, why
        if held := self._breakers.holds():
            return orders[:first], held
        if self._breakers.is_probing:
            is_busy = unsent or any(o.is_under_way for o in self._account.live.values())
            why = "one order at a time, until the exchange has taken some"
            return orders[: first if is_busy else first + 1], why
        return orders, why

    def _is_stopped(self, bot: str) -> bool:
        known = self._account.bots.get(bot)
        return (
            self._account.halt(bot) is not None
            or (known is not None and not known.running)
            or self._recorder.is_stopping(bot)
        )
