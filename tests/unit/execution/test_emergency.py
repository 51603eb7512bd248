"""An emergency: what it sells and whom it sees, its file, and what the journal makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import EmergencyMerged, Filled, Halted, Liquidated
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import IdKind, OrderState, Side, client_order_id
from holdfast.errors import CorruptionError, RejectedError
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.emergency import Emergency, EmergencyFile, Line
from holdfast.venues.port import (
    Answer,
    Balance,
    Cancellation,
    OrderReport,
    Placement,
    Purpose,
    ThrottledError,
    TimeSample,
    Verdict,
)
from tests.support.exchange import on_loop, on_virtual_loop
from tests.support.execution_world import ONE, TAG, fill, report, world
from tests.support.scripted_venue import START_MS, ScriptedVenue

SOLD = client_order_id(
    tag=TAG, account="main", generation=0, intent_id="x", n=1, kind=IdKind.EMERGENCY
)


def test_what_was_cut_off_in_the_midst_of_a_line_was_never_sent_and_is_cut_away(
    tmp_path: Path,
) -> None:
    file = EmergencyFile(tmp_path / "deep" / "main.emergency")
    assert file.lines() == []
    file.append(Line(what="sell", cid="a", by="ana"))
    with file.path.open("ab") as torn:
        torn.write(b'{"what":"sell","cid":"b"')
    assert [line.cid for line in file.lines()] == ["a"]
    file.append(Line(what="told", cid="a"))
    assert [line.what for line in file.lines()] == ["sell", "told"]


def test_a_damaged_line_is_told_and_not_passed_over(tmp_path: Path) -> None:
    file = EmergencyFile(tmp_path / "main.emergency")
    file.append(Line(what="sell", cid="a"))
    file.path.write_bytes(b"?" + file.path.read_bytes())
    file.path.write_bytes(file.path.read_bytes() + b'{"what":"told"}\n')
    with pytest.raises(CorruptionError, match="cannot be read"):
        file.lines()


def test_it_is_merged_once_with_a_halt_and_a_later_emergency_again(tmp_path: Path) -> None:
    file = EmergencyFile(tmp_path / "main.emergency")
    assert file.merge_facts() == ()
    file.append(Line(what="cancel", cid="c", target="t", by="ana"))
    file.append(Line(what="sell", cid="a", by="ana"))
    file.append(Line(what="told", cid="a"))
    merged, halted = file.merge_facts()
    assert merged == EmergencyMerged(by="ana", cids=("c", "a"))
    assert isinstance(halted, Halted)
    assert "by ana" in halted.reason
    file.append(Line(what="merged"))
    assert file.merge_facts() == ()
    file.append(Line(what="sell", cid="b", by="bob"))
    assert file.merge_facts()[0] == EmergencyMerged(by="bob", cids=("b",))


@pytest.mark.parametrize("policy", list(ReconcilePolicy))
@on_loop
async def test_a_sale_of_an_emergency_is_booked_off_its_bot_and_halts_whatever_the_policy(
    policy: ReconcilePolicy,
) -> None:
    """Also without the file: the exchange's word is the evidence."""
    at = await world(policy)
    bought = await at.arm(1)
    await at.books.report(report(bought, fills=(fill(5, cid=bought.cid),)), "reply")
    sale = msgspec.structs.replace(fill(6, "8", side=Side.SELL), price=Decimal(97))
    at.venue.trades = [fill(5), sale]
    told = report(at.attempt(2, side=Side.SELL), OrderState.FILLED, order_id="8")
    at.venue.owners["BTC/USDT", "8"] = msgspec.structs.replace(told, cid=SOLD)
    at.venue.holds(USDT="997")
    await at.reborn().reconciler.at_start()
    position = at.account.bots["bot"].positions["BTC/USDT"]
    assert position.quantity == 0
    assert position.pnl(Decimal(1)) == -3, "bought at 100, sold at 97"
    assert at.account.holdings == {"BTC": Decimal(0), "USDT": Decimal(997)}
    assert [f.bot for f in at.of_kind(Filled)] == ["bot", ""]
    assert [f.bot for f in at.of_kind(Liquidated)] == ["bot"]
    assert at.account.halted.startswith(f"emergency sale {SOLD}")
    await at.reborn().reconciler.at_start()
    assert len(at.of_kind(Liquidated)) == 1, "once, however often it is seen"


def instrument(symbol: str) -> Instrument:
    base, quote = symbol.split("/")
    step = Decimal("0.001")
    return Instrument(
        symbol=symbol, venue_symbol=base + quote, base=base, quote=quote,
        price_tick=Decimal("0.00001"), quantity_step=step, min_quantity=step,
        max_quantity=Decimal(900_000), min_notional=Decimal("0.0001"),
    )  # fmt: skip


