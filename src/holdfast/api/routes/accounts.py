"""Accounts, the first screen, limits and halts, and what became of a command.

Not here: bots (routes.bots).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from litestar import Response, get, post, put
from litestar.params import JSONBody

from holdfast.api.ask import Ask
from holdfast.api.problem import ProblemError
from holdfast.api.routes.answers import (
    ALL_MAY_WAIT,
    MAY_WAIT,
    etag,
    give,
    give_all,
    move,
    tagged,
)
from holdfast.api.routes.params import (
    DEFAULT_WAIT_S,
    AccountPath,
    BotPath,
    IdPath,
    IfMatch,
    WaitQuery,
    require_match,
)
from holdfast.api.rules import command, look
from holdfast.api.shapes.accounts import AccountDetail, Accounts, Overview
from holdfast.api.shapes.bots import Move
from holdfast.api.shapes.commands import Command, CommandsGiven
from holdfast.api.shapes.limits import Halt, LimitsIn
from holdfast.domain.guard import HaltLevel

TAGS = ["accounts"]
_ACCOUNT = "/accounts/{account:str}"


@get("/overview", opt=look(), tags=TAGS)
async def get_overview(request: Ask) -> Overview:
    """Say how all of it is: one sentence and a few numbers."""
    return await request.ports.reads.overview(request.who)


@get("/accounts", opt=look(), tags=TAGS)
async def list_accounts(request: Ask) -> Accounts:
    """List accounts with their state and what they hold."""
    return Accounts(items=await request.ports.reads.accounts(request.who))


@get(_ACCOUNT, opt=look(whose="account"), tags=TAGS)
async def get_account(request: Ask, account: AccountPath) -> Response[AccountDetail]:
    """Show an account with its limits; its ETag is what a change of them is made from."""
    found = await request.ports.reads.account(request.who, account)
    return tagged(found, found.config_version)


@put(
    f"{_ACCOUNT}/limits", status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("account")
)
async def set_limits(
    request: Ask,
    account: AccountPath,
    data: JSONBody[LimitsIn],
    if_match: IfMatch = None,
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Set the limits of all bots of an account together. Raising one asks for confirmation."""
    found = await request.ports.reads.account(request.who, account)
    require_match(if_match, etag(found.config_version))
    raised = raises(msgspec.to_builtins(found.limits), msgspec.to_builtins(data))
    if raised:
        request.require_confirmed(f"a higher `{raised}`")
    text = msgspec.json.encode(data).decode()
    arguments = {"limits": text, "version": str(found.config_version)}
    return await give(request, account, "limits", arguments, wait_s)


