"""Changes as they come.

Not here: the life of a connection (api.streams), what is told (app.view.feeds).
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from litestar import WebSocket, get, websocket
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter

from holdfast.api.ask import PORTS, Ask
from holdfast.api.ports import TOPICS, Ports
from holdfast.api.problem import ProblemError
from holdfast.api.rules import look, public
from holdfast.api.streams import EventResponse, Streams

TAGS = ["streams"]
_POSITIONS: Final = r"^([a-z0-9][a-z0-9_-]{0,31}:[0-9]{1,18}(,|$)){0,100}$"
_STREAMS: Final = "streams"
_ALL: Final = ",".join(TOPICS)

Topics = Annotated[
    str,
    QueryParameter(
        required=False, max_length=100, pattern=r"^[a-z]+(,[a-z]+)*$",
        description=f"Of {', '.join(TOPICS)}; all without.", examples=[],
    ),
]  # fmt: skip
After = Annotated[
    str,
    QueryParameter(
        required=False, max_length=4000, pattern=_POSITIONS,
        description="Journal positions that were seen, such as `main:130,second:7`.",
    ),
]  # fmt: skip
LastId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID", required=False, max_length=4000, pattern=_POSITIONS,
        description="The `id` of the last event; goes before `after`.",
    ),
]  # fmt: skip


@get(
    "/events", opt=look(is_stream=True), tags=TAGS, media_type="text/event-stream",
    responses={200: ResponseSpec(str, media_type="text/event-stream", generate_examples=False)},
)  # fmt: skip
async def get_events(
    request: Ask, topics: Topics = _ALL, after: After = "", last_id: LastId = None
) -> EventResponse:
    """Tell changes as server-sent events, from a position on.

    Each event's `id` is where to go on from. The last event, `bye`, says why a stream ended.
    """
    wanted = tuple(dict.fromkeys(topics.split(",")))
    unknown = sorted(set(wanted) - set(TOPICS))
    if unknown:
        raise ProblemError(
            422, "invalid",
            f"seen: topic {unknown[0][:40]!r}; expected: of {', '.join(TOPICS)}",
            errors=({"at": "topics", "why": "unknown"},),
        )  # fmt: skip
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    positions = _positions(last_id or after)
    streams = streams_of(request.app.state, request.ports)
    return EventResponse(streams.events(request.who, wanted, positions, token))


@websocket("/stream", opt=public(is_stream=True))
async def follow(socket: WebSocket[object, object, State]) -> None:
    """Tell changes over a WebSocket; the first message proves who listens (api.streams)."""
    ports: Ports = socket.app.state[PORTS]
    streams = streams_of(socket.app.state, ports)
    await streams.serve(socket.receive, socket.send)


def streams_of(state: State, ports: Ports) -> Streams:
    """Those of this process."""
    found: Streams | None = state.get(_STREAMS)
    if found is None:
        found = state[_STREAMS] = Streams(ports)
    return found


def _positions(text: str) -> dict[str, int]:
    return {name: int(seq) for name, seq in re.findall(r"([a-z0-9_-]+):([0-9]+)", text)}


ROUTES = [get_events, follow]
