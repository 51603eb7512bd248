"""Of remembered fills none is missing since the moment that they name, however they came in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.app.view import fills
from holdfast.app.view.fills import Fills
from holdfast.domain.fact import Filled
from holdfast.domain.order import Side
from tests.support import report_stream
from tests.support.report_stream import BEGIN, DAY, order

MOST = 4


def filled(number: int, at: int) -> Filled:
    one = order(number, "one", Side.BUY, "1")
    return report_stream.fill(number, 1, one, "1", BEGIN + at * DAY / 24)


def row(seq: int, fact: Filled) -> dict[str, object]:
    fill = fact.fill
    return {
        "account": "main", "at": fill.at_ns, "seq": seq, "bot": fact.bot, "symbol": fill.symbol,
        "side": fill.side, "quantity": fill.quantity, "price": fill.price, "fee": fill.fee,
        "fee_asset": fill.fee_asset, "is_maker": fill.is_maker, "trade_id": fill.trade_id,
        "order_id": fill.venue_order_id, "cid": fill.cid, "held": Decimal(1),
    }  # fmt: skip


@given(
    hours=st.lists(st.integers(0, 30), max_size=30),
    begin=st.integers(0, 30),
    reported=st.integers(0, 30),
    learnt_after=st.integers(0, 30),
)
def test_none_is_missing_since_then(
    hours: list[int], begin: int, reported: int, learnt_after: int
) -> None:
    """Fill number n is record n; each has a moment of its own, the exchange tells them in any."""
    every = {n: filled(n, hour) for n, hour in enumerate(hours, 1)}
    begin, reported = min(begin, len(every)), min(reported, len(every))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fills, "REMEMBERED", MOST)
        made = Fills("main", begin)

        def learn(reached: int) -> None:
            if made.lacks_past(reached):
                there = [(n, fact) for n, fact in every.items() if n <= reached]
                there.sort(key=lambda one: (one[1].fill.at_ns, one[0]), reverse=True)
                made.learn([row(n, fact) for n, fact in there[:MOST]])

        for heard, n in enumerate(range(begin + 1, len(every) + 1)):
            if heard == learnt_after:
                learn(reported)
            made.hear(n, every[n], Decimal(1))
        if learnt_after >= len(every) - begin:
            learn(reported)
        shown = list(made.newest_first())
    assert [one.where for one in shown] == sorted({one.where for one in shown}, reverse=True)
    truth = {n for n, fact in every.items() if fact.fill.at_ns >= made.since_ns}
    assert truth <= {one.item.seq for one in shown}
    assert all(one.item.at == BEGIN + hours[one.item.seq - 1] * DAY / 24 for one in shown)
    if not begin and len(every) <= MOST:
        assert made.since_ns == 0
