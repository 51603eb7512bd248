"""What a Binance account says of itself before anything is traded: the key, the rates, the rules.

Not here: whether that will do (app.live.doctor).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from holdfast.venues.binance import decode
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.gate import ACCOUNT, ALL_ORDERS
from holdfast.venues.binance.request import venue_symbol
from holdfast.venues.budget import Cost
from holdfast.venues.port import Purpose

_RESTRICTIONS: Final = Cost(weight=1)
_COMMISSION: Final = Cost(weight=20)
_PRICE: Final = Cost(weight=2)

# What a key needs for trading spot, and what more it may be able to do.
_NEEDED: Final = ("enableReading", "enableSpotAndMarginTrading")
_WITHDRAWS: Final = "enableWithdrawals"

_rights: Final = msgspec.json.Decoder(dict[str, object])


class KeyRights(msgspec.Struct, frozen=True):
    """What a key may do.

    Attributes:
        missing: rights that trading needs.
        surplus: rights that it does not need, `enableWithdrawals` among them where it has it.
        is_bound: only addresses of a list may use it.
    """

    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    is_bound: bool

    @property
    def withdraws(self) -> bool:
        """Whether whoever has the key can take the money away."""
        return _WITHDRAWS in self.surplus


class Rates(msgspec.Struct, frozen=True):
    """What trading on a symbol costs.

    Attributes:
        maker, taker: shares of the traded amount, as text.
        fee_asset: third asset that fees are taken in while there is some; empty without.
    """

    maker: str
    taker: str
    fee_asset: str


async def key_rights(venue: BinanceVenue) -> KeyRights:
    """Raises: as every read of `venues.port.Venue`."""
    path = "/sapi/v1/account/apiRestrictions"
    body = await venue.ask_signed(path, {}, _RESTRICTIONS, Purpose.READ)
    found = decode.read(_rights, body)
    return KeyRights(
        missing=tuple(name for name in _NEEDED if found.get(name) is not True),
        surplus=tuple(
            name
            for name, value in sorted(found.items())
            if value is True
            and name.startswith(("enable", "permits"))
            and name not in {*_NEEDED, "enableFixReadOnly"}
        ),
        is_bound=found.get("ipRestrict") is True,
    )


class _Owner(msgspec.Struct):
    uid: int | str = ""


_owner: Final = msgspec.json.Decoder(_Owner)


async def account_uid(venue: BinanceVenue) -> str:
    """What the exchange calls the account that a key belongs to; empty when it does not say.

    Raises: as every read of `venues.port.Venue`.
    """
    body = await venue.ask_signed(
        "/api/v3/account", {"omitZeroBalances": "true"}, ACCOUNT, Purpose.READ
    )
    return str(decode.read(_owner, body).uid)


class _Discount(msgspec.Struct):
    enabledForAccount: bool = False  # noqa: N815 (the name on the wire)
    discountAsset: str = ""  # noqa: N815


class _Standard(msgspec.Struct):
    maker: str
    taker: str


class _Commission(msgspec.Struct):
    standardCommission: _Standard  # noqa: N815
    discount: _Discount = msgspec.field(default_factory=_Discount)


_commission: Final = msgspec.json.Decoder(_Commission)


async def rates(venue: BinanceVenue, symbol: str) -> Rates:
    """Raises: as every read of `venues.port.Venue`."""
    params = {"symbol": venue_symbol(symbol)}
    body = await venue.ask_signed("/api/v3/account/commission", params, _COMMISSION, Purpose.READ)
    found = decode.read(_commission, body)
    asset = found.discount.discountAsset if found.discount.enabledForAccount else ""
    return Rates(found.standardCommission.maker, found.standardCommission.taker, asset)


class _Price(msgspec.Struct):
    price: Decimal


_price: Final = msgspec.json.Decoder(_Price)


async def last_price(venue: BinanceVenue, symbol: str) -> Decimal:
    """Of the last trade. Raises: as every read of `venues.port.Venue`."""
    path = f"/api/v3/ticker/price?symbol={venue_symbol(symbol)}"
    return decode.read(_price, await venue.ask_open(path, _PRICE, Purpose.RESOLVE)).price


class _Row(msgspec.Struct):
    clientOrderId: str = ""  # noqa: N815
    selfTradePreventionMode: str = ""  # noqa: N815


_rows: Final = msgspec.json.Decoder(list[_Row])


class Recent(msgspec.Struct, frozen=True):
    """The last orders of a symbol, whoever made them.

    Attributes:
        strange: client order ids that do not begin with this deployment's tag.
        self_trade_modes: how the exchange keeps the account from trading with itself, as seen.
    """

    count: int
    strange: tuple[str, ...]
    self_trade_modes: tuple[str, ...]


async def recent_orders(venue: BinanceVenue, symbol: str, tag: str) -> Recent:
    """The last hundred orders of a day. Raises: as every read of `venues.port.Venue`."""
    params: dict[str, str | int] = {"symbol": venue_symbol(symbol), "limit": 100}
    body = await venue.ask_signed("/api/v3/allOrders", params, ALL_ORDERS, Purpose.READ)
    rows = decode.read(_rows, body)
    strange = tuple(row.clientOrderId for row in rows if not row.clientOrderId.startswith(tag))
    modes = sorted({row.selfTradePreventionMode for row in rows if row.selfTradePreventionMode})
    return Recent(len(rows), strange, tuple(modes))
