"""Backtests with a latency and with recorded books, against calculations that share no code."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.markets.data import BarTable, load
from holdfast.app.research.backtest import Backtest
from holdfast.app.research.front import backtest
from holdfast.app.research.simulated import Run
from holdfast.domain.fill import Fill
from holdfast.domain.market import BarColumns, Level
from holdfast.domain.money import plain
from holdfast.errors import ConfigError
from holdfast.lab.depth import Depth
from holdfast.lab.result import Result
from holdfast.lab.settlement import Terms
from holdfast.market.book_replay import BookReplay
from holdfast.market.orderbook import Diff, Snapshot
from holdfast.strategy import FLAT, KEEP, Percent, Quotes, Strategy, Target, View, Wish
from holdfast.strategy import Level as QuoteLevel
from holdfast.strategy.shipped.sma_cross import SmaCross
from tests.support.backtests import BTC, Attentive, Moody
from tests.support.books import MS, BookByHand, halved
from tests.support.recordings import recording

D = Decimal
S = 1_000_000_000
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
RAW = "ticks/binance-raw-ws/spot_btcusdt_20240808.gz"


class Wishes(Strategy):
    """The n-th wish at the n-th bar, then none any more."""

    wishes: Sequence[Any] = ()

    def decide(self, now: View) -> Wish:
        at = now.time_ns // S - 1
        wish: Wish = self.wishes[at] if at < len(self.wishes) else KEEP
        return wish


def bars(*rows: tuple[float, float, float, float]) -> BarColumns:
    """Bars of one second from 1970 on: open, high, low, close."""
    opens, highs, lows, closes = (list(map(float, column)) for column in zip(*rows, strict=True))
    times = [n * S for n in range(len(rows))]
    return BarColumns("BTC/USDT", 1, times, opens, highs, lows, closes, [1.0] * len(rows))


def run(strategy: Strategy, over: BarColumns, **options: Any) -> Run:
    chosen = {"cash": D(1_000_000), "terms": Terms(fee_rate=D(0)), **options}
    return Backtest(strategy, [over], instruments=[BTC], **chosen).run()


def held(found: Run) -> Decimal:
    return found.held["BTC/USDT"]


def in_books(replay: BookReplay, *, fallback: bool = False) -> dict[str, Depth[BookReplay]]:
    return {"BTC/USDT": Depth(replay, fallback=fallback)}


def late(ms: int) -> Terms:
    return Terms(fee_rate=D(0), latency_ns=ms * MS)


def told(found: Sequence[Fill]) -> list[tuple[str, str, str, int]]:
    return [(f.side.value, plain(f.quantity), plain(f.price), f.at_ns // MS) for f in found]


# -- latency over bars -----------------------------------------------------------------------------

CALM = [(100.0, 101.0, 99.0, 100.5)] * 2
BUY = Target(quantity=D(1))


@pytest.mark.parametrize(
    ("ms", "filled"),
    [(0, ("100", 1000)), (1, ("100.5", 2000)), (1000, ("102", 2000)), (1001, ("103", 3000))],
)
def test_a_market_order_fills_at_the_first_price_known_when_it_arrives(
    ms: int, filled: tuple[str, int]
) -> None:
    over = bars(*CALM, (102, 103, 101, 103), (103, 103, 103, 103))
    found = run(Wishes(wishes=[BUY]), over, terms=late(ms))
    assert told(found.fills) == [("BUY", "1", *filled)]


def test_a_cancel_takes_as_long_as_an_order_and_the_order_can_fill_meanwhile() -> None:
    bid = Quotes(bids=[QuoteLevel(D(99), D(1))])
    drop = [(100.0, 100.0, 98.0, 100.0)]
    wishes = [bid, KEEP, FLAT]  # there from the end of the second bar; taken back in the third
    calm, over = bars(*CALM, *CALM, *CALM), bars(*CALM, *CALM[:1], *drop, *CALM)
    assert run(Wishes(wishes=wishes), calm, terms=late(100)).fills == []
    assert told(run(Wishes(wishes=wishes), over, terms=late(100)).fills)[0] == (
        "BUY", "1", "99", 3000,
    )  # fmt: skip
    assert run(Wishes(wishes=wishes), over, terms=late(0)).fills == []


def test_a_stop_follows_its_entry_and_hurts_in_the_bar_it_arrives_in() -> None:
    over = bars((100, 100, 100, 100), (100, 101, 99, 100), (100, 100, 97, 99), (99, 99, 99, 99))
    found = run(Wishes(wishes=[Target(quantity=D(1), stop=Percent(2))]), over, terms=late(100))
    assert told(found.fills) == [("BUY", "1", "100", 2000), ("SELL", "1", "98", 2100)]


def walk_of(count: int, seed: int) -> BarColumns:
    rng, price, rows = random.Random(seed), 3_000.0, []
    for _ in range(count):
        opened, price = price, round(price * (1 + rng.gauss(0, 0.002)), 2)
        rows.append((opened, max(opened, price) + 1, min(opened, price) - 1, price))
    return bars(*rows)


def ladder(over: BarColumns, seed: int) -> BookReplay:
    """A book around every open, changed ten times a bar; thin, and the first seconds unknown."""
    rng, number = random.Random(seed), 1
    events: list[Snapshot | Diff] = []
    for at, price in enumerate(over.open):
        for tenth in range(10):
            number += 1
            middle = D(str(round(price + (over.close[at] - price) * tenth / 10, 2)))
            sides: list[tuple[Level, ...]] = []
            for sign in (-1, 1):
                steps = [D(n) / 4 for n in range(1, 6)]
                sides.append(
                    tuple((middle + sign * step, D(rng.randrange(1, 60)) / 100) for step in steps)
                )
            at_ns = over.open_ns[at] + tenth * 100 * MS
            events += [Snapshot(number - 1, *sides), Diff(at_ns, number, number, (), ())]
    return BookReplay("BTC/USDT", events[40:], sha256="ab" * 32)


@pytest.mark.parametrize("books", [False, True])
@pytest.mark.parametrize("ms", [0, 250, 2500])
@pytest.mark.parametrize("seed", range(3))
def test_passing_over_bars_changes_nothing(seed: int, ms: int, books: bool) -> None:
    over = walk_of(300, seed)
    made = []
    for kind in (Backtest, Attentive):
        depth = in_books(ladder(over, seed), fallback=True) if books else None
        made.append(
            kind(Moody(seed=seed), [over], instruments=[BTC], cash=D(100_000), terms=late(ms),
                 depth=depth).run()
        )  # fmt: skip
    quick, slow = made
    assert len(quick.fills) > 10
    # Client order ids count decisions, which the short way makes fewer of.
    assert _without_ids(quick.fills) == _without_ids(slow.fills)
    assert (quick.cash, held(quick)) == (slow.cash, held(slow))
    flow = sum((f.quantity * (1 if f.side == "BUY" else -1) for f in quick.fills), D(0))
    assert held(quick) == flow >= 0
    times = [fill.at_ns for fill in quick.fills]
    assert times == sorted(times)


def _without_ids(fills: Sequence[Fill]) -> list[Fill]:
    return [msgspec.structs.replace(fill, cid="") for fill in fills]


@pytest.mark.parametrize(("seed", "ms"), [(3, 0), (1, 250), (2, 2500)])
def test_two_symbols_in_thin_books_come_to_an_end_and_agree(seed: int, ms: int) -> None:
    btc, eth = walk_of(150, seed), walk_of(150, seed + 100)
    eth = msgspec.structs.replace(eth, symbol="ETH/USDT")
    made = []
    for kind in (Backtest, Attentive):
        depth = {one.symbol: Depth(ladder(one, seed), fallback=True) for one in (btc, eth)}
        made.append(
            kind(Moody(seed=seed), [btc, eth], instruments=[BTC, ETH], cash=D(100_000),
                 terms=late(ms), depth=depth).run()
        )  # fmt: skip
    quick, slow = made
    assert len(quick.fills) > 100
    assert quick.fills == slow.fills
    assert quick.cash == slow.cash >= 0
    for symbol, there in quick.held.items():
        signed = (f.quantity if f.side == "BUY" else -f.quantity
                  for f in quick.fills if f.symbol == symbol)  # fmt: skip
        assert there == sum(signed, D(0)) >= 0


# -- books -----------------------------------------------------------------------------------------


def test_what_a_thin_book_leaves_is_asked_for_again_and_never_taken_twice() -> None:
    over = bars(*CALM * 3)
    thin = Snapshot(1, ((D(99), D(9)),), ((D(101), D("0.4")), (D(102), D("0.3"))))
    changes = [Diff(900 * MS, 2, 2, (), ()), Diff(2_500 * MS, 3, 3, (), ((D(101), D("0.5")),))]
    depth = in_books(BookReplay("BTC/USDT", [thin, *changes]))
    found = run(Wishes(wishes=[BUY]), over, terms=late(100), depth=depth)
    assert told(found.fills) == [
        ("BUY", "0.4", "101", 1100), ("BUY", "0.3", "102", 1100), ("BUY", "0.3", "101", 3100),
    ]  # fmt: skip
    assert held(found) == 1


def test_a_take_profit_and_a_stop_meet_the_book_that_came_to_their_price() -> None:
    def depth(*tops: tuple[int, str]) -> dict[str, Depth[BookReplay]]:
        events: list[Snapshot | Diff] = []
        for number, (at_ms, bid) in enumerate(tops, start=1):
            whole = Snapshot(number, ((D(bid), D(5)),), ((D(bid) + 1, D(5)),))
            events += [whole, Diff(at_ms * MS, number + 1, number + 1, (), ())]
        return in_books(BookReplay("BTC/USDT", events))

    entry = bars((100, 100, 100, 100), (100, 101, 99, 100), (100, 105, 96, 100))
    up = [(900, "99"), (2_300, "103"), (2_600, "104.2")]
    taking = Target(quantity=D(1), take_profit=Percent(4))
    found = run(Wishes(wishes=[taking]), entry, depth=depth(*up))
    assert told(found.fills) == [("BUY", "1", "100", 1000), ("SELL", "1", "104.2", 2600)]
    down = [(900, "99"), (2_300, "98.5"), (2_600, "97.5")]
    stopped = Target(quantity=D(1), stop=Percent(2))
    found = run(Wishes(wishes=[stopped]), entry, depth=depth(*down))
    assert told(found.fills) == [("BUY", "1", "100", 1000), ("SELL", "1", "97.5", 2600)]


@cache
def seconds_of(path: Path) -> BarTable:
    return load(path, symbol="BTC/USDT", timeframe="1s")


def on_recording(path: Path, depth: Path | None, **options: Any) -> Result:
    """Five coins on every crossing of two averages of seconds."""
    strategy = SmaCross(fast=3, slow=8, quantity=D(5))
    return backtest(strategy, seconds_of(path), cash=1_000_000, depth=depth, **options)


@pytest.mark.parametrize("latency_ms", [0, 250, 1700])
def test_every_fill_is_the_one_worked_out_on_the_recorded_messages(latency_ms: int) -> None:
    path = recording(RAW)
    found = on_recording(path, path, latency_ms=latency_ms, fee_bps=10)
    closes, times = found.bars.close, found.bars.open_ns
    book, wanted, arrives_ms, expected = BookByHand(path), D(0), 0, []
    for at in range(7, len(closes) - 1):
        fast = sum(D(str(c)) for c in closes[at - 2 : at + 1]) / 3
        slow = sum(D(str(c)) for c in closes[at - 7 : at + 1]) / 8
        side = D(5) if fast > slow else D(0)
        if side == wanted:
            continue
        wanted, change = side, side - wanted
        # While a buy is on its way there is nothing to sell, and after it is at once.
        arrives_ms = max(times[at] // MS + 1000, arrives_ms) + latency_ms
        book.at(arrives_ms)
        for price, quantity in book.take("asks" if change > 0 else "bids", abs(change)):
            fee = (price * quantity * D("0.001")).quantize(D("0.00000001"), ROUND_DOWN)
            name = "BUY" if change > 0 else "SELL"
            expected.append((name, price, quantity, fee, arrives_ms * MS))
    made = [(f.side.value, f.price, f.quantity, f.fee, f.at_ns) for f in found.executions]
    last_bar_ms = times[-1] // MS + 1000
    assert made == [one for one in expected if one[4] // MS < last_bar_ms]
    assert len(made) > 100
    assert found.stats["depth_share_pct"] == 100


class Pair(Strategy):
    """Now the one, now the other: each is paid for with what the other brought."""

    def decide(self, now: View) -> Wish:
        both = ("BTC/USDT", "ETH/USDT")
        chosen = both[now.time_ns // S // 5 % 2]
        return {one: Target(weight=0.95) if one == chosen else FLAT for one in both}


@pytest.mark.parametrize("latency_ms", [0, 250])
def test_two_symbols_walk_their_own_books_and_share_their_money(latency_ms: int) -> None:
    folder = recording(RAW).parent
    tables = [
        load(folder / f"spot_{asset}usdt_20240808.gz", symbol=symbol, timeframe="1s")
        for asset, symbol in (("btc", "BTC/USDT"), ("eth", "ETH/USDT"))
    ]
    found = backtest(
        Pair(), tables, cash=2_000_000, fee_bps=1, depth=folder, depth_fallback=True,
        latency_ms=latency_ms,
    )  # fmt: skip
    assert found.stats["depth_share_pct"] > 95  # the first seconds have none yet
    held = {"BTC/USDT": D(0), "ETH/USDT": D(0)}
    cash, times = D(2_000_000), []
    for fill in found.executions:
        sign = 1 if fill.side == "BUY" else -1
        held[fill.symbol] += sign * fill.quantity
        cash -= sign * fill.quantity * fill.price + fill.fee
        times.append(fill.at_ns)
        assert cash >= 0 <= held[fill.symbol]
    assert times == sorted(times)
    assert len({fill.symbol for fill in found.executions}) == 2
    closes = {bars.symbol: D(str(bars.close[-1])) for bars in found.markets}
    worth = cash + sum(quantity * closes[symbol] for symbol, quantity in held.items())
    assert found.stats["final_equity"] == worth


def test_what_a_stop_inside_a_bar_frees_is_spent_at_its_end_and_not_before_it() -> None:
    flat = [(100.0, 100.0, 100.0, 100.0)]
    btc = bars(*flat, *flat, (100, 100, 97, 97), *flat, *flat)
    eth = msgspec.structs.replace(bars(*flat * 5), symbol="ETH/USDT")
    whole = Snapshot(1, ((D(99), D(9)),), ((D(100), D(9)),))

    def books(symbol: str) -> Depth[BookReplay]:
        times = enumerate(range(900, 5_000, 100), 2)
        changes = [Diff(at_ms * MS, number, number, (), ()) for number, at_ms in times]
        return Depth(BookReplay(symbol, [whole, *changes]))

    wish = {"BTC/USDT": Target(quantity=D(1), stop=Percent(2)), "ETH/USDT": BUY}
    found = Backtest(
        Wishes(wishes=[wish]), [btc, eth], instruments=[BTC, ETH], cash=D(150), terms=late(100),
        depth={symbol: books(symbol) for symbol in wish},
    ).run()  # fmt: skip
    made = [(fill.symbol, *one) for fill, one in zip(found.fills, told(found.fills), strict=True)]
    assert made == [
        ("BTC/USDT", "BUY", "1", "100", 1100),
        ("BTC/USDT", "SELL", "1", "98", 2000),  # no book saw it: the bar says that it was there
        ("ETH/USDT", "BUY", "1", "100", 2999),
    ]


def test_later_messages_change_nothing_earlier(tmp_path: Path) -> None:
    path = recording(RAW)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    cut = len(lines) // 2
    while b"depthUpdate" not in lines[cut]:
        cut += 1
    told_ms = int(lines[cut].split(b'"E":')[1][:13])
    changed = tmp_path / "changed.gz"
    changed.write_bytes(gzip.compress(b"".join([*lines[:cut], *map(halved, lines[cut:])]), 1))
    whole, other = (on_recording(path, depth, latency_ms=250) for depth in (path, changed))
    earlier = [f for f in whole.executions if f.at_ns < told_ms * MS]
    assert len(earlier) > 20
    assert other.executions[: len(earlier)] == earlier
    assert other.executions != whole.executions


# -- the front door --------------------------------------------------------------------------------


def test_bars_beyond_the_recording_are_an_error_unless_bars_will_do(tmp_path: Path) -> None:
    path = recording(RAW)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    first = tmp_path / "first.gz"
    first.write_bytes(gzip.compress(b"".join(lines[: len(lines) // 3]), 1))
    with pytest.raises(ConfigError, match=r"BTC/USDT that arrives at 2024-08-08T23:5.*fallback"):
        on_recording(path, first)
    found = on_recording(path, first, depth_fallback=True, slippage_bps=3)
    share = found.stats["depth_share_pct"]
    assert 10 < share < 90
    assert found.stats["depth_orders"] == round(found.orders * share / 100)
    assert "no book is known they fill whole at the next bar's open, 3 basis" in found.assumptions[
        "market orders"
    ]  # fmt: skip


def test_conservative_is_one_set_of_numbers_that_is_told() -> None:
    path = recording(RAW)
    strict = on_recording(path, path, conservative=True, fee_bps=7.5, fee_asset="base")
    assert strict.terms == {
        "fee_bps": "7.5", "fee_asset": "base", "slippage_bps": "5", "margin_bps": "2",
        "latency_ms": "250", "order_lists": "yes",
    }  # fmt: skip
    assert "250 ms after the decision" in strict.assumptions["market orders"]
    assert strict.provenance.depth_sha256 is not None
    assert strict.provenance.depth_sha256 in strict.assumptions["order books"]
    by_bars = on_recording(path, None, conservative=True)
    assert by_bars.terms["latency_ms"] == "0"
    assert "depth_orders" not in by_bars.stats
    own = on_recording(path, path, conservative=True, latency_ms=400, slippage_bps=9)
    assert (own.terms["latency_ms"], own.terms["slippage_bps"]) == ("400", "9")


@pytest.mark.parametrize("latency_ms", [-1, "soon", 86_400_001])
def test_a_latency_that_cannot_be_meant_is_refused(latency_ms: Any) -> None:
    with pytest.raises(ConfigError, match="latency_ms"):
        on_recording(recording(RAW), None, latency_ms=latency_ms)
