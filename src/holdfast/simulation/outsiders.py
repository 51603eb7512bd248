"""What people do to an account beside the platform, and the operator who answers for it.

Money is moved, orders are made by hand, one of ours is cancelled in the exchange's own pages. What
the platform does about it is its policy; where that stops, the operator reviews and resumes, by the
commands that he has. Not here: which runs have such people, and when they act (weather).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from holdfast.exchange.errors import RefusedError
from holdfast.exchange.order_request import read_ticket
from holdfast.exchange.orders import Order
from holdfast.exchange.params import Params
from holdfast.journal.commands import Commands
from holdfast.simulation.clock import WORLD

if TYPE_CHECKING:
    from holdfast.simulation.faults import Kind
    from holdfast.simulation.weather import Weather

HAND = "web_"
"""What ids of orders begin with that are made by hand."""
_QUANTITY = {"BTCUSDT": Decimal("0.005"), "ETHUSDT": Decimal("0.1")}
_BASE = {"BTCUSDT": "BTC", "ETHUSDT": "ETH"}
_LEAST_CASH = 50_000
"""Quote units that nobody takes from the bots for good."""
TAKEN_WITHIN_S = 15.0
MOST_LOOKS = 4


def _move_money(w: Weather) -> None:
    """A deposit, or what an earlier one brought goes away again."""
    asset = w.random.choice(("USDT", "BTC", "ETH"))
    amount = Decimal(w.random.randint(1, 40)) / (4 if asset == "USDT" else 1000)
    free = w.exchange.account.balance(asset).free
    if asset == "USDT" and free > _LEAST_CASH and w.random.random() < 0.5:
        amount = -amount
    w.checker.meddle(f"{amount} {asset} moved by hand")
    w.exchange.desk.exchange.move_balance(w.exchange.account, asset, amount)


def _order_by_hand(w: Weather) -> None:
    """Bought at once where money is plenty, or bid for a while far from the price; the bots' own
    holdings stay theirs."""
    symbol = w.random.choice(sorted(_QUANTITY))
    cid = f"{HAND}{w.random.getrandbits(32):08x}"
    params = {"side": "BUY", "type": "MARKET", "quantity": str(_QUANTITY[symbol])}
    listing = w.exchange.desk.exchange.listing(symbol)
    average, tick = listing.average.value, listing.rules.tick
    is_short = w.exchange.account.balance("USDT").free < _LEAST_CASH
    if average is not None and (is_short or w.random.random() < 0.5):
        price = average * Decimal("0.98") // tick * tick
        params |= {"type": "LIMIT", "timeInForce": "GTC", "price": str(price)}
    w.checker.meddle(f"{params['type']} order {cid} by hand")
    _submit(w, symbol, params | {"newClientOrderId": cid})
    w.later(w.uniform(0.5, 8), lambda: withdraw_orders(w))


def _submit(w: Weather, symbol: str, params: dict[str, str]) -> None:
    listing = w.exchange.desk.exchange.listing(symbol)
    try:
        ticket = read_ticket(Params(params), listing.symbol, "")
        w.exchange.desk.exchange.submit(w.exchange.account, ticket)
    except RefusedError as refusal:
        w.checker.say(f"not by hand: {refusal}")


def withdraw_orders(w: Weather) -> None:
    """Take back what was bid by hand."""
    for order in list(w.exchange.account.open_orders.values()):
        if order.client_order_id.startswith(HAND):
            w.exchange.desk.exchange.cancel(w.exchange.account, order, f"{HAND}back")


def _cancel_by_hand(w: Weather) -> None:
    """Somebody takes back one of our orders, on the exchange's own pages."""
    resting: list[Order] = [
        order
        for order in w.exchange.account.open_orders.values()
        if not order.client_order_id.startswith(HAND) and order.list_id < 0
    ]
    if resting:
        order = w.random.choice(resting)
        w.checker.say("cancelled by hand", order.client_order_id)
        cancel_id = f"{HAND}{w.random.getrandbits(32):08x}"
        w.exchange.desk.exchange.cancel(w.exchange.account, order, cancel_id)


KINDS: dict[str, Kind] = {
    "money_moved": _move_money,
    "order_by_hand": _order_by_hand,
    "cancel_by_hand": _cancel_by_hand,
}


class Operator:
    """Looks after what the policy has stopped: finds out, books it under his name, goes on."""

    def __init__(self, w: Weather, commands: Commands, account: str) -> None:
        self._w = w
        self._commands = commands
        self._account = account

    async def run(self) -> None:
        """For ever: look now and then, and act where something has stopped."""
        fold = self._w.checker.fold
        while True:
            await asyncio.sleep(self._w.uniform(1, 4))
            if fold.halted or fold.quarantine:
                await self.review()

    async def review_all(self) -> None:
        """Look once more, and again while that finds something: what came late is shown late."""
        fold = self._w.checker.fold
        for _ in range(MOST_LOOKS):
            was_taken = await self.review()  # until then nobody knows that all agrees
            if was_taken and not (fold.halted or fold.quarantine):
                return
            await asyncio.sleep(self._w.uniform(1, 4))

    async def review(self) -> bool:
        """Accept the balances as the exchange has them, and resume; whether that was taken."""
        assets = ",".join(sorted(self._w.exchange.account.balances))
        taken = await self._ask("reconcile", {"adjust": assets, "reason": "moved by hand"})
        if taken and self._w.checker.fold.halted:
            await self._ask("resume", {"reason": "reviewed"})
        return taken

    async def _ask(self, name: str, arguments: dict[str, str]) -> bool:
        """Whether it took effect soon; if not he asks again later."""
        text = msgspec.json.encode(arguments).decode()
        self._w.checker.say(f"operator asks for {name}")
        asked = self._commands.submit(self._account, name, text, "operator")
        until_s = WORLD.now_s + TAKEN_WITHIN_S
        while WORLD.now_s < until_s:
            await asyncio.sleep(0.2)
            if self._commands.taken_at(asked) is not None:
                return True
        return False