def rates(base: str, quote: str) -> Decimal:
    """What one of `base` costs."""
    in_usdt = {"BTC": Decimal(50_000), "ETH": Decimal(2_500), "USDT": ONE, "EUR": Decimal(2)}
    return in_usdt[base] / in_usdt[quote]


class Market(ScriptedVenue):
    """Executes sales at once at their price, and none of more than there is.

    Attributes:
        shown: what balances show, and since when.
        late_s: for how long they show what was before a sale, or a cancel.
        wait_s: how long it wants nothing, asked once.
        asked: what it was asked and sent, in order.
    """

    def __init__(self, **held: str) -> None:
        super().__init__()
        self.has = {asset: Decimal(amount) for asset, amount in held.items()}
        self.sold: list[tuple[str, Decimal]] = []
        self.asked: list[str] = []
        self.late_s = self.wait_s = 0.0
        self.shown: list[tuple[float, dict[str, Decimal]]] = [(0.0, dict(self.has))]

    async def time(self) -> TimeSample:
        return TimeSample(START_MS, 0, 0)

    def delay_s(self, _purpose: Purpose, count: int = 1) -> float:
        wait_s, self.wait_s = self.wait_s, 0.0
        return wait_s * count

    async def open_orders(self, symbol: str, purpose: Purpose) -> list[OrderReport]:
        self.asked.append("open")
        return await super().open_orders(symbol, purpose)

    async def cancel(self, cancellation: Cancellation) -> Verdict:
        self.asked.append("cancel")
        self.open = [each for each in self.open if each.cid != cancellation.target]
        self.show_later()
        return await super().cancel(cancellation)

    async def all_orders(
        self, symbol: str, purpose: Purpose, *, from_order_id: str = "", since_ms: int = 0
    ) -> list[OrderReport]:
        self.asked.append("orders")
        return await super().all_orders(
            symbol, purpose, from_order_id=from_order_id, since_ms=since_ms
        )

    async def balances(self, _purpose: Purpose) -> dict[str, Balance]:
        now_s = asyncio.get_running_loop().time()
        shown = [held for since_s, held in self.shown if since_s <= now_s][-1]
        return {asset: Balance(asset, free, Decimal(0)) for asset, free in shown.items()}

    async def place(self, placement: Placement, on_first_byte: Callable[[], None]) -> Verdict:
        on_first_byte()
        self.asked.append("sell")
        spec = placement.spec
        base, quote = spec.symbol.split("/")
        if self.has[base] < spec.quantity:
            return Verdict(answer=Answer.REJECTED, code="-2010")
        assert spec.price is not None
        self.sold.append((spec.symbol, spec.quantity))
        self.has[base] -= spec.quantity
        self.has[quote] = self.has.get(quote, Decimal(0)) + spec.quantity * spec.price
        self.show_later()
        return Verdict(answer=Answer.ACKED, evidence="FILLED")

    def show_later(self) -> None:
        """Have balances show what there is now."""
        shown_s = asyncio.get_running_loop().time() + self.late_s
        self.shown.append((shown_s, dict(self.has)))


async def flatten(
    venue: Market, folder: Path, *symbols: str, told: list[str] | None = None
) -> dict[str, Decimal]:
    async def price(symbol: str) -> Decimal:
        return rates(*symbol.split("/"))

    loop = asyncio.get_running_loop()
    return await Emergency(
        account="main", tag=TAG, by="ana", venue=venue, price=price, cap_pct=Decimal(3),
        clock=ExchangeClock(lambda: int(loop.time() * 1e9)),
        file=EmergencyFile(folder / "main.emergency"),
        tell=(told if told is not None else []).append,
    ).flatten([instrument(symbol) for symbol in symbols])  # fmt: skip


@on_virtual_loop
async def test_beside_a_file_that_cannot_be_read_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "main.emergency").write_text("?\n")
    venue = Market(BTC="1")
    venue.open = [placed(2, TAG + "0" + "5" * 23, state=OrderState.NEW)]
    with pytest.raises(CorruptionError):
        await flatten(venue, tmp_path, "BTC/USDT")
    assert venue.asked == []


@pytest.mark.parametrize("late_s", [0.0, 1.9])
@on_virtual_loop
async def test_what_sales_bring_in_is_sold_as_well(late_s: float, tmp_path: Path) -> None:
    venue = Market(BTC="1", ETH="100")
    venue.late_s = late_s
    left = await flatten(venue, tmp_path, "BTC/USDT", "ETH/BTC")
    assert left == {"BTC/USDT": 0, "ETH/BTC": 0}
    assert venue.sold[0] == ("ETH/BTC", Decimal(100))
    assert venue.has["BTC"] < Decimal("0.001")
    assert venue.has["ETH"] == 0


@on_virtual_loop
async def test_what_a_stop_held_is_sold_although_balances_show_it_late(tmp_path: Path) -> None:
    venue = Market(BTC="1")
    venue.open = [placed(2, TAG + "0" + "5" * 23, state=OrderState.NEW)]
    venue.shown, venue.late_s = [(0.0, {})], 1.9
    assert await flatten(venue, tmp_path, "BTC/USDT") == {"BTC/USDT": 0}
    assert venue.sold == [("BTC/USDT", ONE)]


