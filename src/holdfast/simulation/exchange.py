"""The local exchange in a world: its own code and doors, on virtual time and the simulated network.

Not here: what it is told to do wrong (weather).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from holdfast.exchange.accounts import Account, FeePlan
from holdfast.exchange.core import OrderReport, UserEvent
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.filters import rules_of
from holdfast.exchange.ledger import ledger
from holdfast.exchange.limits import Limits
from holdfast.exchange.server import Desk
from holdfast.exchange.synthetic import SyntheticFlow, chosen_markets
from holdfast.exchange.traffic import Call, Delivery, RequestRecord
from holdfast.simulation.clock import WORLD
from holdfast.simulation.door import Door
from holdfast.simulation.network import Network

HOST, PORT = "127.0.0.1", 8000
EVENTS_PER_S = 2.0
WARM_UP_S = 20
MOST = Limits(connections_per_5m=100_000)


class SimExchange:
    """A running exchange with one account.

    Attributes:
        symbols: of its markets, as on the wire.
        on_call: told of each call as it arrives.
        on_refused: told of each address or account that is refused for speed, but for what a ban
            that was asked for refuses to its address while it lasts.
    """

    def __init__(
        self,
        network: Network,
        seed: int,
        symbols: tuple[str, ...],
        cash: dict[str, Decimal],
        fees: FeePlan | None = None,
    ) -> None:
        flow = SyntheticFlow(
            seed,
            history_s=WARM_UP_S,
            events_per_s=EVENTS_PER_S,
            history_events_per_s=EVENTS_PER_S,
            markets=chosen_markets(symbols),
        )
        self.desk = Desk(
            flow, now_ns=lambda: WORLD.now_ns, seed=seed, warm_up_s=WARM_UP_S, limits=MOST
        )
        self.symbols = [each.replace("/", "") for each in symbols]
        self.account = self.desk.exchange.open_account(cash, fees)
        self.on_call: list[Callable[[Call], None]] = []
        self.on_refused: list[Callable[[str], None]] = []
        self._network = network
        self._market: asyncio.Task[None] | None = None
        self._streams: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Have a market, and let connections in."""
        await self.desk.warm_up()
        self._watch_calls()
        self._watch_limits()
        others = web.Server(self.desk.handle, access_log=None)
        self._network.listen(HOST, PORT, lambda: Door(self.desk.gateway, others))
        loop = asyncio.get_running_loop()
        self._market = loop.create_task(self.desk.pump.run())
        self._streams = loop.create_task(self.desk.market_streams.run())

    def stop_market(self) -> None:
        """Nobody else trades any more; the doors stay open."""
        assert self._market is not None  # noqa: S101 - it was opened
        self._market.cancel()

    def _watch_calls(self) -> None:
        gateway = self.desk.gateway
        handle = gateway.handle

        async def watched(call: Call) -> Delivery:
            for told in self.on_call:
                told(call)
            return await handle(call)

        gateway.handle = watched  # type: ignore[method-assign]

    def _watch_limits(self) -> None:
        keeper = self.desk.gateway.gatekeeper
        bans: dict[str, int] = {}
        ban = keeper.ban

        def asked_for(address: str, for_s: int, now_ns: int) -> None:
            bans[address] = now_ns + for_s * 1_000_000_000
            ban(address, for_s, now_ns)

        def watched(admit: Callable[..., None]) -> Callable[..., None]:
            def told(who: Any, *rest: Any) -> None:
                try:
                    admit(who, *rest)
                except RefusedError as refusal:
                    if refusal.http_status != 418 or bans.get(who, 0) <= rest[-1]:
                        for tell in self.on_refused:
                            tell(f"{who}: {refusal.reason}")
                    raise

            return told

        keeper.ban = asked_for  # type: ignore[method-assign]
        for name in ("admit", "admit_connection", "admit_orders"):
            setattr(keeper, name, watched(getattr(keeper, name)))

    # -- what operators of the real one bring about ------------------------------------------------

    def restore(self, symbol: str) -> None:
        """Trade `symbol` again, by the rules that it began with."""
        listing = self.desk.exchange.listing(symbol)
        listing.rules = rules_of(listing.instrument)

    def change_filters(self, symbol: str, source: random.Random) -> None:
        """A coarser grid, or larger orders only."""
        listing = self.desk.exchange.listing(symbol)
        rules, factor = rules_of(listing.instrument), source.choice((2, 5, 10))
        change = source.choice(("tick", "step", "min_notional"))
        value = getattr(rules, change) * factor
        listing.rules = msgspec.structs.replace(rules, **{change: value})

    def price(self, name: str) -> Decimal:
        """The average of the last minutes, quote units."""
        average = self.desk.exchange.engine.listings[name].average.value
        assert average is not None  # noqa: S101 - the market traded before the doors opened
        return average

    def last_price(self, name: str) -> Decimal:
        """Of the newest trade, quote units."""
        return self.desk.exchange.tapes[name].trades[-1].price

    def revoke(self) -> None:
        """The key is worth nothing."""
        self.account.is_revoked = True
        self.desk.user_streams.terminate(self.account)

    def allow(self) -> None:
        """It is worth something again."""
        self.account.is_revoked = False

    @property
    def requests(self) -> list[RequestRecord]:
        """All signed requests, in order of arrival."""
        return self.desk.gateway.requests

    def ledger(self) -> dict[str, Any]:
        """The truth."""
        return ledger(self.desk.exchange)

    def watch(self, told: Callable[[Account, UserEvent], None]) -> None:
        """Tell of everything that happens to the account, at once."""
        self.desk.exchange.event_watchers.append(told)


__all__ = ["HOST", "PORT", "OrderReport", "SimExchange"]
