"""What a trade does to an account's balances, fee included.

Holds always cover: fees are cut to eight decimals, never rounded up. Not here: who trades, or when.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from holdfast.domain.fee import fee_of
from holdfast.domain.order import Side
from holdfast.exchange.accounts import BASE, QUOTE, RECEIVED, Account
from holdfast.exchange.listing import Listing
from holdfast.exchange.orders import Order, Trade

_BUY: Final = Side.BUY
_ONE: Final = Decimal(1)


def spend_factor(account: Account, side: Side, listing: Listing) -> Decimal:
    """How much more than the traded amount an order can take of the asset it spends (>= 1)."""
    plan = account.fees
    if plan.asset == RECEIVED:
        return _ONE
    spent = listing.quote if side is _BUY else listing.base
    named = {QUOTE: listing.quote, BASE: listing.base}.get(plan.asset, plan.asset)
    return _ONE + max(plan.maker, plan.taker) if named == spent else _ONE


def settle(
    account: Account,
    order: Order,
    trade: Trade,
    listing: Listing,
    listings: Mapping[str, Listing],
    *,
    is_maker: bool,
) -> tuple[str, Decimal]:
    """Move the money of one side of a trade; returns the asset and the amount of the fee.

    Args:
        listings: all markets, for the price of a third asset that fees are paid in.
    """
    if order.side is _BUY:
        paid, paid_amount = account.balance(listing.quote), trade.cost
        received, got, got_amount = listing.base, account.balance(listing.base), trade.quantity
    else:
        paid, paid_amount = account.balance(listing.base), trade.quantity
        received, got, got_amount = listing.quote, account.balance(listing.quote), trade.cost
    if order.unit_hold:
        held = order.unit_hold * trade.quantity
        paid.locked -= held
        paid.free += held - paid_amount
    else:
        paid.free -= paid_amount
    plan = account.fees
    rate = plan.maker if is_maker else plan.taker
    fee = fee_of(got_amount, rate)
    if plan.asset == RECEIVED:
        got.free += got_amount - fee
        return received, fee
    got.free += got_amount
    asset, amount = _fee_in(plan.asset, account, trade, listing, listings)
    if asset is not None:
        received, fee = asset, fee_of(amount, rate)
    balance = account.balance(received)
    balance.free -= fee
    return received, fee


def release(account: Account, order: Order, listing: Listing) -> None:
    """Free what an order still holds."""
    held = order.unit_hold * order.remaining
    balance = account.balance(listing.quote if order.side is _BUY else listing.base)
    balance.locked -= held
    balance.free += held


def _fee_in(
    wanted: str, account: Account, trade: Trade, listing: Listing, listings: Mapping[str, Listing]
) -> tuple[str | None, Decimal]:
    """The asset that pays and what the trade is worth in it; None when it cannot pay."""
    if wanted in {QUOTE, listing.quote}:
        return listing.quote, trade.cost
    if wanted in {BASE, listing.base}:
        return listing.base, trade.quantity
    market = listings.get(f"{wanted}/{listing.quote}")
    price = account.fees.asset_price
    if market is not None and market.last_price is not None:
        price = market.last_price
    worth = trade.cost / price
    most = worth * max(account.fees.maker, account.fees.taker)
    return (wanted, worth) if account.balance(wanted).free >= most else (None, worth)
