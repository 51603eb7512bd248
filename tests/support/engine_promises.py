"""Promises of the engine that hold after each step, whatever a test or a venue chose.

Not here: what steps it (engine_world).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from holdfast.domain.action import Approved
from holdfast.domain.fact import Armed, HaltLevel
from holdfast.domain.order import AttemptState, OrderSpec, Side, TimeInForce
from holdfast.engine.complete import has_all
from holdfast.engine.step import Engine
from holdfast.ledger.state import AccountState, once


def check_proposal(account: AccountState, approved: Approved) -> None:
    """What holds of every order that the engine asks for."""
    order = approved.order
    live = list(account.orders(order.spec.symbol))
    if order.spec.side is Side.BUY:
        assert not [o for o in live if o.in_doubt], "a buy while the symbol is in doubt"
        assert not [
            o
            for o in live
            if o.state is AttemptState.REJECTED
            and o.armed.bot == order.bot
            and o.armed.spec.side is Side.BUY
        ], "a buy while a rejection of the same side is provisional"
        assert account.halt(order.bot) is None, "a buy while halted"
    level = account.halt(order.bot)
    if level is not None and level is not HaltLevel.ENTRIES and order.mate is None:
        assert not spec_rests(order.spec), f"an order that rests at level {level}"
    protects = order.leg.endswith(("|stop", "|exits", "|flatten"))
    assert protects or account.bots[order.bot].running, "an order of a stopped bot"


def check_arming(account: AccountState, armed: Sequence[Armed], attempt: Armed) -> None:
    """What holds of every attempt before it is journaled, after those that were `armed`."""
    spec = attempt.spec
    halt = account.halt(attempt.bot)
    assert attempt.reduces or halt is None, "exposure after the record of a halt"
    before = [
        fact
        for fact in armed
        if (fact.intent_id, fact.part) == (attempt.intent_id, attempt.part)
    ]
    assert attempt.n == len(before) + 1, "attempts of an intent are numbered from 1, no gaps"
    for earlier in before:
        order = account.order(earlier.cid)
        assert order is not None
        assert order.is_over, "another attempt at an intent that may still execute"
        assert not order.executed, "another attempt at an intent that executed"
        assert earlier.spec.side is spec.side
        assert spec.quantity <= earlier.spec.quantity
    if spec.side is Side.SELL:
        base = spec.symbol.split("/")[0]
        open_sells = sum(
            (
                o.outstanding
                for o in once(account.orders(spec.symbol))
                if o.armed.spec.side is Side.SELL
            ),
            Decimal(0),
        )
        free = account.holdings.get(base, Decimal(0)) - open_sells
        assert spec.quantity <= free, f"sells {spec.quantity} of {free} {base}"


def check_quick_look(engine: Engine) -> None:
    """Where the look before derivation finds nothing missing, derivation does neither."""
    for bot in engine.bots.values():
        if bot.is_busy or bot.name not in engine.account.bots:
            continue
        for symbol in bot.symbols:
            if has_all(engine.account, bot, symbol, engine.prices.get(symbol)):
                for fresh in (False, True):
                    missing = engine._derive(bot, symbol, None, fresh=fresh)
                    assert missing.orders == [], f"missing in {symbol}: {missing}"
                    assert missing.cancels == [], f"too much in {symbol}: {missing}"


def spec_rests(spec: OrderSpec) -> bool:
    """Whether an order stays in the book; a stop waits outside it."""
    return spec.price is not None and spec.time_in_force is not TimeInForce.IOC
