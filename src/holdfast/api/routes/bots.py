"""Bots: looking at them, making, configuring, starting, stopping, moving and removing them.

Not here: what they trade (routes.trading).
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import JSONBody, PathParameter

from holdfast import config
from holdfast.api.ask import Ask
from holdfast.api.paging import DEFAULT_ITEMS, Cursor, Limit, cursor, mark
from holdfast.api.problem import ProblemError
from holdfast.api.routes.answers import MAY_WAIT, etag, give, move, tagged
from holdfast.api.routes.params import (
    DEFAULT_WAIT_S,
    AccountPath,
    AccountQuery,
    BotPath,
    IfMatch,
    WaitQuery,
    require_match,
)
from holdfast.api.rules import command, look
from holdfast.api.shapes.bots import (
    BotConfig,
    BotDetail,
    Bots,
    Log,
    Move,
    NewBot,
    Strategies,
    StrategyInfo,
    Why,
)
from holdfast.api.shapes.commands import Command

TAGS = ["bots"]
_canonical: Final = msgspec.json.Encoder(decimal_format="string", order="sorted")
_BOT = "/accounts/{account:str}/bots/{bot:str}"


@get("/bots", opt=look(), tags=TAGS)
async def list_bots(request: Ask, account: AccountQuery = None) -> Bots:
    """List bots with their state and what they earned."""
    return Bots(items=await request.ports.reads.bots(request.who, account))


@get(_BOT, opt=look(whose="bot"), tags=TAGS)
async def get_bot(request: Ask, account: AccountPath, bot: BotPath) -> Response[BotDetail]:
    """Show a bot with its configuration; its ETag is what a change is made from."""
    found = await request.ports.reads.bot(request.who, account, bot)
    return tagged(found, found.bot.config_version)


@get(f"{_BOT}/logs", opt=look(whose="bot"), tags=TAGS)
async def get_bot_log(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    cursor_: Cursor = None,
    limit: Limit = DEFAULT_ITEMS,
) -> Log:
    """Tell what happened to a bot, newest first."""
    part = await request.ports.reads.bot_log(
        request.who, account, bot, mark(cursor_, account, bot), limit
    )
    return Log(items=part.items, next_cursor=cursor(part.end, account, bot))


@post(
    "/accounts/{account:str}/bots", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("account", is_confirmed=True),
)  # fmt: skip
async def create_bot(
    request: Ask, account: AccountPath, data: JSONBody[NewBot], wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Make a bot. It trades once it is started."""
    known = await request.ports.reads.bots(request.who, account)
    if any(one.name == data.name for one in known):
        raise ProblemError(
            409, "taken", f"seen: a bot {data.name} on {account}; expected: another name",
            errors=({"at": "/name", "why": "taken"},),
        )  # fmt: skip
    await _require_strategy(request, data)
    arguments = {"bot": data.name, "config": _written(data.name, data)}
    return await give(request, account, "create", arguments, wait_s)


@put(
    _BOT, status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("bot", is_confirmed=True)
)
async def configure_bot(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    data: JSONBody[BotConfig],
    *,
    if_match: IfMatch = None,
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Give a bot another configuration, whole: what is left out gets its default."""
    found = await request.ports.reads.bot(request.who, account, bot)
    require_match(if_match, etag(found.bot.config_version))
    await _require_strategy(request, data)
    arguments = {
        "bot": bot, "config": _written(bot, data), "version": str(found.bot.config_version),
    }  # fmt: skip
    return await give(request, account, "configure", arguments, wait_s)


@delete(_BOT, status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("bot"))
async def remove_bot(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    if_match: IfMatch = None,
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Remove a bot that is stopped and holds nothing; its journal stays."""
    found = await request.ports.reads.bot(request.who, account, bot)
    require_match(if_match, etag(found.bot.config_version))
    arguments = {"bot": bot, "version": str(found.bot.config_version)}
    return await give(request, account, "remove", arguments, wait_s)


@post(
    f"{_BOT}/start", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("bot", is_confirmed=True),
)  # fmt: skip
async def start_bot(
    request: Ask, account: AccountPath, bot: BotPath, wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Start a bot that was stopped, failed or drains."""
    await request.ports.reads.bot(request.who, account, bot)
    return await give(request, account, "start", {"bot": bot}, wait_s)


@post(f"{_BOT}/stop", status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("bot"))
async def stop_bot(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    data: JSONBody[Why],
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Stop a bot: no more decisions, its resting orders are taken back, its position stays."""
    await request.ports.reads.bot(request.who, account, bot)
    return await give(request, account, "stop", _of(bot, data), wait_s)


@post(f"{_BOT}/drain", status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("bot"))
async def drain_bot(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    data: JSONBody[Why],
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Let a bot go on without new exposure: it leaves its positions as it wishes."""
    await request.ports.reads.bot(request.who, account, bot)
    return await give(request, account, "drain", _of(bot, data), wait_s)


@post(
    f"{_BOT}/handover", status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("account")
)
async def hand_over_bot(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    data: JSONBody[Move],
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Move a bot to another node; its whole account moves, with all bots on it."""
    await request.ports.reads.bot(request.who, account, bot)
    return await move(request, account, data.node, wait_s)


@get("/strategies", opt=look(), tags=TAGS)
async def list_strategies(request: Ask) -> Strategies:
    """List the strategies that may be traded, with the schema of their parameters."""
    return Strategies(items=await request.ports.reads.strategies())


@get("/strategies/{name:str}", opt=look(), tags=TAGS)
async def get_strategy(
    request: Ask, name: Annotated[str, PathParameter(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
) -> StrategyInfo:
    """Show one of them."""
    for one in await request.ports.reads.strategies():
        if one.name == name:
            return one
    raise ProblemError(404, "strategy", f"seen: no strategy {name}; do: GET /api/v1/strategies")


async def _require_strategy(request: Ask, data: BotConfig) -> None:
    known = [one.name for one in await request.ports.reads.strategies()]
    if data.strategy not in known:
        raise ProblemError(
            422, "invalid",
            f"seen: strategy {data.strategy}; expected: one of {', '.join(known)}",
            errors=({"at": "/strategy", "why": "unknown"},),
        )  # fmt: skip


def _written(name: str, data: BotConfig) -> str:
    """A bot as its configuration file would have it, checked as a file is.

    Raises:
        ProblemError: 422, its parts do not go together.
    """
    try:
        written = msgspec.convert({**msgspec.to_builtins(data), "name": name}, config.Bot)
    except ValueError as error:
        raise ProblemError(422, "invalid", f"seen: {error}") from error
    return _canonical.encode(written).decode()


def _of(bot: str, data: Why) -> dict[str, str]:
    return {"bot": bot, "reason": data.reason} if data.reason else {"bot": bot}


ROUTES = [
    list_bots, get_bot, get_bot_log, create_bot, configure_bot, remove_bot, start_bot, stop_bot,
    drain_bot, hand_over_bot, list_strategies, get_strategy,
]  # fmt: skip
