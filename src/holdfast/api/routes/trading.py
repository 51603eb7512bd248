"""Orders, fills, positions, balances, equity, prices, candles: all of it to look at.

Not here: what a bot or an account is (routes.bots, routes.accounts).
"""

from __future__ import annotations

from typing import Annotated, TypeVar, cast

from litestar import get
from litestar.params import QueryParameter

from holdfast.api.ask import Ask
from holdfast.api.paging import DEFAULT_ITEMS, Cursor, Limit, cursor, mark
from holdfast.api.ports import Part, Which
from holdfast.api.routes.params import (
    AccountPath,
    AccountQuery,
    BotQuery,
    CidPath,
    ConditionQuery,
    SinceQuery,
    SymbolNeeded,
    SymbolQuery,
    TimeframeQuery,
    UntilQuery,
    moment,
)
from holdfast.api.rules import look
from holdfast.api.shapes.market import Candles, Prices
from holdfast.api.shapes.trading import (
    Balances,
    EquitySeries,
    Fills,
    Orders,
    OrderStory,
    Positions,
)

T = TypeVar("T")

TAGS = ["trading"]


@get("/orders", opt=look(), tags=TAGS)
async def list_orders(
    request: Ask,
    *,
    account: AccountQuery = None,
    bot: BotQuery = None,
    symbol: SymbolQuery = None,
    condition: ConditionQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
    cursor_: Cursor = None,
    limit: Limit = DEFAULT_ITEMS,
) -> Orders:
    """List orders, newest first."""
    which = Which(
        account=account, bot=bot, symbol=symbol, condition=condition,
        since=moment(request, "since", since), until=moment(request, "until", until),
    )  # fmt: skip
    part = await request.ports.reads.orders(request.who, which, mark(cursor_, which), limit)
    return Orders(items=_written(part), next_cursor=cursor(part.end, which))


@get("/accounts/{account:str}/orders/{cid:str}", opt=look(whose="order"), tags=TAGS)
async def get_order(request: Ask, account: AccountPath, cid: CidPath) -> OrderStory:
    """Show an order with every record about it, its cancels and its fills."""
    return await request.ports.reads.order(request.who, account, cid)


@get("/fills", opt=look(), tags=TAGS)
async def list_fills(
    request: Ask,
    *,
    account: AccountQuery = None,
    bot: BotQuery = None,
    symbol: SymbolQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
    cursor_: Cursor = None,
    limit: Limit = DEFAULT_ITEMS,
) -> Fills:
    """List executions, newest first."""
    which = Which(
        account=account, bot=bot, symbol=symbol,
        since=moment(request, "since", since), until=moment(request, "until", until),
    )
    part = await request.ports.reads.fills(request.who, which, mark(cursor_, which), limit)
    return Fills(items=_written(part), next_cursor=cursor(part.end, which))


@get("/positions", opt=look(), tags=TAGS)
async def list_positions(
    request: Ask, account: AccountQuery = None, bot: BotQuery = None
) -> Positions:
    """List open positions."""
    return Positions(items=await request.ports.reads.positions(request.who, account, bot))


@get("/balances", opt=look(), tags=TAGS)
async def list_balances(request: Ask, account: AccountQuery = None) -> Balances:
    """List what accounts have of each asset."""
    return Balances(items=await request.ports.reads.balances(request.who, account))


@get("/equity", opt=look(), tags=TAGS)
async def get_equity(
    request: Ask,
    *,
    account: AccountQuery = None,
    bot: BotQuery = None,
    since: SinceQuery = None,
    until: UntilQuery = None,
    points: Annotated[
        int, QueryParameter(ge=2, le=5000, required=False, description="How many at most.")
    ] = 500,
) -> EquitySeries:
    """Show equity and drawdown over time: of all accounts, of one, or what a bot of it earned."""
    return await request.ports.reads.equity(
        request.who, account, bot, points,
        since=moment(request, "since", since), until=moment(request, "until", until),
    )


@get("/prices", opt=look(), tags=TAGS)
async def list_prices(request: Ask, symbol: SymbolQuery = None) -> Prices:
    """List the last prices of all symbols that bots trade, or of one."""
    symbols = () if symbol is None else (symbol,)
    return Prices(items=await request.ports.reads.prices(request.who, symbols))


@get("/candles", opt=look(), tags=TAGS)
async def get_candles(
    request: Ask,
    symbol: SymbolNeeded,
    *,
    timeframe: TimeframeQuery = "1m",
    since: SinceQuery = None,
    until: UntilQuery = None,
    limit: Annotated[
        int, QueryParameter(ge=1, le=1000, required=False, description="How many at most.")
    ] = 300,
) -> Candles:
    """Show bars of a symbol that a bot trades, oldest first."""
    return await request.ports.reads.candles(
        symbol, timeframe, limit,
        since=moment(request, "since", since), until=moment(request, "until", until),
    )


def _written(part: Part[T]) -> tuple[T, ...]:
    """The items of a page; what is written already is copied into the answer as it is."""
    return cast("tuple[T, ...]", part.written) or part.items


ROUTES = [
    list_orders, get_order, list_fills, list_positions, list_balances, get_equity, list_prices,
    get_candles,
]  # fmt: skip
