"""An indicator fed bar by bar, over columns and continued from a snapshot: always the same bits."""

from __future__ import annotations

import math
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.market import BarColumns
from holdfast.strategy.indicators import Shipped
from tests.unit.strategy.indicators.bars import bits, fed, float_bars, shipped, walk

KINDS = range(len(shipped()))
every_kind = pytest.mark.parametrize("kind", KINDS, ids=[repr(one) for one in shipped()])

# Of each kind: there are many kinds, and walks of many bars beside.
few = settings(max_examples=25)

prices = st.one_of(
    st.sampled_from([1.0, 0.1, 99.99, 100.0, 100.01]),
    st.floats(1e-9, 1e9, allow_subnormal=False),
)
volumes = st.one_of(st.just(0.0), st.floats(1e-8, 1e12))


@st.composite
def columns(draw: st.DrawFn, most: int = 60) -> BarColumns:
    """Bars of any course: still, jumping, without volume, fewer than a warm-up."""
    rows = draw(st.lists(st.tuples(prices, prices, prices, volumes), max_size=most))
    bars = [(*sorted(row[:3]), row[3]) for row in rows]
    low, close, high, volume = ([bar[at] for bar in bars] for at in range(4))
    return BarColumns("BTC/USDT", 60, range(len(bars)), close, high, low, close, volume)


def one_of(kind: int) -> Shipped:
    return shipped()[kind]


def through(format_: str, state: object) -> dict[str, object]:
    """A snapshot as it comes back from where it was kept."""
    codec = msgspec.json if format_ == "json" else msgspec.msgpack
    decoded = codec.decode(codec.encode(state))
    assert isinstance(decoded, dict)
    return decoded


@every_kind
@few
@given(columns())
def test_over_columns_is_bit_for_bit_what_feeding_gives(kind: int, drawn: BarColumns) -> None:
    outputs = one_of(kind).over(drawn)
    assert [len(one) for one in outputs] == [len(drawn)] * len(one_of(kind).outputs)
    if len(drawn):
        assert bits(outputs) == bits(fed(one_of(kind), float_bars(drawn)))


@every_kind
def test_also_over_many_bars(kind: int) -> None:
    """Several rounds of every block and sum."""
    drawn = walk(1_500, 3, still=0.5)
    assert bits(one_of(kind).over(drawn)) == bits(fed(one_of(kind), float_bars(drawn)))


@every_kind
@few
@given(columns(), st.data())
def test_over_a_part_is_the_part_of_over_all(
    kind: int, drawn: BarColumns, data: st.DataObject
) -> None:
    """Truncating the future changes nothing."""
    end = data.draw(st.integers(0, len(drawn)))
    names = drawn.__struct_fields__[2:]
    part = BarColumns("BTC/USDT", 60, *(getattr(drawn, name)[:end] for name in names))
    whole = one_of(kind).over(drawn)
    assert bits(one_of(kind).over(part)) == bits(output[:end] for output in whole)


@every_kind
@few
@given(columns(), st.data(), st.sampled_from(["json", "msgpack"]))
def test_a_snapshot_continues_bit_for_bit(
    kind: int, drawn: BarColumns, data: st.DataObject, format_: str
) -> None:
    at = data.draw(st.integers(0, len(drawn)))
    bars = list(float_bars(drawn))
    first, second = one_of(kind), one_of(kind)
    fed(first, bars[:at])
    state = first.state()
    kept = through(format_, state)
    after = fed(first, bars[at:])
    assert through(format_, state) == kept, "a snapshot changed after it was taken"
    second.restore(kept)
    assert bits(fed(second, bars[at:])) == bits(after)
    assert (second.ready, second.state()) == (first.ready, first.state())


@every_kind
def test_a_snapshot_continues_after_many_bars(kind: int) -> None:
    bars = list(float_bars(walk(1_200, 4, still=0.5)))
    going, stopping = one_of(kind), one_of(kind)
    whole = fed(going, bars)
    parts = []
    rest = iter(bars)
    while part := list(islice(rest, 47)):
        again = one_of(kind)
        again.restore(through("json", stopping.state()))
        parts.append(fed(again, part))
        stopping = again
    joined = [[v for part in parts for v in part[at]] for at in range(len(whole))]
    assert bits(joined) == bits(whole)


@every_kind
@few
@given(columns())
def test_the_first_result_is_there_on_the_bar_of_the_warm_up(kind: int, drawn: BarColumns) -> None:
    indicator = one_of(kind)
    for number, bar in enumerate(float_bars(drawn), 1):
        indicator.update(bar)
        assert indicator.ready == (number >= indicator.warmup)
        outputs = [getattr(indicator, name) for name in indicator.outputs]
        assert [math.isnan(one) for one in outputs] == [not indicator.ready] * len(outputs)
        assert indicator.value.hex() == outputs[0].hex()
