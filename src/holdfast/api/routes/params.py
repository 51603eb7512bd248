"""Parameters that many routes have.

Not here: pages (api.paging).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from litestar.params import HeaderParameter, PathParameter, QueryParameter

from holdfast.api.ask import Ask
from holdfast.api.problem import ProblemError
from holdfast.api.shapes.trading import OrderCondition

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,31}$"
_SYMBOL: Final = r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$"

_DATED: Final = re.compile(r"\d{4}-\d\d-")  # a number would be taken as seconds

AccountPath = Annotated[str, PathParameter(pattern=NAME, description="Name of an account.")]
BotPath = Annotated[str, PathParameter(pattern=NAME, description="Name of a bot.")]
IdPath = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
# What the platform asks for by itself is named by kind and moment: `upkeep:2026-11-21T22:00:00Z`.
JobPath = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
CidPath = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="Client order id.")
]

AccountQuery = Annotated[
    str | None, QueryParameter(pattern=NAME, required=False, description="Of this account only.")
]
BotQuery = Annotated[
    str | None, QueryParameter(pattern=NAME, required=False, description="Of this bot only.")
]
SymbolQuery = Annotated[
    str | None, QueryParameter(pattern=_SYMBOL, required=False, description="Such as BTC/USDT.")
]
SymbolNeeded = Annotated[
    str, QueryParameter(name="symbol", pattern=_SYMBOL, description="Such as BTC/USDT.")
]
TimeframeQuery = Annotated[
    str, QueryParameter(pattern=r"^[1-9][0-9]?(s|m|h|d)$", required=False, description="As 1m.")
]
ConditionQuery = Annotated[OrderCondition | None, QueryParameter(required=False)]
SinceQuery = Annotated[
    datetime | None, QueryParameter(required=False, description="From this moment on.")
]
UntilQuery = Annotated[
    datetime | None, QueryParameter(required=False, description="Before this moment.")
]
WaitQuery = Annotated[
    float,
    QueryParameter(
        ge=0, le=10, required=False,
        description="How many seconds to wait until it took effect; then the answer is 202.",
    ),
]  # fmt: skip
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", required=False, max_length=100,
        description="The ETag that the change was made from.",
    ),
]  # fmt: skip

DEFAULT_WAIT_S: Final = 2.0


def moment(request: Ask, name: str, given: datetime | None) -> datetime | None:
    """A moment in UTC; one without a zone is meant so.

    Raises:
        ProblemError: it was written as a number, of which nobody says what it counts, or is out of
            range.
    """
    if given is None:
        return None
    if not _DATED.match(str(request.query_params.get(name, ""))):
        raise ProblemError(
            422, "invalid", f"seen: `{name}` is a number; expected: 2026-01-31T12:00:00Z",
            errors=({"at": f"query/{name}", "why": "no date and time"},),
        )  # fmt: skip
    try:
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ProblemError(422, "invalid", f"seen: {given.isoformat()}, out of range") from error


def require_match(given: str | None, current: str) -> None:
    """See that a change was made from what is there now.

    Raises:
        ProblemError: 428 without a word about it, 412 when it was made from something else.
    """
    if given is None:
        raise ProblemError(
            428, "no_etag",
            "seen: no If-Match; expected: the ETag of what is to be changed; do: GET it first",
        )  # fmt: skip
    tags = {tag.strip() for tag in given.split(",")}
    if "*" not in tags and current not in tags:
        raise ProblemError(
            412, "stale",
            f"seen: If-Match {given}; expected: {current}; do: GET it again, and look what another "
            "has changed",
        )  # fmt: skip
