"""From wishes to a decision: what of them is new, in fixed quantities, ready to be journaled.

A bot with several symbols decides for all of them at once; where a wish stands, the quantities of
the decision before stand too. Not here: asking the strategy (engine.bot), what one wish comes to
(engine.resolve), the orders that follow (engine.derive).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.fact import Decided, Leg
from holdfast.domain.money import ZERO
from holdfast.engine.bot import BotRuntime
from holdfast.engine.resolve import Means, is_flat, legs_of, wanted, wish_text
from holdfast.engine.situation import MARKET_CUSHION
from holdfast.ledger.state import WISH_KEY, AccountState, BotState
from holdfast.strategy.wish import KEEP, OneWish, Target

_BY_SYMBOL: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ONE_WISH: Final = '{"type"'
"""How the text of a wish begins; that of several is an object of them, by symbol."""


class Decider:
    """Works decisions out at last prices.

    Args:
        prices: quote units by symbol.
        equity: tells the account's in units of an asset; None while it cannot be told.
    """

    def __init__(
        self,
        account: AccountState,
        prices: Mapping[str, Decimal],
        equity: Callable[[str], Decimal | None],
    ) -> None:
        self._account = account
        self._prices = prices
        self._equity = equity
        # Of each bot the standing wishes' texts, with the one text that they were read from.
        self._texts: dict[str, tuple[str, dict[str, str]]] = {}

    def decision(
        self, bot: BotRuntime, wishes: Mapping[str, OneWish], memory: str | None = None
    ) -> Decided | None:
        """What is to be journaled; None when the standing decision goes on.

        A decision claims one key at most: where several wishes bring one along, the bot is due
        again at once, and the next one follows. A memory belongs to all that was wished with it:
        it is written once nothing of that is left to be decided.

        Args:
            memory: as the strategy left it; a decision of its own when nothing else is new.
        """
        state = self._account.bots[bot.name]
        standing = self._standing(bot, state)
        said, texts, claimed = self._said(bot, wishes, state, standing)
        drifted = self._drifted(wishes, state, standing)
        if not said and not drifted and memory == state.memory:
            return None
        means = self._means(bot, state, {**drifted, **said} if drifted else said)
        legs: dict[str, tuple[Leg, ...]] = {}
        for symbol, one in means.items():
            new = symbol in said
            found = legs_of(said[symbol] if new else drifted[symbol], one)
            if found is not None and (new or _is_further(state, found)):
                legs[symbol] = found
        if memory != state.memory and (
            bot.due or any(s not in legs for s in said) or self._is_lost(wishes)
        ):
            memory = state.memory  # it is returned again with what is left to be decided
        if not legs and memory == state.memory:
            return None
        number = state.number + 1
        for symbol in legs:
            standing[symbol] = texts.get(symbol) or standing[symbol]
        # Of keys only one that its wish is decided with: the journal takes each of them once.
        keys = [key for symbol, key in claimed.items() if symbol in legs]
        wish = _joined(bot, standing)
        self._texts[bot.name] = (wish, standing)
        return Decided(
            bot=bot.name,
            number=number,
            key=keys[0] if keys else str(number),
            config_version=state.config_version,
            wish=wish,
            legs=legs[bot.symbol] if legs and len(bot.symbols) == 1 else _carried(bot, state, legs),
            seen_ns=bot.asks_ns,
            seen=bot.seen,
            memory=memory,
        )

    def _standing(self, bot: BotRuntime, state: BotState) -> dict[str, str]:
        """The standing wishes by symbol, as they were written; to be changed at will.

        Mostly they are those decided here last: then the very text is in the journal.
        """
        text, texts = self._texts.get(bot.name, ("", {}))
        return dict(texts) if text and text is state.wish else _texts(bot, state)

    def _said(
        self,
        bot: BotRuntime,
        wishes: Mapping[str, OneWish],
        state: BotState,
        standing: Mapping[str, str],
    ) -> tuple[dict[str, OneWish], dict[str, str], dict[str, str]]:
        """Wishes that say something new, as texts too, and the key that one brings along."""
        said: dict[str, OneWish] = {}
        texts: dict[str, str] = {}
        claimed: dict[str, str] = {}
        for symbol, wish in wishes.items():
            if wish is KEEP or self._is_unknown(symbol) or _is_spent(state, symbol, wish):
                continue
            key = _key_of(symbol, wish)
            text = wish_text(wish)
            if not key:
                begins_flat = symbol not in standing and is_flat(wish)
                if begins_flat or text == standing.get(symbol):
                    continue
            elif key in state.keys:
                continue  # it is done, whatever was wished since
            elif claimed:
                bot.due = True
                continue
            else:
                claimed[symbol] = key
            said[symbol], texts[symbol] = wish, text
        return said, texts, claimed

    def _is_lost(self, wishes: Mapping[str, OneWish]) -> bool:
        """Whether one of them cannot be heard, since its symbol has no price yet."""
        return any(w is not KEEP and self._is_unknown(s) for s, w in wishes.items())

    def _is_unknown(self, symbol: str) -> bool:
        return symbol not in self._account.instruments or symbol not in self._prices

    def _drifted(
        self, wishes: Mapping[str, OneWish], state: BotState, standing: Mapping[str, str]
    ) -> dict[str, Target]:
        """Standing targets by weight or amount that have left their band."""
        drifted: dict[str, Target] = {}
        for symbol, wish in wishes.items():
            if not isinstance(wish, Target) or wish.quantity is not None or not wish.band:
                continue
            leg = state.target(symbol)
            if leg is None or leg.target is None or self._is_unknown(symbol):
                continue
            if _is_spent(state, symbol, wish) or wish_text(wish) != standing.get(symbol):
                continue
            means = self._means_of(symbol, state)
            size = wanted(wish, means)
            if size is not None and abs(size - leg.target) > leg.band:
                drifted[symbol] = wish
        return drifted

    # -- what it is measured on ------------------------------------------------------------------

    def _means_of(self, symbol: str, state: BotState) -> Means:
        instrument = self._account.instruments[symbol]
        return Means(
            instrument=instrument,
            price=self._prices[symbol],
            equity=self._equity(instrument.quote),
            held=state.held(symbol),
        )

    def _means(
        self, bot: BotRuntime, state: BotState, wishes: Mapping[str, OneWish]
    ) -> dict[str, Means]:
        """Of each wish; where weights ask for more than can be paid for, all get the same part."""
        means = {symbol: self._means_of(symbol, state) for symbol in wishes}
        if not [w for w in wishes.values() if isinstance(w, Target) and w.weight is not None]:
            return means
        costs: dict[str, Decimal] = {}
        funds = ZERO
        for symbol, wish in wishes.items():
            one = means[symbol]
            size = wanted(wish, one) if isinstance(wish, Target) else ZERO
            change = (size if size is not None else one.held) - one.held
            if change < ZERO:
                funds -= change * one.price / MARKET_CUSHION  # what is sold pays for what is bought
            elif isinstance(wish, Target) and wish.weight is not None:
                costs[symbol] = change * one.price * MARKET_CUSHION
        funds = max(ZERO, funds + self._free(bot, bot.quote, wishes))
        cost = sum(costs.values(), start=ZERO)
        if cost > funds:
            for symbol, own in costs.items():
                one = means[symbol]
                most = one.held + own * funds / cost / (one.price * MARKET_CUSHION)
                means[symbol] = msgspec.structs.replace(one, most=most)
        return means

    def _free(self, bot: BotRuntime, quote: str, wishes: Mapping[str, OneWish]) -> Decimal:
        """What may be spent: what these wishes bid with already is there to bid with."""
        free = self._account.free(quote)
        for order in self._account.live.values():
            armed = order.armed
            if armed.bot == bot.name and armed.reserve_asset == quote:
                free += order.reserve if armed.spec.symbol in wishes else ZERO
        return free


def _is_spent(state: BotState, symbol: str, wish: OneWish) -> bool:
    """Whether its stop or take-profit has fired: it counts as flat."""
    return (
        isinstance(wish, Target) and not wish.is_flat and state.spent.get(symbol) == wish.episode
    )


def _key_of(symbol: str, wish: OneWish) -> str:
    """What a wish claims once, with its symbol: a bot may get others, in another order."""
    if not isinstance(wish, Target) or not wish.key:
        return ""
    return f"{WISH_KEY}{symbol} {wish.key}"


def _is_further(state: BotState, found: tuple[Leg, ...]) -> bool:
    """Whether a target that has drifted comes out of its band, given what can be had."""
    (leg,) = found
    before = state.target(leg.symbol)
    if before is None or before.target is None or leg.target is None:
        return True
    return abs(leg.target - before.target) > before.band


def _carried(
    bot: BotRuntime, state: BotState, legs: Mapping[str, tuple[Leg, ...]]
) -> tuple[Leg, ...]:
    """All legs of a decision; those of wishes that stand remember which one fixed them."""
    every: list[Leg] = []
    for symbol in bot.symbols:
        if symbol in legs:
            every += legs[symbol]
            continue
        every += [
            leg if leg.since else msgspec.structs.replace(leg, since=state.number)
            for leg in state.legs
            if leg.symbol == symbol
        ]
    return tuple(every)


def _texts(bot: BotRuntime, state: BotState) -> dict[str, str]:
    """The standing wishes by symbol, as they were written."""
    if not state.number:
        return {}
    if state.wish.startswith(_ONE_WISH):
        return {state.legs[0].symbol if state.legs else bot.symbol: state.wish}
    return {symbol: bytes(raw).decode() for symbol, raw in _BY_SYMBOL.decode(state.wish).items()}


def _joined(bot: BotRuntime, texts: Mapping[str, str]) -> str:
    if len(bot.symbols) == 1:
        return texts.get(bot.symbol) or wish_text(None)  # only a memory, before the first wish
    return "{" + ",".join([f'"{s}":{texts[s]}' for s in bot.symbols if s in texts]) + "}"
