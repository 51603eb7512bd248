"""Stop and take-profit as one list in a backtest, as an exchange has it: worked out bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.app.research.backtest import Backtest
from holdfast.domain.market import BarColumns
from holdfast.domain.order import OrderState, OrderType, Side
from holdfast.lab.depth import Depth
from holdfast.lab.settlement import Terms
from holdfast.ledger.state import LiveOrder
from holdfast.market.book_replay import BookReplay
from holdfast.market.orderbook import Diff, Snapshot
from holdfast.strategy import FLAT, KEEP, Percent, Strategy, Target, View, Wish
from tests.support.backtests import MINUTE_NS, Attentive, Moody, trades, walk
from tests.support.engine_world import BTC

D = Decimal
MS = 1_000_000
FREE = Terms(fee_rate=D(0))
SAFE = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(4))
CALM = (100.0, 100.5, 99.5, 100.0)
UNLISTED = msgspec.structs.replace(BTC, takes_lists=False)
Row = tuple[float, float, float, float]


class Wishes(Strategy):
    """The n-th wish at the n-th bar, then none any more."""

    wishes: Sequence[Any] = ()

    def decide(self, now: View) -> Wish:
        at = now.time_ns // MINUTE_NS - 1
        wish: Wish = self.wishes[at] if at < len(self.wishes) else KEEP
        return wish


def candles(*rows: Row) -> BarColumns:
    """Bars of one minute from 1970 on: open, high, low, close."""
    opens, highs, lows, closes = (list(map(float, column)) for column in zip(*rows, strict=True))
    times = [at * MINUTE_NS for at in range(len(rows))]
    return BarColumns("BTC/USDT", 60, times, opens, highs, lows, closes, [1.0] * len(rows))


def over(*rows: Row, wishes: Sequence[Any] = (SAFE,), **options: Any) -> Backtest:
    """A run whose first wish is made at the close of a calm bar before `rows`."""
    chosen = {"instruments": (BTC,), "cash": D(1_000_000), "terms": FREE, **options}
    return Backtest(Wishes(wishes=wishes), (candles(CALM, *rows),), **chosen)


def left(path: Backtest) -> list[tuple[OrderType, Decimal, Decimal | None, OrderState | None]]:
    """Type, quantity, price and state of every order that protected, oldest first."""
    account = path.engine.account
    known = sorted([*account.recent.values(), *account.live.values()], key=_armed_at)
    return [
        (o.armed.spec.type, o.armed.spec.quantity, o.armed.spec.price or o.armed.spec.stop_price,
         o.order_state)
        for o in known if o.protects and o.armed.spec.type is not OrderType.MARKET
    ]  # fmt: skip


def _armed_at(order: LiveOrder) -> tuple[int, int, int, int]:
    armed = order.armed
    return armed.timestamp_ms, armed.seq, armed.n, armed.part


LIMIT, STOP = OrderType.LIMIT_MAKER, OrderType.STOP_LOSS
FILLED, EXPIRED, CANCELLED = OrderState.FILLED, OrderState.EXPIRED, OrderState.CANCELLED
NEW = OrderState.NEW


# -- bars ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "sold", "ambiguous"),
    [
        ([(100, 104, 99, 103), (103, 104, 99, 100)], [], 0),  # touched, not traded through
        ([(100, 104.01, 99, 103)], [(1, "104.00")], 0),
        ([(100, 101, 99, 101), (101, 105, 100, 103)], [(2, "104.00")], 0),
        ([(100, 101, 99, 101), (106, 107, 99, 99)], [(2, "106.0")], 0),  # the better of both
        ([(100, 103, 98, 99)], [(1, "98.00")], 0),
        ([(100, 101, 99, 101), (95, 99, 94, 98)], [(2, "95.0")], 0),
        ([(100, 105, 97, 103)], [(1, "98.00")], 1),
        ([(100, 104, 97, 103)], [(1, "98.00")], 0),  # the limit was only touched
    ],
)
def test_a_list_is_left_by_its_limit_or_its_stop_and_the_stop_comes_first(
    rows: list[Row], sold: list[tuple[int, str]], ambiguous: int
) -> None:
    found = over(*rows, *[CALM] * 3).run()
    assert trades(found) == [(1, "BUY", "100.0"), *((at, "SELL", price) for at, price in sold)]
    assert found.ambiguous_bars == ambiguous
    assert found.orders == 3


DIP = Target(quantity=D(1), limit=D(97), stop=Percent(5), take_profit=Percent(2))


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize(
    ("rows", "sold"),
    [
        ([(96.5, 97, 90, 91)], (2, "92.15")),
        ([(96.5, 97, 96, 97), (97, 99.5, 97, 99)], (3, "98.94")),
    ],
)
def test_a_bid_that_fills_far_below_the_open_is_not_left_at_the_open_s_price(
    rows: list[Row], sold: tuple[int, str], lists: bool
) -> None:
    """The open is higher than its take-profit, and was there before anything was bought."""
    terms = Terms(fee_rate=D(0), order_lists=lists)
    found = over((100, 100.5, 96, 96.5), *rows, wishes=[DIP], terms=terms).run()
    (bought, *left) = trades(found)
    assert (bought[:2], D(bought[2])) == ((1, "BUY"), D(97))
    assert [(at, side, D(price)) for at, side, price in left] == [(sold[0], "SELL", D(sold[1]))]


def test_slippage_is_the_stop_s_alone() -> None:
    slipping = Terms(fee_rate=D(0), slippage=D("0.005"))
    taken = over((100, 106, 99, 105), terms=slipping).run()
    assert trades(taken) == [(1, "BUY", "100.50"), (1, "SELL", "104.52")]  # 4 % above the entry
    stopped = over((100, 101, 98, 99), terms=slipping).run()
    assert trades(stopped) == [(1, "BUY", "100.50"), (1, "SELL", "97.99")]  # 98.49 less a half


def test_the_parts_have_one_quantity_and_the_one_that_is_not_filled_ends_with_the_list() -> None:
    path = over((100, 101, 99, 100), (100, 105, 99, 104), CALM)
    found = path.run()
    assert left(path) == [(LIMIT, D(1), D(104), FILLED), (STOP, D(1), D(98), EXPIRED)]
    assert found.held["BTC/USDT"] == 0
    assert found.cash == 1_000_004
    assert path.engine.account.free("BTC") == path.engine.account.free("USDT") - found.cash == 0
    path = over((100, 101, 97, 98), CALM)
    path.run()
    assert left(path) == [(LIMIT, D(1), D(104), EXPIRED), (STOP, D(1), D(98), FILLED)]


def test_both_fills_pay_the_fee_and_a_fee_in_base_is_not_offered() -> None:
    terms = Terms(fee_rate=D("0.001"), fee_in="base")
    path = over((100, 101, 99, 100), (100, 105, 99, 104), terms=terms)
    found = path.run()
    # 0.999 arrived; the stop and the limit are both of that.
    assert [quantity for _, quantity, *_ in left(path)] == [D("0.999")] * 2
    assert [(f.quantity, f.fee, f.fee_asset) for f in found.fills] == [
        (D(1), D("0.001"), "BTC"), (D("0.999"), D("0.103896"), "USDT"),
    ]  # fmt: skip


def test_what_is_bought_in_parts_has_a_list_of_the_whole_at_the_first_entry_s_exits() -> None:
    wishes = [SAFE, KEEP, msgspec.structs.replace(SAFE, quantity=D(3))]
    path = over(CALM, CALM, (101, 101.5, 100.5, 101), (101, 105, 101, 104), wishes=wishes)
    found = path.run()
    assert trades(found) == [(1, "BUY", "100.0"), (3, "BUY", "101.0"), (4, "SELL", "104.00")]
    assert [fill.quantity for fill in found.fills] == [1, 2, 3]
    assert left(path) == [
        (LIMIT, D(1), D(104), CANCELLED), (STOP, D(1), D(98), CANCELLED),
        (LIMIT, D(3), D(104), FILLED), (STOP, D(3), D(98), EXPIRED),
    ]  # fmt: skip


def test_a_trailing_stop_moves_the_whole_list() -> None:
    wish = Target(quantity=D(1), stop=Percent(10), take_profit=Percent(50), trail=True)
    closes = [100, 110, 120, 121]
    rows = [(c, c + 0.5, c - 0.5, c) for c in closes]
    path = over(*rows, (121, 151, 120, 150), CALM, wishes=[wish])
    assert trades(path.run()) == [(1, "BUY", "100.0"), (5, "SELL", "150.00")]
    assert left(path) == [
        (LIMIT, D(1), D(150), CANCELLED), (STOP, D(1), D(90), CANCELLED),
        (LIMIT, D(1), D(150), CANCELLED), (STOP, D(1), D(99), CANCELLED),
        (LIMIT, D(1), D(150), FILLED), (STOP, D(1), D(108), EXPIRED),
    ]  # fmt: skip
    down = over(*rows, (121, 122, 107, 110), CALM, wishes=[wish])
    assert trades(down.run())[-1] == (5, "SELL", "108.00")


def test_a_wish_to_leave_takes_the_list_back_before_it_sells() -> None:
    path = over(CALM, (101, 101.5, 100.5, 101), wishes=[SAFE, FLAT])
    found = path.run()
    assert trades(found) == [(1, "BUY", "100.0"), (2, "SELL", "101.0")]
    assert [state for *_, state in left(path)] == [CANCELLED, CANCELLED]
    assert found.rejected == found.refused == 0


def test_a_position_too_large_for_one_order_has_several_lists() -> None:
    small = msgspec.structs.replace(BTC, market_max_quantity=D("0.4"))
    path = over((100, 101, 99, 100), (100, 105, 99, 104), CALM, instruments=(small,))
    found = path.run()
    sold = [(fill.quantity, fill.price) for fill in found.fills if fill.side is Side.SELL]
    assert sold == [(D("0.4"), D(104)), (D("0.4"), D(104)), (D("0.2"), D(104))]
    assert [state for *_, state in left(path)[-6:]] == [FILLED, EXPIRED] * 3


@pytest.mark.parametrize(
    "options",
    [
        {"instruments": (UNLISTED,)},
        {"terms": Terms(fee_rate=D(0), order_lists=False)},
    ],
)
def test_without_lists_the_stop_rests_alone_and_the_take_profit_is_watched(
    options: dict[str, Any],
) -> None:
    path = over((100, 101, 99, 100), (100, 104, 99, 104), CALM, **options)
    assert trades(path.run()) == [(1, "BUY", "100.0"), (2, "SELL", "104.00")]  # at the touch
    assert left(path) == [(STOP, D(1), D(98), CANCELLED)]


def test_a_take_profit_nearer_than_a_tenth_of_a_per_cent_is_watched() -> None:
    near = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(0.09))
    path = over((100, 100.05, 99, 100), (100, 100.09, 99, 100), CALM, wishes=[near])
    assert trades(path.run()) == [(1, "BUY", "100.0"), (2, "SELL", "100.09")]
    assert [kind for kind, *_ in left(path)] == [STOP]


def test_a_margin_is_asked_of_the_take_profit_as_of_any_limit() -> None:
    careful = Terms(fee_rate=D(0), margin=D("0.001"))
    rows = ((100, 104.1, 99, 103), (103, 104.11, 99, 103))
    assert trades(over(*rows, terms=careful).run()) == [(1, "BUY", "100.0"), (2, "SELL", "104.00")]


@pytest.mark.parametrize("seed", range(12))
def test_passing_over_bars_changes_nothing_with_lists(seed: int) -> None:
    bars = walk(400, seed=seed)
    options: dict[str, Any] = {"instruments": (BTC,), "cash": D(100_000), "terms": Terms()}
    quick = Backtest(Moody(seed=seed), (bars,), **options).run()
    slow = Attentive(Moody(seed=seed), (bars,), **options).run()
    assert trades(quick) == trades(slow)
    assert (quick.cash, quick.held) == (slow.cash, slow.held)
    assert quick.ambiguous_bars == slow.ambiguous_bars


# -- latency and books -----------------------------------------------------------------------------


def late(ms: int) -> Terms:
    return Terms(fee_rate=D(0), latency_ns=ms * MS)


def test_a_list_that_arrives_inside_a_bar_has_its_stop_there_and_its_limit_from_the_close_on() -> (
    None
):
    """The entry arrives inside the first bar and fills at its close; its list inside the second."""
    entry = (100, 100.5, 99.5, 100)
    both = over(entry, (100, 105, 99, 101), (101, 104.5, 100, 103), CALM, terms=late(100))
    assert trades(both.run()) == [(1, "BUY", "100.0"), (3, "SELL", "104.00")]
    beyond = over(entry, (100, 105, 99, 104.5), (106, 107, 105, 106), terms=late(100))
    assert trades(beyond.run()) == [(1, "BUY", "100.0"), (2, "SELL", "104.00")]
    under = over(entry, (100, 105, 97, 104.5), CALM, CALM, terms=late(100))
    assert trades(under.run()) == [(1, "BUY", "100.0"), (2, "SELL", "98.00")]


def test_a_list_that_comes_too_late_is_refused_and_the_stop_rests_alone() -> None:
    """The next bar opens beyond the limit: the exchange takes no such list."""
    entry = (100, 100.5, 99.5, 100)
    path = over(entry, (105, 105.5, 104.5, 105), (105, 106, 104.5, 105), CALM, terms=late(100))
    found = path.run()
    assert found.rejected == 2
    assert [side for _, side, _ in trades(found)] == ["BUY", "SELL"]
    assert D(104) < found.fills[-1].price <= D(106)
    assert found.held["BTC/USDT"] == 0


def test_a_stop_of_a_list_walks_the_book_and_what_that_leaves_is_sold_after_it() -> None:
    """The limit has ended with the stop's first execution: the rest is sold at market."""
    events: list[Snapshot | Diff] = []
    books = [(59_000, "99", "5"), (121_000, "97.5", "0.4"), (170_000, "97", "5")]
    for number, (at_ms, bid, size) in enumerate(books, start=1):
        whole = Snapshot(number, ((D(bid), D(size)),), ((D(bid) + 1, D(5)),))
        events += [whole, Diff(at_ms * MS, number + 1, number + 1, (), ())]
    depth = {"BTC/USDT": Depth(BookReplay("BTC/USDT", events), fallback=True)}
    path = over(CALM, (100, 105, 97, 100), CALM, depth=depth)
    found = path.run()
    sold = [(f.quantity, f.price) for f in found.fills if f.side is Side.SELL]
    assert sum(quantity for quantity, _ in sold) == 1
    assert sold[0] == (D("0.4"), D("97.5"))
    assert found.ambiguous_bars == 1
    assert left(path) == [(LIMIT, D(1), D(104), EXPIRED), (STOP, D(1), D(98), EXPIRED)]


# -- an entry inside a bar -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bar", "made", "ambiguous"),
    [
        ((100, 100, 93.2, 95), ["95.00"], 0),
        ((100, 100, 93, 95), ["95.00", "93.10"], 0),
        ((100, 106, 93, 95), ["95.00", "93.10"], 1),  # nobody knows whether it rose before or after
        ((100, 106, 94, 95), ["95.00"], 0),
    ],
)
@pytest.mark.parametrize("lists", [True, False])
def test_a_bar_that_falls_through_a_bid_and_its_stop_has_left_by_its_end(
    bar: Row, made: list[str], ambiguous: int, lists: bool
) -> None:
    """The bid comes first on the way down, so the stop was there when the price reached it."""
    bid = Target(quantity=D(1), limit=D(95), stop=Percent(2), take_profit=Percent(10))
    terms = Terms(fee_rate=D(0), order_lists=lists)
    found = over(bar, (95, 95.5, 94.5, 95), wishes=[bid], terms=terms).run()
    assert [str(fill.price) for fill in found.fills] == made
    assert found.ambiguous_bars == (ambiguous if lists else 0)
