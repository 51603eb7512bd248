"""The exchange's refusals: HTTP status, numeric code and words, as Binance Spot gives them.

Not here: when to refuse; the rule that finds the fault raises one of these.
"""

from __future__ import annotations

from holdfast.errors import RejectedError


class RefusedError(RejectedError):
    """The exchange says no, and nothing has changed by the request.

    Attributes:
        number: the exchange's code, negative.
        http_status: of the reply.
        retry_after_s: what the Retry-After header says; None sends none.
    """

    def __init__(
        self, number: int, reason: str, http_status: int = 400, retry_after_s: int | None = None
    ) -> None:
        super().__init__(str(number), reason)
        self.number = number
        self.http_status = http_status
        self.retry_after_s = retry_after_s


def filter_failure(name: str) -> RefusedError:
    """An order breaks the filter called `name`."""
    return RefusedError(-1013, f"Filter failure: {name}")


def insufficient_balance() -> RefusedError:
    """The account cannot pay for the order."""
    return RefusedError(-2010, "Account has insufficient balance for requested action.")


def duplicate_order() -> RefusedError:
    """An *open* order carries this client id already."""
    return RefusedError(-2010, "Duplicate order sent.")


def would_take() -> RefusedError:
    """A post-only order crosses the book."""
    return RefusedError(-2010, "Order would immediately match and take.")


def would_trigger() -> RefusedError:
    """A stop price lies on the wrong side of the last trade."""
    return RefusedError(-2010, "Stop price would trigger immediately.")


def market_closed() -> RefusedError:
    """The symbol does not trade now."""
    return RefusedError(-1013, "Market is closed.")


def bad_pair_type() -> RefusedError:
    """-1158: such an order cannot be one of a pair."""
    return RefusedError(-1158, "Order type not supported in OCO.")


def bad_working_type() -> RefusedError:
    """-1159: others can only wait for a limit order."""
    return RefusedError(-1159, "Order type not supported as the working order of an OTO.")


def no_contingent_order() -> RefusedError:
    """-1168: both orders of a pair would rest in the book."""
    return RefusedError(-1168, "At least one OCO order must be contingent.")


def misplaced_limit(*, is_buy: bool) -> RefusedError:
    """-1165, -1166: the limit order of a pair is where the stop loss belongs."""
    if is_buy:
        return RefusedError(-1165, "A limit order in a buy OCO must be below.")
    return RefusedError(-1166, "A limit order in a sell OCO must be above.")


def misplaced_stop_loss(*, is_buy: bool) -> RefusedError:
    """-1196, -1197: the stop loss of a pair is where the gain would be."""
    if is_buy:
        return RefusedError(-1196, "A stop loss order in a buy OCO must be above.")
    return RefusedError(-1197, "A stop loss order in a sell OCO must be below.")


def misplaced_take_profit(*, is_buy: bool) -> RefusedError:
    """-1198, -1199: the take-profit of a pair is where the stop loss belongs."""
    if is_buy:
        return RefusedError(-1198, "A take profit order in a buy OCO must be below.")
    return RefusedError(-1199, "A take profit order in a sell OCO must be above.")


def account_disabled() -> RefusedError:
    """The account may not trade."""
    return RefusedError(-2010, "This action is disabled on this account.")


def unknown_order_to_cancel() -> RefusedError:
    """No *open* order with this id: filled, cancelled, or never seen."""
    return RefusedError(-2011, "Unknown order sent.")


def unknown_list_to_cancel() -> RefusedError:
    """No list *at work* with this id: done, cancelled, or never seen."""
    return RefusedError(-2011, "Unknown order list sent.")


def bad_pair_prices() -> RefusedError:
    """The orders of a pair do not lie around the last price as they must."""
    return RefusedError(
        -2010, "The relationship of the prices for the orders is not correct."
    )


def order_not_found() -> RefusedError:
    """A query shows no such order, at least not yet."""
    return RefusedError(-2013, "Order does not exist.")


def order_archived() -> RefusedError:
    """The order ended without an execution, long ago."""
    return RefusedError(
        -2026,
        "Order was canceled or expired with no executed qty over 90 days ago and has been "
        "archived.",
    )


def list_not_found() -> RefusedError:
    """A query shows no such list, at least not yet."""
    return RefusedError(-2013, "Order list does not exist.")


def ids_disagree() -> RefusedError:
    """Both ids were given, and they name different orders."""
    return RefusedError(
        -2039, "Client order ID is not correct for this order ID."
    )


def missing_parameter(name: str) -> RefusedError:
    """A mandatory parameter is absent or empty."""
    return RefusedError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def either_missing(one: str, other: str) -> RefusedError:
    """Neither of two parameters was sent of which one must be."""
    return RefusedError(
        -1102, f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
    )


