"""Whatever goes wrong with a request, as a problem document (RFC 9457) with the right status.

Nothing of the program shows in one: no trace, no statement, no address. Not here: who raises what.
"""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from holdfast.api.ports import NotThereError
from holdfast.api.shapes.health import Problem
from holdfast.errors import (
    ConfigError,
    FencedError,
    OutcomeUnknownError,
    PlatformError,
    RejectedError,
    RetryableError,
    UnreachableError,
)
from holdfast.platform.identity.values import (
    AbsentError,
    ForbiddenError,
    TakenError,
    ThrottledError,
    UnauthenticatedError,
    UnsuitableError,
)
from holdfast.platform.requests.port import OtherRequestError, UnderWayError
from holdfast.telemetry.log import get_logger

log = get_logger("api")

MEDIA_TYPE: Final = "application/problem+json"
REQUEST_ID: Final = "holdfast.request_id"
"""Under which a connection's scope has its id."""

_MOST_TEXT: Final = 1000


class ProblemError(Exception):
    """A request that cannot be done, found by the API itself.

    Attributes:
        code: machine-readable, stays.
        detail: seen, expected, do.
        errors: where in the request, and why.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[dict[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


# In this order: the first that an error is one of.
_STATUS: Final[tuple[tuple[type[PlatformError], int], ...]] = (
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (ThrottledError, 429),
    (AbsentError, 404),
    (NotThereError, 404),
    (TakenError, 409),
    (UnsuitableError, 422),
    (OtherRequestError, 422),
    (UnderWayError, 409),
    (RejectedError, 409),
    (ConfigError, 422),
    (FencedError, 409),
    (UnreachableError, 503),
    (RetryableError, 503),
)
_CODES: Final = {
    400: "malformed", 401: "no_token", 403: "forbidden", 404: "not_found", 405: "wrong_method",
    409: "conflict", 413: "too_large", 415: "wrong_type", 422: "invalid", 503: "not_now",
}  # fmt: skip
_RETRY_S: Final = {409: "1", 503: "1"}


def as_problem(error: Exception) -> ProblemError:
    """What a caller is told about an error; of one that nobody expected, nothing."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, HTTPException):
        return _of_framework(error)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
    if status is None:
        if isinstance(error, OutcomeUnknownError):
            return ProblemError(
                500, "outcome_unknown",
                "seen: it may or may not have been done; expected: an answer; do: look before you "
                "ask again, or repeat it with the same Idempotency-Key",
            )  # fmt: skip
        return ProblemError(500, "bug", "seen: an error of ours; do: tell us the instance")
    if status == 503:
        detail = "seen: a database does not answer; expected: one that does; do: try again"
        return ProblemError(503, "not_now", detail, headers={"Retry-After": _RETRY_S[503]})
    code = error.code if isinstance(error, RejectedError) else _CODES[status]
    reason = error.reason if isinstance(error, RejectedError) else str(error)
    errors: tuple[dict[str, str], ...] = ()
    if isinstance(error, UnsuitableError):
        errors = ({"at": f"/{error.field}", "why": error.reason},)
    return ProblemError(status, code, reason, errors=errors, headers=_headers(error))


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, UnauthenticatedError):
        told = "" if error.code == "no_token" else ', error="invalid_token"'
        return {"WWW-Authenticate": f'Bearer realm="holdfast"{told}'}
    if isinstance(error, ThrottledError):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, UnderWayError):
        return {"Retry-After": _RETRY_S[409]}
    return {}


def _of_framework(error: HTTPException) -> ProblemError:
    headers = dict(error.headers or {})
    if isinstance(error, ValidationException):
        found = error.extra if isinstance(error.extra, list) else []
        errors = tuple(
            {"at": str(each.get("key", "")), "why": str(each.get("message", ""))[:_MOST_TEXT]}
            for each in found
            if isinstance(each, dict)
        )
        told = "; ".join(f"{each['at']}: {each['why']}" for each in errors) or error.detail
        return ProblemError(422, "invalid", f"seen: {told}"[:_MOST_TEXT], errors=errors)
    status = error.status_code
    code = _CODES.get(status, "failed" if status < 500 else "bug")
    if status >= 500:
        return ProblemError(status, code, "seen: an error of ours; do: tell us the instance")
    return ProblemError(status, code, f"seen: {error.detail}"[:_MOST_TEXT], headers=headers)


def document(problem: ProblemError, request_id: str) -> bytes:
    """The body of the answer."""
    return msgspec.json.encode(
        Problem(
            type=f"urn:holdfast:problem:{problem.code.replace('_', '-')}",
            title=http.HTTPStatus(problem.status).phrase,
            status=problem.status,
            detail=problem.detail,
            instance=f"urn:request:{request_id}",
            code=problem.code,
            errors=problem.errors,
        )
    )


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The response to an error; what nobody expected is logged with its trace, and not shown."""
    problem = as_problem(error)
    request_id = str(request.scope.get(REQUEST_ID, ""))
    if problem.status >= 500 and problem.status != 503:
        log.error(
            "request failed", action="request_failed", request=request_id,
            method=request.scope["method"], route=request.scope.get("path_template", ""),
            exc_info=error,
        )  # fmt: skip
    return Response(
        document(problem, request_id),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )
