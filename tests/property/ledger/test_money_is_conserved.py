"""Positions, holdings, fees and units against a second book-keeping in fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.fact import Adjustment, AnyFact, CashFlow, Filled, Marked, Opened
from holdfast.domain.fill import Fill
from holdfast.domain.order import Side
from holdfast.ledger.fold import apply
from holdfast.ledger.portfolio import Position, Units
from holdfast.ledger.state import AccountState, from_bytes, to_bytes

quantities = st.decimals(min_value=Decimal("0.00001"), max_value=1000, places=5)
prices = st.decimals(min_value=Decimal("0.01"), max_value=100_000, places=2)
fees = st.decimals(min_value=0, max_value=1, places=8)
amounts = st.decimals(min_value=-1000, max_value=1000, places=8)
rates = st.none() | st.decimals(min_value=Decimal("0.01"), max_value=1000, places=2)

fills = st.builds(
    lambda side, quantity, price, fee, asset, rate: (
        Fill(
            symbol="BTC/USDT",
            side=side,
            trade_id="",
            venue_order_id="",
            cid="",
            quantity=quantity,
            price=price,
            fee=fee,
            fee_asset=asset,
            at_ns=0,
        ),
        rate,
    ),
    st.sampled_from(list(Side)),
    quantities,
    prices,
    fees,
    st.sampled_from(["BTC", "USDT", "BNB"]),
    rates,
)
Traded = tuple[Fill, Decimal | None]


@given(st.lists(fills, max_size=20))
def test_a_position_is_the_sum_of_its_fills(traded: list[Traded]) -> None:
    """But for fees in base that a sale left nothing of it to pay with: they cost their price."""
    position = Position()
    quantity = cash = unconverted = in_kind = Fraction(0)
    for fill, rate in traded:
        position.book(fill, "BTC", "USDT", rate)
        sign = 1 if fill.side is Side.BUY else -1
        fee, in_base = Fraction(fill.fee), Fraction(fill.fee if fill.fee_asset == "BTC" else 0)
        quantity += sign * Fraction(fill.quantity) - in_base
        cash -= sign * Fraction(fill.quantity) * Fraction(fill.price)
        if fill.side is Side.SELL:
            in_kind += in_base
            elsewhere = min(in_kind, max(-quantity, Fraction(0)))
            in_kind = in_kind if quantity > 0 else Fraction(0)
            quantity += elsewhere
            cash -= elsewhere * Fraction(fill.price)
        if fill.fee_asset == "USDT":
            cash -= fee
        elif fill.fee_asset == "BNB" and rate is not None:
            cash -= fee * Fraction(rate)
        elif fill.fee_asset == "BNB":
            unconverted += fee
    assert Fraction(position.quantity) == quantity
    assert Fraction(position.cash) == cash
    assert Fraction(position.unconverted.get("BNB", Decimal(0))) == unconverted
    assert Fraction(position.pnl(Decimal("99.5"))) == cash + quantity * Fraction(199, 2)
    for asset in ("BTC", "USDT", "BNB"):
        paid = sum(Fraction(f.fee) for f, _ in traded if f.fee_asset == asset)
        assert Fraction(position.fees.get(asset, Decimal(0))) == paid


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=10), st.data())
def test_the_average_price_is_what_the_open_quantity_cost(
    bought: list[tuple[Decimal, Decimal]], data: st.DataObject
) -> None:
    """A sale takes its share of the cost along, so the average of the rest stays."""
    position = Position()
    for quantity, price in bought:
        position.book(fill_of(Side.BUY, quantity, price), "BTC", "USDT", None)
    cost = sum((Fraction(q) * Fraction(p) for q, p in bought), Fraction(0))
    average = cost / sum((Fraction(q) for q, _ in bought), Fraction(0))
    assert abs(Fraction(position.average_price) - average) < Fraction(1, 10**30)
    part = data.draw(st.decimals(min_value=Decimal("0.00001"), max_value=position.quantity))
    position.book(fill_of(Side.SELL, part, Decimal(1)), "BTC", "USDT", None)
    if position.quantity > 0:
        assert abs(Fraction(position.average_price) - average) < Fraction(1, 10**20)
    else:
        assert position.average_price == 0
        assert position.cost == 0


def fill_of(side: Side, quantity: Decimal, price: Decimal) -> Fill:
    return Fill(
        symbol="BTC/USDT",
        side=side,
        trade_id="",
        venue_order_id="",
        cid="",
        quantity=quantity,
        price=price,
        fee=Decimal(0),
        fee_asset="USDT",
        at_ns=0,
    )


flows = st.builds(
    lambda asset, amount: CashFlow(
        asset=asset, amount=amount, reason="deposit", evidence="", at_ns=0
    ),
    st.sampled_from(["BTC", "USDT", "BNB"]),
    amounts,
)
adjustments = st.builds(
    lambda asset, amount: Adjustment(asset=asset, amount=amount, actor="ana", evidence=""),
    st.sampled_from(["BTC", "USDT", "BNB"]),
    amounts,
)
movements: st.SearchStrategy[AnyFact] = st.one_of(
    fills.map(lambda traded: Filled(fill=traded[0], bot="bot", quote_rate=traded[1])),
    fills.map(lambda traded: Filled(fill=traded[0])),  # of nobody's order: holdings only
    flows,
    adjustments,
)


def folded(facts: list[AnyFact], state: AccountState | None = None) -> AccountState:
    state = state or AccountState()
    for fact in facts:
        numbered = fact
        if isinstance(fact, Filled):  # a trade id of its own, by its place
            fill = msgspec.structs.replace(fact.fill, trade_id=str(state.seq + 1))
            numbered = msgspec.structs.replace(fact, fill=fill)
        apply(state, state.seq + 1, 1, 0, numbered)
    return state


@given(st.lists(movements, max_size=30))
def test_holdings_are_fills_less_fees_plus_flows_and_nothing_else(facts: list[AnyFact]) -> None:
    expected = {"BTC": Fraction(0), "USDT": Fraction(0), "BNB": Fraction(0)}
    for fact in facts:
        if isinstance(fact, Filled):
            sign = 1 if fact.fill.side is Side.BUY else -1
            expected["BTC"] += sign * Fraction(fact.fill.quantity)
            expected["USDT"] -= sign * Fraction(fact.fill.quantity) * Fraction(fact.fill.price)
            expected[fact.fill.fee_asset] -= Fraction(fact.fill.fee)
        elif isinstance(fact, CashFlow | Adjustment):
            expected[fact.asset] += Fraction(fact.amount)
    state = folded(facts)
    assert {a: Fraction(state.holdings.get(a, Decimal(0))) for a in expected} == expected


@given(st.lists(movements, max_size=20), st.integers(0, 20))
def test_a_fold_from_a_snapshot_is_the_fold_from_the_beginning(
    facts: list[AnyFact], cut: int
) -> None:
    opened = Opened(account="main", deployment="d", generation=1, reporting="USDT")
    course = [opened, *facts]
    snapshot = from_bytes(to_bytes(folded(course[:cut])))
    assert snapshot is not None
    assert to_bytes(folded(course[cut:], snapshot)) == to_bytes(folded(course))


@given(st.binary(max_size=50))
def test_bytes_that_are_no_snapshot_are_told_to_be_none(body: bytes) -> None:
    assert from_bytes(body) is None


# -- units: what came and went is no profit and no loss --------------------------------------------

equities = st.decimals(min_value=100, max_value=10_000, places=2)


@given(equities, st.lists(st.tuples(equities, amounts), max_size=10), equities)
def test_flows_touch_neither_return_nor_drawdown(
    first: Decimal, course: list[tuple[Decimal, Decimal]], last: Decimal
) -> None:
    """Against the product of the returns between flows, in fractions."""
    units = Units()
    units.flow(first, None)
    equity, growth = Fraction(first), Fraction(1)
    peak = Fraction(1)
    for marked, wanted in course:
        growth *= Fraction(marked) / equity
        peak = max(peak, growth)
        units.mark(0, marked, {}, new_day=False)
        before = units.drawdown_pct(marked)
        amount = max(wanted, 1 - marked)
        units.flow(amount, marked)
        after = units.drawdown_pct(marked + amount)
        assert abs(before - after) < Decimal("1e-30")
        equity = Fraction(marked) + Fraction(amount)
    growth *= Fraction(last) / equity
    assert abs(Fraction(units.price(last)) - growth) < Fraction(1, 10**30)
    exact = max(Fraction(0), (peak - growth) / peak * 100)
    assert abs(Fraction(units.drawdown_pct(last)) - exact) < Fraction(1, 10**25)


@given(equities, equities, amounts)
def test_the_day_s_loss_is_in_money_and_flows_are_none_of_it(
    morning: Decimal, evening: Decimal, amount: Decimal
) -> None:
    units = Units()
    units.flow(morning, None)
    units.mark(0, morning, {}, new_day=True)
    assert abs(units.day_loss(evening) - (morning - evening)) < Decimal("1e-30")
    amount = max(amount, 1 - evening)
    units.flow(amount, evening)
    assert abs(units.day_loss(evening + amount) - (morning - evening)) < Decimal("1e-25")


@given(equities, equities)
def test_the_day_s_loss_is_kept_while_everything_is_withdrawn(
    morning: Decimal, evening: Decimal
) -> None:
    units = Units()
    units.flow(morning, None)
    units.mark(0, morning, {}, new_day=True)
    units.flow(-evening, evening)
    assert units.units == 0
    assert abs(units.day_loss(Decimal(0)) - (morning - evening)) < Decimal("1e-25")
    units.flow(Decimal(50), Decimal(0))
    assert abs(units.day_loss(Decimal(50)) - (morning - evening)) < Decimal("1e-25")
    assert abs(units.day_loss(Decimal(40)) - (morning - evening) - 10) < Decimal("1e-25")


def test_what_was_won_today_is_still_known_when_exactly_that_is_left() -> None:
    units = Units()
    units.flow(Decimal(100), None)
    units.mark(0, Decimal(100), {}, new_day=True)
    units.mark(5, Decimal(200), {"bot": Decimal(100)}, new_day=False)
    units.flow(Decimal(-100), Decimal(200))
    units.mark(9, Decimal(100), {"bot": Decimal(100)}, new_day=False)
    assert units.day_loss(Decimal(100)) == -100
    assert units.day_pnl == {}


@given(equities, equities)
def test_a_flow_while_equity_is_unknown_takes_the_last_known_price(
    first: Decimal, marked: Decimal
) -> None:
    units = Units()
    units.flow(first, None)
    units.mark(0, marked, {}, new_day=False)
    units.flow(Decimal(50), None)
    assert abs(units.price(marked + 50) - marked / first) < Decimal("1e-30")


def test_who_resumes_accepts_the_drawdown_so_far() -> None:
    units = Units()
    units.flow(Decimal(100), None)
    units.mark(0, Decimal(80), {"bot": Decimal(-20)}, new_day=False)
    assert units.drawdown_pct(Decimal(80)) == 20
    assert units.bot_drawdown_pct("bot", Decimal(-20), Decimal(80)) == 20
    units.forgive()
    units.forgive_bot("bot")
    assert units.drawdown_pct(Decimal(80)) == 0
    assert units.bot_drawdown_pct("bot", Decimal(-20), Decimal(80)) == 0


def test_equity_is_unknown_while_a_holding_has_no_price() -> None:
    state = AccountState(reporting="USDT")
    state.holdings = {"USDT": Decimal(10), "BTC": Decimal(2), "OLD": Decimal(0)}
    assert state.equity({}) is None
    assert state.equity({"BTC": Decimal(5)}) == 20


def test_a_mark_of_a_new_day_begins_the_day() -> None:
    state = AccountState()
    facts: list[AnyFact] = [
        Opened(account="main", deployment="d", generation=1, reporting="USDT"),
        CashFlow(asset="USDT", amount=Decimal(100), reason="opening", evidence="", at_ns=0),
        Marked(at_ns=5, equity=Decimal(90), pnl={"bot": Decimal(-10)}, prices={}, new_day=True),
        Marked(at_ns=9, equity=Decimal(70), pnl={"bot": Decimal(-30)}, prices={}),
    ]
    folded(facts, state)
    assert state.units.day_loss(Decimal(70)) == 20
    assert state.units.day_pnl == {"bot": Decimal(-10)}
    assert state.units.marked_ns == 9
