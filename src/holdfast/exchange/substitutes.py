"""Replies that faults put in the place of true ones: errors, foreign pages, broken JSON.

Not here: when they do (`gateway`), or whether the call took effect.
"""

from __future__ import annotations

from holdfast.exchange.faults import Fault
from holdfast.exchange.traffic import Reply, encode_error

RETRY_AFTER_S = "2"

_ERROR_REPLIES = {
    -1000: (500, "An unknown error occurred while processing the request."),
    -1001: (500, "Internal error; unable to process your request. Please try again."),
    -1003: (429, "Too many requests."),
    -1006: (
        500, "An unexpected response was received from the message bus. Execution status unknown."
    ),
    -1007: (
        408,
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
    ),
    -1008: (
        503,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    -1015: (429, "Too many new orders."),
    -1016: (503, "This service is no longer available."),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -2010: (400, "Order was rejected."),
    -2014: (401, "API-key format invalid."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
}


def foreign_page(fault: Fault) -> Reply:
    """What a proxy in front of the exchange answers: no JSON, and no word on what happened."""
    text = str(fault.params.get("body", "<html><body>Bad Gateway</body></html>"))
    return Reply(int(fault.number("status", 502)), text.encode(), {}, "text/html")


def error_of(fault: Fault) -> Reply:
    """The error that a fault asks for; `error_reply` unless it has a status or words of its own."""
    code = int(fault.number("code", -1006))
    reply = error_reply(code)
    status = int(fault.number("status", reply.status))
    words = fault.params.get("msg")
    return Reply(status, reply.body if words is None else encode_error(code, str(words)), {})


def error_reply(code: int) -> Reply:
    """An error of the exchange's own, in its usual status and words."""
    status, text = _ERROR_REPLIES.get(code, (400, "Injected error."))
    headers = {"Retry-After": RETRY_AFTER_S} if status == 429 else {}  # the exchange's own has one
    return Reply(status, encode_error(code, text), headers)


def garbled(body: bytes) -> bytes:
    """A body that looks like JSON for a while."""
    return body[: max(1, len(body) * 2 // 3)] + b'"\x00garbage'
