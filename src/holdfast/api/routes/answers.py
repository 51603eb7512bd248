"""Answers that several subjects give: a command that was asked for, something with an ETag.

Not here: problems (api.problem).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from litestar import Response
from litestar.openapi.datastructures import ResponseSpec

from holdfast.api.ask import Ask
from holdfast.api.ports import Given
from holdfast.api.problem import ProblemError
from holdfast.api.shapes.commands import Command, CommandsGiven, CommandState

T = TypeVar("T")

SHOWN_WITHIN_S: Final = 1.0
"""After a command took effect; the read model is some 40 ms behind, but may have more to do."""

MAY_WAIT: Final = {
    202: ResponseSpec(Command, description="Kept; a node that leads the account takes it first.")
}
ALL_MAY_WAIT: Final = {
    202: ResponseSpec(CommandsGiven, description="Kept; of some accounts it took no effect yet.")
}


async def give(
    request: Ask, account: str, name: str, arguments: Mapping[str, str], wait_s: float
) -> Response[Command]:
    """Ask the account's leader; 200 when it took effect, 202 when it is kept."""
    given = _given(request, account, name, arguments)
    (done,) = await request.ports.commands.give(
        request.who, (given,), request.request_id, wait_s
    )
    await _be_shown(request, (done,))
    return told(done)


async def give_all(
    request: Ask,
    targets: Sequence[tuple[str, str]],
    name: str,
    arguments: Mapping[str, str],
    wait_s: float,
) -> Response[CommandsGiven]:
    """The same, of several accounts and bots at once.

    Args:
        targets: an account and a bot of it each; an empty bot stands for the whole account.
    """
    given = [
        _given(request, account, name, {**arguments, "bot": bot} if bot else arguments, bot)
        for account, bot in targets
    ]
    done = await request.ports.commands.give(request.who, given, request.request_id, wait_s)
    await _be_shown(request, done)
    waits = any(one.state is CommandState.WAITING for one in done)
    return Response(CommandsGiven(items=done), status_code=202 if waits else 200)


def _given(
    request: Ask, account: str, name: str, arguments: Mapping[str, str], bot: str = ""
) -> Given:
    """Args: bot: tells it apart from what the same request asks of the account's other bots."""
    command_id = request.only_id(f"{account}/{bot}" if bot else account)
    return Given(
        command_id=command_id, account=account, name=name, arguments=arguments, by_key=True
    )


async def move(request: Ask, account: str, node: str, wait_s: float) -> Response[Command]:
    """Have an account led by another node; all its bots go with it."""
    done = await request.ports.commands.hand_over(
        request.who, account, node, request.request_id, wait_s
    )
    await _be_shown(request, (done,))
    return told(done)


async def _be_shown(request: Ask, done: Sequence[Command]) -> None:
    """Answer when this process shows what was done: who hears of it looks at once."""
    for one in done:
        if one.seq is not None:
            await request.ports.reads.reached(one.account, one.seq, SHOWN_WITHIN_S)


def told(done: Command) -> Response[Command]:
    """A command as an answer.

    Raises:
        ProblemError: 409, the leader refused it.
    """
    if done.state is CommandState.REFUSED:
        raise ProblemError(409, "refused", done.reason)
    return Response(done, status_code=202 if done.state is CommandState.WAITING else 200)


def etag(version: int) -> str:
    """Of what has a version of its own."""
    return f'"v{version}"'


def tagged(content: T, version: int) -> Response[T]:
    """Something with its ETag, to change it from."""
    return Response(content, headers={"ETag": etag(version)})