def unread_parameters(read: int, sent: int) -> RefusedError:
    """Something was sent that nobody reads."""
    return RefusedError(
        -1104,
        f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
    )


def illegal_characters(name: str, pattern: str) -> RefusedError:
    """A parameter is not of its legal form."""
    return RefusedError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
    )


def not_required(name: str) -> RefusedError:
    """A parameter makes no sense with this order type."""
    return RefusedError(-1106, f"Parameter '{name}' sent when not required.")


def too_precise(name: str) -> RefusedError:
    """A number has more decimals than the asset."""
    return RefusedError(
        -1111, f"Parameter '{name}' has too much precision."
    )


def bad_symbol() -> RefusedError:
    """No such market."""
    return RefusedError(-1121, "Invalid symbol.")


def symbol_twice() -> RefusedError:
    """-1151: a list names a symbol more than once."""
    return RefusedError(-1151, "Symbol is present multiple times in the list.")


def bad_interval() -> RefusedError:
    """No such kline interval."""
    return RefusedError(-1120, "Invalid interval.")


def bad_side() -> RefusedError:
    """Neither BUY nor SELL."""
    return RefusedError(-1117, "Invalid side.")


def bad_order_type() -> RefusedError:
    """No such order type."""
    return RefusedError(-1116, "Invalid orderType.")


def bad_time_in_force() -> RefusedError:
    """No such time in force."""
    return RefusedError(-1115, "Invalid timeInForce.")


def span_too_long() -> RefusedError:
    """A list was asked for over more than a day."""
    return RefusedError(-1127, "More than 24 hours between startTime and endTime.")


def bad_combination() -> RefusedError:
    """Optional parameters that exclude each other."""
    return RefusedError(-1128, "Combination of optional parameters invalid.")


def bad_combination_without(name: str) -> RefusedError:
    """Optional parameters that need one more."""
    return RefusedError(
        -1128,
        f"Combination of optional parameters invalid. Recommendation: '{name}' should also be "
        "sent.",
    )


def bad_parameter(name: str) -> RefusedError:
    """A parameter has no such value."""
    return RefusedError(-1130, f"Data sent for parameter '{name}' is not valid.")


def not_supported(what: str) -> RefusedError:
    """A feature of the real exchange that this one does not have: refused, never ignored."""
    return RefusedError(-1020, f"This operation is not supported: {what}.")


def ahead_of_server() -> RefusedError:
    """The timestamp lies a second or more ahead of the server."""
    return RefusedError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def outside_window() -> RefusedError:
    """The deadline of a signed request has passed."""
    return RefusedError(-1021, "Timestamp for this request is outside of the recvWindow.")


def window_too_large() -> RefusedError:
    """recvWindow is above 60 seconds."""
    return RefusedError(-1131, "recvWindow must be less than 60000.")


def bad_signature() -> RefusedError:
    """The signature does not fit the request."""
    return RefusedError(-1022, "Signature for this request is not valid.")


def bad_key_format() -> RefusedError:
    """The key is missing or cannot be one."""
    return RefusedError(-2014, "API-key format invalid.", 401)


def bad_key() -> RefusedError:
    """The key is unknown, revoked, or may not do this."""
    return RefusedError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def too_much_weight(limit: int, retry_after_s: int) -> RefusedError:
    """The address used up its request weight in this window."""
    return RefusedError(
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        429,
        retry_after_s,
    )


def banned(until_ms: int, retry_after_s: int) -> RefusedError:
    """The address went on after 429."""
    return RefusedError(
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        418,
        retry_after_s,
    )


def too_many_orders(limit: int, window: str, retry_after_s: int) -> RefusedError:
    """The account used up its order count in this window."""
    return RefusedError(
        -1015, f"Too many new orders; current limit is {limit} orders per {window}.",
        429, retry_after_s,
    )


def engine_timeout() -> RefusedError:
    """The API gave up on the engine: executed or not, it does not say."""
    return RefusedError(
        -1007,
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
        408,
    )


def not_found(path: str) -> RefusedError:
    """No such route."""
    return RefusedError(-1000, f"Path {path}, Method is invalid", 404)


def gone() -> RefusedError:
    """A route that the exchange has shut down."""
    return RefusedError(-1000, "This endpoint is no longer available.", 410)


def under_maintenance() -> RefusedError:
    """The exchange is down for maintenance."""
    return RefusedError(-1016, "This service is no longer available.", 503)


def no_answer() -> RefusedError:
    """The mirrored exchange, whose answer this would be, gave none."""
    return RefusedError(
        -1001, "Internal error; unable to process your request. Please try again.", 500
    )
