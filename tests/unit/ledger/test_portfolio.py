"""Positions as a fold of executions, with fees that are taken in base."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from random import Random

import msgspec
import pytest

from holdfast.app.demo.told import Held
from holdfast.domain.fill import Fill
from holdfast.domain.order import Side
from holdfast.ledger.portfolio import Position

D = Decimal
Deed = tuple[Side, str, str, str]  # side, quantity, price, fee in base


def booked(deeds: Iterable[Deed]) -> Position:
    position = Position()
    for number, (side, quantity, price, fee) in enumerate(deeds):
        fill = Fill(
            symbol="BNB/USDT", side=side, trade_id=str(number), venue_order_id="1", cid="c",
            quantity=D(quantity), price=D(price), fee=D(fee), fee_asset="BNB", at_ns=0,
            is_maker=False,
        )  # fmt: skip
        position.book(fill, "BNB", "USDT", None)
    return position


BOUGHT: Deed = (Side.BUY, "10", "100", "0")


@pytest.mark.parametrize(
    ("sales", "held", "cost", "cash"),
    [
        ([(Side.SELL, "10", "200", "0.5")], "0", "0", "900"),
        ([(Side.SELL, "4", "200", "0.2"), (Side.SELL, "6", "200", "0.3")], "0", "0", "900"),
        ([(Side.SELL, "4", "200", "1")], "5", "500", "-200"),
        ([(Side.SELL, "9.8", "200", "0.5")], "0", "0", "900"),
        ([(Side.SELL, "11", "200", "0.5")], "-1", "0", "1100"),
    ],
    ids=["at once", "in parts", "some of it", "all but dust", "more than there was"],
)
def test_fees_in_base_are_taken_off_what_is_left_and_then_from_elsewhere_at_their_price(
    sales: list[Deed], held: str, cost: str, cash: str
) -> None:
    position = booked([BOUGHT, *sales])
    assert (position.quantity, position.cost, position.cash) == (D(held), D(cost), D(cash))


def test_fees_of_a_position_that_is_over_say_nothing_of_the_next() -> None:
    first = [BOUGHT, (Side.SELL, "9", "200", "0.5"), (Side.SELL, "0.5", "200", "0")]
    assert booked([*first, BOUGHT, (Side.SELL, "11", "100", "0")]).quantity == D(-1)


@pytest.mark.parametrize("seed", range(20))
def test_the_books_agree_with_what_executions_alone_say(seed: int) -> None:
    draw = Random(seed)
    deeds: list[Deed] = []
    held = Held()
    for _ in range(40):
        side = draw.choice([Side.BUY, Side.SELL, Side.SELL])
        most = 9 if side is Side.BUY else max(1, int(held.quantity) + draw.randint(0, 1))
        quantity, fee = D(draw.randint(1, most)), D(draw.randint(0, 5)) / 10
        deeds.append((side, str(quantity), "100", str(fee)))
        held.book(side, quantity, fee)
        position = booked(deeds)
        assert position.quantity == held.quantity
        spent = sum(D(q) if s is Side.BUY else -D(q) for s, q, _, _ in deeds) * 100
        paid = sum(D(fee) for *_, fee in deeds)
        assert position.pnl(D(100)) == -paid * 100, "whoever pays a fee, it is a loss of the bot's"
        assert position.cash + spent <= 0


def test_a_position_of_an_older_snapshot_is_read() -> None:
    body = b'{"quantity":"1","cost":"100","cash":"-100","fees":{},"unconverted":{}}'
    position = msgspec.json.decode(body, type=Position)
    assert position.in_kind == 0
