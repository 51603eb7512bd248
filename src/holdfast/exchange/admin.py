"""The operator's routes: accounts, ledger, requests, faults, orders and balances by hand.

They answer on the same loopback address as the exchange. Not here: what the real exchange offers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from holdfast.domain.money import parse, plain
from holdfast.domain.order import TimeInForce
from holdfast.errors import ConfigError
from holdfast.exchange import filters
from holdfast.exchange.accounts import Account, FeePlan
from holdfast.exchange.core import Exchange
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.faults import INCIDENTS, Fault
from holdfast.exchange.flow import Place
from holdfast.exchange.gateway import Gateway
from holdfast.exchange.ledger import LedgerLog
from holdfast.exchange.order_request import read_ticket
from holdfast.exchange.orders import Kind, Ticket
from holdfast.exchange.params import Params
from holdfast.exchange.payloads import order_full

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /admin/accounts`."""

    balances: dict[str, str] = {}
    fees: dict[str, str] = {}
    permissions: dict[str, bool] = {}


class KeyOf(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /admin/keys`: the key that is to be replaced."""

    apiKey: str  # noqa: N815 (the name on the wire)


class Transfer(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /admin/balances`: what to add to the free balance."""

    apiKey: str  # noqa: N815 (the name on the wire)
    asset: str
    delta: str


class Admin:
    """The operator's routes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._exchange: Exchange = gateway.exchange
        self._ledger = LedgerLog(gateway.exchange)

    def routes(self) -> list[web.RouteDef]:
        """The routes to register."""
        return [
            web.post("/admin/accounts", _guarded(self.open_account)),
            web.post("/admin/keys", _guarded(self.renew_key)),
            web.get("/admin/ledger", _guarded(self.show_ledger)),
            web.get("/admin/requests", _guarded(self.show_requests)),
            web.get("/admin/faults", _guarded(self.show_faults)),
            web.post("/admin/faults", _guarded(self.add_fault)),
            web.delete("/admin/faults", _guarded(self.lift_faults)),
            web.post("/admin/orders", _guarded(self.place_order)),
            web.post("/admin/balances", _guarded(self.move_balance)),
        ]

    async def open_account(self, request: web.Request) -> web.Response:
        """Make an account with its keys."""
        body = msgspec.json.decode(await request.read() or b"{}", type=NewAccount)
        balances = {asset: parse(text) for asset, text in body.balances.items()}
        account = self._exchange.open_account(balances, _fee_plan(body.fees))
        account.permissions = body.permissions
        return _json({"apiKey": account.api_key, "secret": account.secret})

    async def renew_key(self, request: web.Request) -> web.Response:
        """Give an account another key, and end what the former one had subscribed to."""
        body = msgspec.json.decode(await request.read(), type=KeyOf)
        account = self._account(body.apiKey)
        self._exchange.renew_key(account)
        self._ledger.begin()  # each of its rows names the key
        for tell in self._gateway.incidents.on_revoked:
            tell(account)
        return _json({"apiKey": account.api_key, "secret": account.secret})

    async def show_ledger(self, request: web.Request) -> web.Response:
        """The truth: orders, executions, balances; with `?since=` what has changed from there."""
        return _json(self._ledger.read(int(request.query.get("since", "0"))))

    async def show_requests(self, request: web.Request) -> web.Response:
        """Signed requests from number `?since=` on."""
        since = int(request.query.get("since", "1"))
        rows = [record for record in self._gateway.requests if record.number >= since]
        return _json({"requests": rows})

    async def show_faults(self, _request: web.Request) -> web.Response:
        """The faults in force, with how often each struck."""
        return _json({"faults": self._gateway.faults.faults})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault in force, or bring about an incident."""
        self.inject(msgspec.json.decode(await request.read(), type=Fault))
        return _json({"faults": self._gateway.faults.faults})

    def inject(self, fault: Fault) -> None:
        """Put `fault` in force; ConfigError when it makes no sense."""
        self._gateway.faults.add(fault)
        if fault.kind in INCIDENTS:
            self._gateway.incidents.begin(fault)

    async def lift_faults(self, _request: web.Request) -> web.Response:
        """Lift all faults and end all incidents."""
        self._gateway.faults.clear()
        self._gateway.incidents.end_all()
        return _json({"faults": []})

    async def place_order(self, request: web.Request) -> web.Response:
        """Place an order: for the account of `apiKey` by hand, else as somebody else."""
        body: dict[str, Any] = msgspec.json.decode(await request.read(), type=dict[str, Any])
        params = Params({name: str(value) for name, value in body.items()})
        listing = self._exchange.listing(params.required("symbol"))
        key = params.text("apiKey")
        ticket = read_ticket(params, listing.symbol, f"hand{self._exchange.next_name()}")
        if key is None:
            trades = self._place_for_house(ticket)
            return _json({"trades": trades})
        order = self._exchange.submit(self._account(key), ticket)
        return _json(order_full(order, listing.instrument.venue_symbol))

    async def move_balance(self, request: web.Request) -> web.Response:
        """Move a balance by hand."""
        body = msgspec.json.decode(await request.read(), type=Transfer)
        account = self._account(body.apiKey)
        self._exchange.move_balance(account, body.asset, parse(body.delta))
        balance = account.balance(body.asset)
        return _json({
            "asset": body.asset, "free": plain(balance.free), "locked": plain(balance.locked),
        })

    def _place_for_house(self, ticket: Ticket) -> int:
        """Trade as somebody else; returns the number of trades it made at once."""
        listing = self._exchange.engine.listings[ticket.symbol]
        filters.check(ticket, listing.rules, listing.average.value)
        if ticket.kind not in {Kind.LIMIT, Kind.MARKET} or ticket.quantity is None:
            raise ConfigError(
                f"seen a {ticket.kind.value} order for nobody's account; expected LIMIT or MARKET "
                "with a quantity: give an apiKey to place any other"
            )
        if ticket.time_in_force is TimeInForce.FOK:
            raise ConfigError("seen timeInForce FOK for nobody's account; expected GTC or IOC")
        rests = ticket.price is not None and ticket.time_in_force is TimeInForce.GTC
        before = listing.last_trade_id
        self._exchange.apply(Place(
            at_ns=self._exchange.now_ns(),
            symbol=ticket.symbol,
            side=ticket.side,
            price=ticket.price,
            quantity=ticket.quantity,
            # The flow's keys are above zero, so hand-made ones are below.
            key=-self._exchange.next_name() if rests else 0,
        ))
        return listing.last_trade_id - before

    def _account(self, key: str) -> Account:
        account = self._exchange.accounts.get(key)
        if account is None:
            raise ConfigError(f"seen apiKey {key!r}; expected one from POST /admin/accounts")
        return account


def _fee_plan(fees: dict[str, str]) -> FeePlan:
    plan = FeePlan()
    known = set(plan.__struct_fields__)
    if not set(fees) <= known:
        raise ConfigError(f"seen fees {sorted(fees)}; expected some of {sorted(known)}")
    values: dict[str, Any] = {
        name: text if name == "asset" else parse(text) for name, text in fees.items()
    }
    return msgspec.structs.replace(plan, **values)


def _guarded(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    """A mistake of the operator's is an answer with status 400 that says what was seen."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ValueError, TypeError, ConfigError, RefusedError, msgspec.MsgspecError) as error:
            return _json({"error": str(error)}, status=400)

    return answer


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


