"""What happens to orders, and to whether an account may trade, as log lines: told once, by facts.

One observer of a led account's facts says it all, so no line can tell of what is not in the
journal, and no way to a fact can forget its line. Not here: what goes wrong on the way to a fact
(the rooms that meet it).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from holdfast.domain.event import Committed
from holdfast.domain.fact import (
    AnyFact,
    AttemptMoved,
    BotStarted,
    BotStopped,
    BreakerMoved,
    CommandTaken,
    Draining,
    Filled,
    Halted,
    Maintenance,
    Quarantined,
    Refusal,
    Released,
    Resumed,
)
from holdfast.domain.order import AttemptState
from holdfast.execution.passage import Passage
from holdfast.ledger.state import AccountState
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import Answer

log = get_logger("app.facts")


class FactLog:
    """The `Observer` that writes the log.

    Args:
        account: the fold, which has each fact when it is told here.
        strategy_of: the strategy of a bot.
    """

    def __init__(self, account: AccountState, strategy_of: Callable[[str], str]) -> None:
        self._account = account
        self._strategy_of = strategy_of
        self._under_way: dict[str, Passage] = {}  # by client order id
        self._say: dict[type[AnyFact], Callable[[Any, int], None]] = {
            AttemptMoved: self._attempt,
            Filled: _filled,
            Refusal: _refused,
            BreakerMoved: _breaker,
            Maintenance: _maintenance,
            Halted: _halted,
            Resumed: _resumed,
            Draining: _draining,
            Quarantined: _quarantined,
            Released: _released,
            BotStarted: self._started,
            BotStopped: _stopped,
            CommandTaken: self._command,
        }

    def leaving(self, passage: Passage) -> None:
        """Remember since when it is under way."""
        for attempt in passage.request:
            self._under_way[attempt.cid] = passage

    def passed(self, passage: Passage) -> None:
        """Forget it; an answer that says that the exchange had it before is worth a line."""
        for attempt in passage.request:
            self._under_way.pop(attempt.cid, None)
            if passage.verdict is not None and passage.verdict.answer is Answer.EXISTS:
                log.warning(
                    "the exchange has an order of this id already: it is asked for",
                    action="order_already_exists", order=attempt.cid, intent=attempt.intent_id,
                    bot=attempt.bot, symbol=attempt.spec.symbol, evidence=passage.verdict.evidence,
                )  # fmt: skip

    def committed(self, event: Committed) -> None:
        """Say it, when it is one of those that people look for."""
        say = self._say.get(type(event.fact))
        if say is not None:
            say(event.fact, event.at_ns)

    def _attempt(self, fact: AttemptMoved, at_ns: int) -> None:
        order = self._account.order(fact.cid)
        if order is None:
            return
        armed, spec = order.armed, order.armed.spec
        ids: dict[str, Any] = {
            "order": fact.cid, "intent": armed.intent_id, "bot": armed.bot, "symbol": spec.symbol,
            "side": spec.side.value, "quantity": spec.quantity, "price": spec.price,
        }  # fmt: skip
        match fact.state:
            case AttemptState.ACKED:
                log.info(
                    "the exchange has an order of ours", action="order_placed", **ids,
                    order_id=fact.order_id, strategy=self._strategy_of(armed.bot),
                    execution_time_ms=self._took_ms(fact.cid, armed.timestamp_ms, at_ns),
                )  # fmt: skip
            case AttemptState.REJECTED:
                log.warning("the exchange refused an order", action="order_rejected", **ids,
                            code=fact.code, evidence=fact.evidence)
            case AttemptState.NOT_SENT:
                log.warning("an order was not sent", action="order_not_sent", **ids,
                            evidence=fact.evidence)
            case AttemptState.IN_DOUBT:
                log.warning("nobody knows what became of an order: it is asked for",
                            action="order_in_doubt", **ids, code=fact.code, evidence=fact.evidence)
            case AttemptState.NEVER_EXECUTED:
                log.info("an order in doubt never executed", action="order_never_executed", **ids,
                         evidence=fact.evidence)
            case _:
                pass  # nothing moves to ARMED

    def _took_ms(self, cid: str, fixed_ms: int, at_ns: int) -> float:
        """From the decision until it is known here that the exchange has it.

        Of an order that this process did not send, or that was in doubt, the journal's clock tells.
        """
        passage = self._under_way.get(cid)
        if passage is None:
            return max(0.0, at_ns / 1e6 - fixed_ms)
        return round((time.monotonic_ns() - passage.handed_ns) / 1e6, 3)

    def _started(self, fact: BotStarted, _at_ns: int) -> None:
        log.info("a bot trades", action="bot_started", bot=fact.bot,
                 strategy=self._strategy_of(fact.bot), config_version=fact.config_version)

    def _command(self, fact: CommandTaken, _at_ns: int) -> None:
        log.info("a command took effect" if not fact.refused else "a command was refused",
                 action="audit_event", what=fact.name, by=fact.by, target=self._account.account,
                 detail={"command_id": fact.command_id}, outcome=fact.refused or "done")


def _filled(fact: Filled, _at_ns: int) -> None:
    fill = fact.fill
    log.info(
        "filled", action="order_filled", order=fill.cid, bot=fact.bot, symbol=fill.symbol,
        side=fill.side.value, quantity=fill.quantity, price=fill.price, fee=fill.fee,
        fee_asset=fill.fee_asset, trade_id=fill.trade_id, order_id=fill.venue_order_id,
    )  # fmt: skip


def _refused(fact: Refusal, _at_ns: int) -> None:
    log.info("the risk gate refused an order", action="order_refused", bot=fact.bot,
             rule=fact.rule, seen=fact.seen, limit=fact.limit)


def _breaker(fact: BreakerMoved, _at_ns: int) -> None:
    log.warning(
        f"circuit breaker for {fact.endpoint} requests: {fact.state}",
        action=f"circuit_breaker_{fact.state}", endpoint=fact.endpoint, evidence=fact.evidence,
    )  # fmt: skip


def _maintenance(fact: Maintenance, _at_ns: int) -> None:
    log.warning("the exchange is closed" if fact.on else "the exchange is open again",
                action="maintenance_begins" if fact.on else "maintenance_ends",
                evidence=fact.evidence)


def _halted(fact: Halted, _at_ns: int) -> None:
    log.warning("halted", action="halted", bot=fact.bot, halt=fact.level.value,
                reason=fact.reason, by=fact.by)


def _resumed(fact: Resumed, _at_ns: int) -> None:
    log.info("resumed", action="resumed", bot=fact.bot, by=fact.by)


def _draining(fact: Draining, _at_ns: int) -> None:
    log.info("draining" if fact.on else "draining no more", action="draining", bot=fact.bot,
             on=fact.on, by=fact.by, reason=fact.reason)


def _quarantined(fact: Quarantined, _at_ns: int) -> None:
    log.warning("held back until it is explained", action="quarantined", what=fact.what,
                by=fact.by, evidence=fact.evidence)


def _released(fact: Released, _at_ns: int) -> None:
    log.info("held back no more", action="released", what=fact.what, by=fact.by,
             evidence=fact.evidence)


def _stopped(fact: BotStopped, _at_ns: int) -> None:
    tell = log.error if fact.failed else log.info
    tell("a bot decides no more", action="bot_stopped", bot=fact.bot, reason=fact.reason,
         failed=fact.failed)
