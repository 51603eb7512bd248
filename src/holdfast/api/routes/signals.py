"""External series whose sources call.

Not here: what an entry is (holdfast.signals).
"""

from __future__ import annotations

from typing import Annotated

from litestar import Response, post
from litestar.params import HeaderParameter, JSONBody, PathParameter

from holdfast.api.ask import Ask
from holdfast.api.routes.answers import MAY_WAIT, told
from holdfast.api.routes.params import NAME
from holdfast.api.rules import public
from holdfast.api.shapes.commands import Command
from holdfast.api.shapes.jobs import Signal


@post(
    "/signals/{name:str}", status_code=200, responses=MAY_WAIT, tags=["signals"],
    opt=public(is_change=True, has_key=False, audited="command"),
)  # fmt: skip
async def deliver_signal(
    request: Ask,
    name: Annotated[str, PathParameter(pattern=NAME)],
    data: JSONBody[Signal],
    signature: Annotated[
        str,
        HeaderParameter(
            name="X-Holdfast-Signature", pattern="^sha256=[0-9a-f]{64}$",
            description="`sha256=` and the HMAC of the body under the series' secret, in hex.",
        ),
    ],
) -> Response[Command]:
    """Take an entry of an external series from its source, which proves that it is one.

    An entry with the `id` of one that was taken before changes nothing.
    """
    body = await request.body()
    return told(await request.ports.signals.deliver(name, body, signature, request.request_id))


ROUTES = [deliver_signal]
