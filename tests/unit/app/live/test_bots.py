"""Where a bot goes on: with what another process kept, bit for bit, else from its anchor."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from holdfast.app.live.bots import all_derived, make_bot, take_up
from holdfast.app.live.history import LONGEST_HISTORY_BARS
from holdfast.config import Bot
from holdfast.domain.market import NS_PER_S, Bar
from holdfast.engine.bot import BotRuntime
from holdfast.ledger.state import AccountState, derived_in, from_bytes, to_bytes
from holdfast.strategy.play import bars_of

SOURCE = '''
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy


class Mine(Strategy):
    period: int = 20

    def setup(self, on):
        self.own = on.bars()
        self.ema = self.own.ema(self.period)
        self.macd = on.bars("5m", "ETH/USDT").macd()
        self.trend = on.bars("15m").supertrend(3)

    def decide(self, now):
        return FLAT


class Plain(Strategy):
    def setup(self, on):
        self.mine = on.bars().add(Count())

    def decide(self, now):
        return FLAT


class Count:
    value, ready, warmup = 0.0, True, 1

    def update(self, bar):
        self.value += 1
'''
BOTH = ("BTC/USDT", "ETH/USDT")


@pytest.fixture
def written(tmp_path: Path) -> Bot:
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    return Bot(name="mine", strategy=f"{file}:Mine", symbols=BOTH)


def bars(count: int = 900) -> list[Bar]:
    """Minutes of two symbols, in the order in which they close."""
    source = random.Random(7)
    series = (
        bars_of([round(source.uniform(90, 110), 2) for _ in range(count)], symbol=symbol)
        for symbol in BOTH
    )
    return [bar for pair in zip(*series, strict=True) for bar in pair]


def fed(bot: BotRuntime, over: Sequence[Bar]) -> BotRuntime:
    for bar in over:
        bot.take(bar)
    return bot


def kept(bot: BotRuntime, written: Bot) -> msgspec.Raw:
    """As it comes out of a snapshot of the journal."""
    body = to_bytes(AccountState(), all_derived([(bot, written)]))
    assert from_bytes(body) == AccountState()
    return derived_in(body)[bot.name]


def shown(bot: BotRuntime) -> list[object]:
    strategy = bot.strategy
    return [strategy.ema.value, strategy.macd.value, strategy.macd.signal, strategy.trend.value]  # type: ignore[attr-defined]


@pytest.mark.parametrize("cut", [1, 2, 77, 400, 1203, 1799])
def test_a_new_process_goes_on_bit_for_bit(written: Bot, cut: int) -> None:
    over = bars()
    whole = fed(make_bot(written), over)
    first, second = fed(make_bot(written), over[:cut]), make_bot(written)
    body = kept(first, written)
    now_ns = over[cut].close_ns
    if cut == 1:  # the other symbol has no bar yet
        assert not take_up(second, written, body, now_ns)
        return
    assert take_up(second, written, body, now_ns)
    assert (second.bars, second.first_bar) == (first.bars, first.first_bar)
    fed(second, over[cut:])
    assert repr(shown(second)) == repr(shown(whole))
    assert (second.decides_ns, second.feed.ready) == (whole.decides_ns, True)


def test_a_bar_that_was_seen_before_the_end_is_not_counted_twice(written: Bot) -> None:
    over = bars()
    whole = fed(make_bot(written), over)
    second = make_bot(written)
    assert take_up(second, written, kept(fed(make_bot(written), over[:600]), written), 0)
    fed(second, over[500:])
    assert repr(shown(second)) == repr(shown(whole))


def test_it_begins_anew_with_another_configuration(written: Bot) -> None:
    body = kept(fed(make_bot(written), bars()), written)
    for change in ({"params": {"period": 21}}, {"symbols": BOTH[::-1]}, {"timeframe": "5m"}):
        other = msgspec.structs.replace(written, **change)
        bot = make_bot(other)
        assert not take_up(bot, other, body, 0)
        assert bot.first_bar is None


def test_it_begins_anew_after_so_long_that_nobody_asks_for_all_the_bars(written: Bot) -> None:
    body = kept(fed(make_bot(written), over := bars()), written)
    furthest_ns = over[-1].close_ns + LONGEST_HISTORY_BARS * 60 * NS_PER_S
    assert not take_up(make_bot(written), written, body, furthest_ns + 1)
    assert take_up(make_bot(written), written, body, furthest_ns)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda text: text.replace("Ema(", "Sma("),
        lambda text: text.replace('"indicators":[', '"indicators":[{},'),
        lambda text: text.replace('"first_bar"', '"fist_bar"'),
        lambda text: "[]",
    ],
    ids=["of another indicator", "one too many", "a field is missing", "no object"],
)
def test_what_cannot_be_read_leaves_a_bot_that_begins_anew(written: Bot, break_it: object) -> None:
    body = bytes(kept(fed(make_bot(written), bars()), written)).decode()
    broken = break_it(body)  # type: ignore[operator]
    assert broken != body
    bot = make_bot(written)
    assert not take_up(bot, written, msgspec.Raw(broken.encode()), 0)
    assert bot.first_bar is None
    assert not bot.feed.ready


def test_an_indicator_without_a_state_of_its_own_is_fed_from_the_anchor(written: Bot) -> None:
    plain = msgspec.structs.replace(
        written, strategy=written.strategy.replace(":Mine", ":Plain"), symbols=BOTH[:1]
    )
    bot = fed(make_bot(plain), [bar for bar in bars() if bar.symbol == BOTH[0]])
    assert all_derived([(bot, plain)]) == {}


def test_a_snapshot_of_a_version_that_kept_none_is_read() -> None:
    state = AccountState(account="main", halted="a reason", holdings={"USDT": Decimal(5)})
    assert derived_in(to_bytes(state)) == {}
    assert from_bytes(to_bytes(state)) == state