@post(
    f"{_ACCOUNT}/halt", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("account", is_urgent=True),
)  # fmt: skip
async def halt_account(
    request: Ask, account: AccountPath, data: JSONBody[Halt], wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Halt an account, durably, until it is resumed; again at a higher level if need be."""
    _require_confirmed(request, data)
    return await give(request, account, "halt", _told(data), wait_s)


@post(
    f"{_ACCOUNT}/resume", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("account", is_confirmed=True),
)  # fmt: skip
async def resume_account(
    request: Ask, account: AccountPath, wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Lift the halt of an account."""
    return await give(request, account, "resume", {}, wait_s)


@post(
    f"{_ACCOUNT}/bots/{{bot:str}}/halt", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("bot", is_urgent=True),
)  # fmt: skip
async def halt_bot(
    request: Ask,
    account: AccountPath,
    bot: BotPath,
    data: JSONBody[Halt],
    wait_s: WaitQuery = DEFAULT_WAIT_S,
) -> Response[Command]:
    """Halt one bot, durably, until it is resumed."""
    _require_confirmed(request, data)
    await request.ports.reads.bot(request.who, account, bot)
    return await give(request, account, "halt", {**_told(data), "bot": bot}, wait_s)


@post(
    f"{_ACCOUNT}/bots/{{bot:str}}/resume", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("bot", is_confirmed=True),
)  # fmt: skip
async def resume_bot(
    request: Ask, account: AccountPath, bot: BotPath, wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Lift the halt of one bot."""
    await request.ports.reads.bot(request.who, account, bot)
    return await give(request, account, "resume", {"bot": bot}, wait_s)


@post(
    f"{_ACCOUNT}/reconcile", status_code=200, responses=MAY_WAIT, tags=TAGS,
    opt=command("account"),
)  # fmt: skip
async def reconcile_account(
    request: Ask, account: AccountPath, wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Compare an account with its exchange now; nothing is adjusted."""
    return await give(request, account, "reconcile", {}, wait_s)


@post(
    f"{_ACCOUNT}/handover", status_code=200, responses=MAY_WAIT, tags=TAGS, opt=command("account")
)
async def hand_over_account(
    request: Ask, account: AccountPath, data: JSONBody[Move], wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[Command]:
    """Move an account, with all bots on it, to another node."""
    return await move(request, account, data.node, wait_s)


@post(
    "/halt", status_code=200, responses=ALL_MAY_WAIT, tags=TAGS, opt=command("", is_urgent=True)
)
async def halt_everything(
    request: Ask, data: JSONBody[Halt], wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[CommandsGiven]:
    """Halt every account that is yours, and your bots on accounts of others."""
    _require_confirmed(request, data)
    mine = await _mine(request)
    if not mine:  # who asks for a halt must not hear that all is well
        raise ProblemError(
            409, "nothing_yours",
            "seen: nothing that is yours and has traded, so nothing was halted; expected: an "
            "account or a bot; do: repeat it when this API has just begun; else ask an "
            "administrator to halt, or to grant you what you have to halt",
        )  # fmt: skip
    return await give_all(request, mine, "halt", _told(data), wait_s)


@post(
    "/resume", status_code=200, responses=ALL_MAY_WAIT, tags=TAGS,
    opt=command("", is_confirmed=True),
)  # fmt: skip
async def resume_everything(
    request: Ask, wait_s: WaitQuery = DEFAULT_WAIT_S
) -> Response[CommandsGiven]:
    """Lift the halt of all accounts that are yours, and of your bots on accounts of others."""
    return await give_all(request, await _mine(request), "resume", {}, wait_s)


@get("/commands/{command_id:str}", opt=look(whose="command"), tags=TAGS)
async def get_command(request: Ask, command_id: IdPath) -> Command:
    """Tell what became of something that was asked for."""
    return await request.ports.commands.find(request.who, command_id)


async def _mine(request: Ask) -> list[tuple[str, str]]:
    """His accounts, and with their account the bots that are his without it."""
    reads, who = request.ports.reads, request.who
    whole = [(one.name, "") for one in await reads.accounts(who)]
    bots = [(one.account, one.name) for one in await reads.bots(who) if not who.owns(one.account)]
    return whole + bots


def _require_confirmed(request: Ask, data: Halt) -> None:
    if data.level is HaltLevel.FLATTEN:
        request.require_confirmed("a halt that sells")


def _told(data: Halt) -> dict[str, str]:
    told = {"level": data.level.value}
    return {**told, "reason": data.reason} if data.reason else told


def raises(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first limit that lets more through than before; empty when none does."""
    allowed = set(before["symbols"])
    if allowed and not (after["symbols"] and allowed.issuperset(after["symbols"])):
        return "symbols"
    for name, limit in after.items():
        was = before.get(name)
        if name == "symbols" or was is None:
            continue
        if limit is None or Decimal(limit) > Decimal(was):
            return name
    return ""


ROUTES = [
    get_overview, list_accounts, get_account, set_limits, halt_account, resume_account, halt_bot,
    resume_bot, reconcile_account, hand_over_account, halt_everything, resume_everything,
    get_command,
]  # fmt: skip