@on_virtual_loop
async def test_an_asset_is_sold_for_what_stays_before_it_is_for_what_is_sold_again(
    tmp_path: Path,
) -> None:
    venue = Market(BTC="1", ETH="100")
    await flatten(venue, tmp_path, "BTC/USDT", "ETH/BTC", "ETH/USDT")
    assert [symbol for symbol, _ in venue.sold] == ["ETH/USDT", "BTC/USDT"]


@on_virtual_loop
async def test_a_ring_of_symbols_ends_and_what_is_left_of_it_is_told(tmp_path: Path) -> None:
    venue = Market(BTC="1")
    left = await flatten(venue, tmp_path, "BTC/USDT", "USDT/EUR", "EUR/BTC")
    assert len(venue.sold) <= 9
    assert any(left.values()), "the money is still in what was to be sold"


@on_virtual_loop
async def test_what_nobody_buys_is_told_and_offered_a_bounded_number_of_times(
    tmp_path: Path,
) -> None:
    venue = Market(BTC="1")
    offered: list[Placement] = []

    async def expired(placement: Placement, _on_first_byte: Callable[[], None]) -> Verdict:
        offered.append(placement)
        return Verdict(answer=Answer.ACKED, evidence="EXPIRED")

    venue.place = expired  # type: ignore[assignment, method-assign]
    assert await flatten(venue, tmp_path, "BTC/USDT") == {"BTC/USDT": 1}
    assert len(offered) == 5


def placed(number: int, cid: str = "", **more: Any) -> OrderReport:
    """An order that the exchange took at the time that it shows, unless told otherwise."""
    known: dict[str, Any] = {"state": OrderState.FILLED, "placed_ns": START_MS * 1_000_000}
    return OrderReport(
        symbol="BTC/USDT", cid=cid or f"web_{number}", order_id=str(number), side=Side.SELL,
        quantity=ONE, executed=ONE, **known | more,
    )  # fmt: skip


@pytest.mark.parametrize("at", [0, 1, 999, 1500, 2500, 2999])
@on_virtual_loop
async def test_the_emergency_of_another_host_is_seen_wherever_it_is_among_thousands_of_orders(
    at: int, tmp_path: Path
) -> None:
    venue = Market(BTC="1")
    venue.ever = [placed(n, SOLD if n == at else "") for n in range(3000)]
    with pytest.raises(RejectedError, match=SOLD):
        await flatten(venue, tmp_path, "BTC/USDT")
    assert venue.asked.count("orders") <= 5, "and not one question for each"
    assert venue.sold == []


@on_virtual_loop
async def test_where_no_other_host_is_at_it_one_question_tells_so(tmp_path: Path) -> None:
    venue = Market(BTC="1")
    long_ago = {"placed_ns": (START_MS - 3_700_000) * 1_000_000}
    venue.ever = [placed(1, SOLD, **long_ago), *(placed(n) for n in range(2, 900))]
    assert await flatten(venue, tmp_path, "BTC/USDT") == {"BTC/USDT": 0}
    assert venue.asked.count("orders") == 1


@on_virtual_loop
async def test_a_host_that_has_only_taken_orders_back_keeps_no_other_from_selling(
    tmp_path: Path,
) -> None:
    """The exchange may show what it took back under the id of the cancel."""
    venue = Market(BTC="1")
    venue.ever = [placed(1, SOLD, state=OrderState.CANCELLED)]
    assert await flatten(venue, tmp_path, "BTC/USDT") == {"BTC/USDT": 0}


@on_virtual_loop
async def test_orders_are_taken_back_before_others_are_looked_for(tmp_path: Path) -> None:
    venue = Market(BTC="1")
    resting = placed(2, TAG + "0" + "5" * 23, state=OrderState.NEW)
    venue.open = [resting]
    venue.ever = [placed(1, SOLD), resting]
    with pytest.raises(RejectedError, match="taken back"):
        await flatten(venue, tmp_path, "BTC/USDT")
    assert venue.asked[:4] == ["open", "cancel", "open", "orders"]


@on_virtual_loop
async def test_a_short_wait_for_the_limits_is_told_and_a_long_one_is_refused(
    tmp_path: Path,
) -> None:
    venue, told = Market(BTC="1"), list[str]()
    venue.wait_s = 40.0
    assert await flatten(venue, tmp_path, "BTC/USDT", told=told) == {"BTC/USDT": 0}
    assert len(told) == 1
    assert "waits 40 s" in told[0]
    again = Market(BTC="1")
    again.wait_s = 3 * 3600.0
    with pytest.raises(ThrottledError, match="another 3 h 0 min"):
        await flatten(again, tmp_path, "BTC/USDT")
    assert again.asked == []
