"""What must hold in a mirrored market after any news and any orders."""

# mypy: disable-error-code="comparison-overlap"
# A member of a StrEnum equals its text, whatever its type says.
from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.orders import Order
from tests.support.market import MirroredMarket

USDT, BTC = "4000", "40"


class News(NamedTuple):
    """One thing that happens there, or that an account does here."""

    what: str
    who: int
    side: str
    quantity: str
    price: int
    tif: str


news = st.lists(
    st.builds(
        News,
        what=st.sampled_from([
            *["order"] * 6, *["trade"] * 6, "tell", "tell", "market", "cancel", "lose", "snapshot",
        ]),
        who=st.integers(0, 1),
        side=st.sampled_from(["BUY", "SELL"]),
        quantity=st.integers(0, 40).map(lambda tenths: str(Decimal(tenths) / 10)),
        price=st.integers(1, 6),
        tif=st.sampled_from(["GTC", "GTC", "GTC", "IOC", "FOK"]),
    ),
    min_size=20,
    max_size=80,
)


class World:
    """Two accounts in one mirrored market, and what each print has given them."""

    def __init__(self) -> None:
        self.market = MirroredMarket()
        self.accounts = [self.market.account(USDT, BTC), self.market.account(USDT, BTC)]

    def orders(self) -> list[Order]:
        """Of both accounts."""
        return [order for account in self.accounts for order in account.orders.values()]

    def executed(self) -> dict[int, Decimal]:
        """By account."""
        return {
            account.number: sum((order.executed for order in account.orders.values()), ZERO)
            for account in self.accounts
        }

    def happen(self, event: News) -> None:
        """Let it happen, and check what it gave to whom."""
        market, account = self.market, self.accounts[event.who]
        before, was_known = self.executed(), market.depth.is_known
        shown = dict(self._shown())
        try:
            self._do(event, account)
        except RefusedError:
            assert self.executed() == before
            return
        gained = {number: size - before[number] for number, size in self.executed().items()}
        if not was_known or event.what in {"tell", "cancel", "lose", "snapshot"}:
            assert not any(gained.values()), "nothing fills but by a print, or by taking"
        elif event.what == "trade":
            most = Decimal(event.quantity)
            assert all(size <= most for size in gained.values()), "no more than the print"
        else:
            assert gained[account.number] <= sum(shown.values(), ZERO), "no more than was shown"
            assert not gained[3 - account.number]
        if was_known and event.what in {"order", "market", "trade"}:
            assert dict(self._shown()) == shown, "the mirrored book is nobody's to change"

    def _shown(self) -> list[tuple[tuple[str, Decimal], Decimal]]:
        book = self.market.depth
        return [
            *((("BUY", price), size) for price, size in book.bids()),
            *((("SELL", price), size) for price, size in book.asks()),
        ]

    def _do(self, event: News, account: Account) -> None:
        market, depth = self.market, self.market.depth
        # Bids at 94 to 99, asks at 101 to 106: told prices never cross.
        price = str(100 - event.price if event.side == "BUY" else 100 + event.price)
        match event.what:
            case "tell" if depth.is_known:
                side = {price: event.quantity}
                market.tell(**{"bids" if event.side == "BUY" else "asks": side})
            case "trade" if event.quantity != "0":
                market.trade(event.side, event.quantity, str(100 + event.price - 3))
            case "order" if event.quantity != "0":
                limit = str(100 + event.price - 3)
                market.order(account, event.side, event.quantity, limit, tif=event.tif)
            case "market" if event.quantity != "0":
                market.order(account, event.side, event.quantity)
            case "cancel" if account.open_orders:
                order = next(iter(account.open_orders.values()))
                market.engine.cancel(account, order, "c", market.now_ns)
            case "lose" if depth.is_known:
                market.lose()
            case "snapshot":
                market.snapshot({"99": "5", "98": "2"}, {"101": "3", "104": "8"})
            case _:
                pass


@settings(max_examples=200, deadline=None)
@given(news)
def test_the_laws_of_a_mirrored_market(plan: list[News]) -> None:
    world = World()
    for event in plan:
        world.happen(event)
    for account in world.accounts:
        spent = {"USDT": ZERO, "BTC": ZERO}
        for fill in account.executions:
            sign = 1 if fill.side is Side.BUY else -1
            spent["USDT"] += sign * fill.cost
            spent["BTC"] -= sign * fill.quantity
        for asset, begun in (("USDT", USDT), ("BTC", BTC)):
            balance = account.balance(asset)
            assert min(balance.free, balance.locked) >= 0
            assert balance.free + balance.locked == Decimal(begun) - spent[asset]
    lines = world.market.mirror.listings["BTC/USDT"].book
    for order in world.orders():
        for fill in order.fills:
            assert order.price is None or (
                fill.price == order.price
                if fill.is_maker
                else (fill.price - order.price) * (1 if order.side is Side.BUY else -1) <= 0
            )
        assert order.executed + order.remaining == order.quantity or order.price is None
        assert order.remaining >= 0
    waiting = len(lines.bids.line) + len(lines.asks.line)  # type: ignore[attr-defined]
    assert waiting == sum(len(account.open_orders) for account in world.accounts)
