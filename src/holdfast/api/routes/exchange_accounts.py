"""Exchange accounts as they are configured: listed, added, dropped.

Not here: what is in them (routes.accounts).
"""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import JSONBody

from holdfast.api.ask import Ask
from holdfast.api.routes.params import AccountPath
from holdfast.api.rules import change, look
from holdfast.api.shapes.exchange_accounts import (
    ExchangeAccount,
    ExchangeAccounts,
    NewExchangeAccount,
)
from holdfast.platform.identity.values import Scope

TAGS = ["accounts"]


@get("/exchange-accounts", opt=look(Scope.ADMIN), tags=TAGS)
async def list_exchange_accounts(request: Ask) -> ExchangeAccounts:
    """List what nodes are configured with, and which of them have it."""
    return ExchangeAccounts(items=await request.ports.exchange_accounts.all())


@post(
    "/exchange-accounts", status_code=201, tags=TAGS,
    opt=change(Scope.ADMIN, is_confirmed=True, audited="identity"),
)  # fmt: skip
async def add_exchange_account(request: Ask, data: JSONBody[NewExchangeAccount]) -> ExchangeAccount:
    """Let all nodes trade one more account; each begins anew with it, one after the other."""
    return await request.ports.exchange_accounts.add(request.who, data)


@delete(
    "/exchange-accounts/{account:str}", status_code=204, tags=TAGS,
    opt=change(Scope.ADMIN, is_confirmed=True, audited="identity"),
)  # fmt: skip
async def drop_exchange_account(request: Ask, account: AccountPath) -> None:
    """Let nodes trade an account no more, at which nothing goes on. Its journal stays."""
    await request.ports.exchange_accounts.drop(request.who, account)


ROUTES = (list_exchange_accounts, add_exchange_account, drop_exchange_account)
