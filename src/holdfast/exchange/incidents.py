"""States of the whole exchange that operators of the real one bring about: maintenance, a halted
symbol, changed filters, a revoked key, a banned address. Not here: faults of single requests.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.domain.money import parse
from holdfast.errors import ConfigError
from holdfast.exchange import errors
from holdfast.exchange.accounts import Account
from holdfast.exchange.core import Exchange
from holdfast.exchange.faults import Fault, FaultKind
from holdfast.exchange.filters import Rules, rules_of
from holdfast.exchange.limits import Gatekeeper
from holdfast.exchange.listing import Listing

_LOOPBACK = "127.0.0.1"
_FOREVER_MS = 10**12
_RULE_OF = {
    "tickSize": "tick",
    "minPrice": "min_price",
    "maxPrice": "max_price",
    "stepSize": "step",
    "minQty": "min_quantity",
    "maxQty": "max_quantity",
    "marketMaxQty": "market_max_quantity",
    "minNotional": "min_notional",
    "maxNotional": "max_notional",
    "maxPosition": "max_position",
}
_COUNT_OF = {
    "maxNumOrders": "max_orders",
    "maxNumAlgoOrders": "max_algo_orders",
    "maxNumOrderLists": "max_order_lists",
}


class Incidents:
    """Begins and ends such states.

    Attributes:
        on_closing: called when maintenance begins; connections end then.
        on_revoked: called with each account whose key is taken away.
    """

    def __init__(self, exchange: Exchange, gatekeeper: Gatekeeper) -> None:
        self.on_closing: list[Callable[[], None]] = []
        self.on_revoked: list[Callable[[Account], None]] = []
        self._exchange = exchange
        self._gatekeeper = gatekeeper
        self._closed_until_ns = 0

    def check_open(self) -> None:
        """RefusedError while the exchange is under maintenance."""
        if self._exchange.now_ns() < self._closed_until_ns:
            raise errors.under_maintenance()

    def begin(self, fault: Fault) -> None:
        """Bring about what `fault` says.

        Raises:
            ConfigError: a parameter is missing or makes no sense.
            RefusedError: the symbol is unknown.
        """
        match fault.kind:
            case FaultKind.MAINTENANCE:
                self._close(fault)
            case FaultKind.BAN:
                address = str(fault.params.get("address", _LOOPBACK))
                for_s = int(fault.number("for_s", fault.number("for_ms", 120_000) / 1000))
                self._gatekeeper.ban(address, for_s, self._exchange.now_ns())
            case FaultKind.HALT_SYMBOL:
                listing = self._listing(fault)
                listing.rules = msgspec.structs.replace(listing.rules, is_trading=False)
            case FaultKind.CHANGE_FILTERS:
                listing = self._listing(fault)
                listing.rules = _changed(listing.rules, fault.params)
            case FaultKind.REVOKE_KEY:
                self._revoke(fault)
            case _:
                raise ConfigError(f"seen fault kind {fault.kind}; expected one of an incident")
        fault.struck += 1

    def end_all(self) -> None:
        """Bring everything back to how it was."""
        self._closed_until_ns = 0
        self._gatekeeper.lift_bans()
        for listing in self._exchange.engine.listings.values():
            listing.rules = rules_of(listing.instrument)
        for account in self._exchange.accounts.values():
            account.is_revoked = False

    def _close(self, fault: Fault) -> None:
        for_ns = int(fault.number("for_ms", _FOREVER_MS) * 1_000_000)
        self._closed_until_ns = self._exchange.now_ns() + for_ns
        for tell in self.on_closing:
            tell()

    def _listing(self, fault: Fault) -> Listing:
        symbol = fault.params.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            raise ConfigError(f"seen symbol {symbol!r}; expected a name such as BTCUSDT")
        return self._exchange.listing(symbol.replace("/", ""))

    def _revoke(self, fault: Fault) -> None:
        key = fault.params.get("apiKey") or fault.match.key
        accounts = self._exchange.accounts
        if key is not None and key not in accounts:
            raise ConfigError(f"seen apiKey {key!r}; expected a key of an account made here")
        for account in accounts.values():
            if key is None or account.api_key == key:
                account.is_revoked = True
                for tell in self.on_revoked:
                    tell(account)


def _changed(rules: Rules, params: dict[str, Any]) -> Rules:
    changes: dict[str, Decimal | int] = {}
    for name, value in params.items():
        try:
            if name in _COUNT_OF:
                changes[_COUNT_OF[name]] = int(value)
            elif name in _RULE_OF:
                changes[_RULE_OF[name]] = parse(value)
            elif name != "symbol":
                known = ", ".join(sorted([*_RULE_OF, *_COUNT_OF]))
                raise ConfigError(f"seen filter {name!r}; expected some of {known}")
        except (ValueError, TypeError) as error:
            raise ConfigError(f"seen {name}={value!r}; expected a number as text") from error
    return msgspec.structs.replace(rules, **changes)
