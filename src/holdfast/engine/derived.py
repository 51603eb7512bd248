"""What a bot has derived from bars, kept so that a new process goes on bit for bit.

An average that never ends would else begin anew, and two processes would differ in its last digits.
Lives here: what is kept of a bot and how it is taken up. Not here: when that is done (app).
"""

from __future__ import annotations

import decimal
from typing import Any, Final

import msgspec

from holdfast.domain.market import Bar
from holdfast.engine.bot import BotRuntime
from holdfast.strategy.feed import LongerState


class Derived(msgspec.Struct, frozen=True):
    """A bot's feed as it is after its newest bars.

    Attributes:
        config: canonical JSON of the bot's configuration: another one derives something else.
        bars: the newest seen, by symbol.
        longer: of the longer bars that have begun.
        indicators: their own states, in the order of the feed.
    """

    config: str
    first_bar: Bar
    bars: dict[str, Bar]
    decides_ns: int
    longer: list[LongerState]
    indicators: list[dict[str, Any]]


_encoder: Final = msgspec.json.Encoder(decimal_format="string")
_decoder: Final = msgspec.json.Decoder(Derived)


def derived_of(bot: BotRuntime, config: str) -> msgspec.Raw | None:
    """What is to be kept; None before the first bar, or when an indicator has no state to keep."""
    if bot.first_bar is None or bot.is_broken:
        return None
    keeping: list[Any] = [one for one in bot.feed.indicators if hasattr(one, "restore")]
    if len(keeping) < len(bot.feed.indicators):
        return None
    with decimal.localcontext():  # an author's own code
        states = [one.state() for one in keeping]
    kept = Derived(
        config=config,
        first_bar=bot.first_bar,
        bars=bot.bars,
        decides_ns=bot.decides_ns,
        longer=bot.feed.state(),
        indicators=states,
    )
    return msgspec.Raw(_encoder.encode(kept))


def read_derived(body: msgspec.Raw) -> Derived | None:
    """What was kept; None when another version wrote it in another form."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        return None


def go_on(bot: BotRuntime, kept: Derived) -> None:
    """Take up what was kept, in a bot that has seen no bar yet.

    Raises:
        ValueError: it is of other indicators; the bot is not to be used.
    """
    indicators: list[Any] = list(bot.feed.indicators)
    with decimal.localcontext():  # an author's own code
        for one, state in zip(indicators, kept.indicators, strict=True):
            one.restore(state)
    bot.feed.restore(kept.longer)
    bot.first_bar, bot.bars, bot.decides_ns = kept.first_bar, dict(kept.bars), kept.decides_ns
