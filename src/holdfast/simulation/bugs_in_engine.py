"""Planted bugs of what is derived from a wish, and of what it counts with; see `bugs`.

And of what bots share. Not here: bugs of single limits and of halts (bugs).
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.domain.action import Approved
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.engine import derive, risk, step
from holdfast.engine.facts import held_position
from holdfast.engine.situation import Derivation
from holdfast.engine.step import Engine
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.simulation.bugs import (
    Plant,
    let_desk_send_beside_doubts,
    put,
    replace,
    replace_rule,
)


def no_stops() -> None:
    put(derive, "protect", lambda *_args: None)


def one_bot_sleeps() -> None:
    """As a lock would that nobody gives back: of two bots the other trades on."""

    def waiting(self: Any, bot: Any, *args: Any, **options: Any) -> Derivation:
        if self.account.counters.takeovers > 1 and bot.name == max(self.bots):
            return Derivation([], [])
        found: Derivation = once(self, bot, *args, **options)
        return found

    once = Engine._derive
    put(Engine, "_derive", waiting)


def each_purchase_twice() -> None:
    """Under an intent of its own, so that no rule about attempts at one intent sees it."""

    def twice(make: Any) -> Any:
        def doubled(at: Any, progress: Any, side: Side, quantity: Any, smallest: Any) -> Any:
            found = make(at, progress, side, quantity, smallest)
            if side is Side.BUY and found:
                seq, _, part = found[-1]
                found.append((seq + 1, 1, part))
            return found

        return doubled

    replace(derive, "intents", twice)


def half_is_bought() -> None:
    """Of what a target asks for, and nothing more until the next wish."""

    def halved(at: Any, mine: Any, exits: Any, leg: Any, found: Any) -> Any:
        held = at.state.held(leg.symbol)
        if leg.target and leg.target > held:
            half = max(at.instrument.floor_quantity(leg.target / 2), held)
            leg = msgspec.structs.replace(leg, target=half)
        return target(at, mine, exits, leg, found)

    target = derive._target
    put(derive, "_target", halved)


def empty_attempts_are_not_repeated() -> None:
    """What was refused, unsent or never executed is not tried again under the same wish."""

    def once(at: Any, mine: Any, exits: Any, leg: Any, found: Any) -> Any:
        progress = at.progress.get(leg.leg)
        if progress is not None and progress.empty and not at.fresh:
            return None
        return target(at, mine, exits, leg, found)

    target = derive._target
    put(derive, "_target", once)


def recomputed_decisions() -> None:
    """Who begins asks the strategy what it wants instead of the journal what it has decided."""

    def anew(self: Any) -> Any:
        for bot in self.bots.values():
            state = self.account.bot(bot.name)
            if not (state.running and state.number and bot.last_bar is not None):
                continue
            asked = bot.decide(
                held_position(state, bot.symbol), self.facts[bot.name], state.memory
            )
            decided = self._decider.decision(bot, *asked)
            if decided is not None:
                state.wish, state.legs = decided.wish, decided.legs
        return resume(self)

    resume = Engine.resume
    put(Engine, "resume", anew)


def market_purchases_are_free() -> None:
    """A hundredth of what they cost is set aside, and no position limit binds them."""

    def cheap(order: Any, gate: Any) -> Any:
        found = checked(order, gate)
        is_market = order.spec.side is Side.BUY and order.spec.price is None
        if isinstance(found, Approved) and is_market:
            found = msgspec.structs.replace(found, reserve=found.reserve / 100)
        return found

    def unless_market(order: Any, gate: Any) -> Any:
        return None if order.spec.price is None else position_notional(order, gate)

    checked, position_notional = risk.check, risk._position_notional
    replace_rule(position_notional, unless_market)
    for module in (risk, step):
        put(module, "check", cheap)


def outstanding_is_nothing() -> None:
    """In the fold itself, so that whatever asks it what may yet be bought is wrong the same way."""
    put(LiveOrder, "outstanding", property(lambda _self: ZERO))


def purchases_reduce() -> None:
    """Limits on exposure bind nothing that is said to take exposure off."""

    def reducing(make: Any) -> Any:
        def proposed(*args: Any, **options: Any) -> Any:
            return msgspec.structs.replace(make(*args, **options), reduces=True)

        return proposed

    replace(derive, "propose", reducing)


# -- what bots share -------------------------------------------------------------------------------


def cash_in_doubt_is_free() -> None:
    """As if an order of which nobody knows had bought nothing."""

    def known(self: Any, asset: str) -> Any:
        mine = [o for o in self.live.values() if o.armed.reserve_asset == asset and o.in_doubt]
        bought = (order.reserve for order in mine if order.armed.spec.side is Side.BUY)
        return reserved(self, asset) - sum(bought, ZERO)

    reserved = AccountState.reserved
    put(AccountState, "reserved", known)


def cash_is_set_aside_for_its_bot() -> None:
    """Each bot counts what it has on its way itself, and not what others have."""

    def own(order: Any, gate: Any) -> Any:
        quote, need = order.spec.symbol.split("/")[1], order.spec.quantity * order.price
        live = gate.account.live.values()
        mine = [o for o in live if o.armed.bot == order.bot and o.armed.reserve_asset == quote]
        free = gate.account.holdings.get(quote, ZERO) - sum((o.reserve for o in mine), ZERO)
        return ("balance", str(need), f"{free} {quote} free") if need > free else None

    replace_rule(risk._cash_covers, own)


def doubts_are_of_one_bot() -> None:
    """Beside the doubt of a bot the others of the account go on buying its symbol."""

    def own(order: Any, gate: Any) -> Any:
        found = no_doubt(order, gate)
        mine = gate.account.orders(order.spec.symbol, order.bot)
        return found if any(live.in_doubt for live in mine) else None

    no_doubt = risk._no_doubt
    replace_rule(no_doubt, own)
    let_desk_send_beside_doubts()


def limits_are_of_one_bot() -> None:
    """The account's limit counts what the bot has that asks, and nobody else."""

    def own(order: Any, gate: Any) -> Any:
        apart = msgspec.structs.replace(gate)
        apart.limits = tuple((limits, True) for limits, _ in gate.limits)
        return position_notional(order, apart)

    position_notional = risk._position_notional
    replace_rule(position_notional, own)


PLANTS: dict[str, Plant] = {
    each.__name__: each
    for each in (
        no_stops, one_bot_sleeps, each_purchase_twice, half_is_bought,
        empty_attempts_are_not_repeated, recomputed_decisions, market_purchases_are_free,
        outstanding_is_nothing, purchases_reduce,
        cash_in_doubt_is_free, cash_is_set_aside_for_its_bot, doubts_are_of_one_bot,
        limits_are_of_one_bot,
    )
}
