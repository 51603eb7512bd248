"""Labels, each with the bound that keeps it from growing.

No id of an order, no address, no user, no text of an error is ever a label. Not here: the metrics.
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue.metric import Label

ACCOUNT: Final = Label("account", 40, "name of the exchange account")
BOT: Final = Label("bot", 5, "name of the bot; empty for the whole account")
SYMBOL: Final = Label("symbol", 5, "market, `BTC/USDT`")
SIDE: Final = Label("side", 2, "`buy`, `sell`")
# Both follow from the account.
EXCHANGE: Final = Label("exchange", 1, "kind of the exchange, `binance`")
CURRENCY: Final = Label("currency", 1, "what the amount is in, `USDT`")
ASSET: Final = Label("asset", 4, "what was paid in, `BNB`")
ORDER_STATUS: Final = Label(
    "status", 8,
    "`placed` (armed), `acknowledged`, `filled`, `cancelled`, `rejected`, `not_sent`, `in_doubt`, "
    "`never_executed`; an order passes several",
)  # fmt: skip
TRADE_STATUS: Final = Label("status", 2, "`ours`, `foreign` (of an order that no bot made)")
ENDPOINT: Final = Label("endpoint", 4, "class: `order`, `cancel`, `query`, `market`")
BREAKER: Final = Label("endpoint", 3, "class: `order`, `cancel`, `query`")
API_OUTCOME: Final = Label("outcome", 2, "`answered`, `failed`")
ERROR_TYPE: Final = Label(
    "error_type", 6,
    "`timeout`, `connection`, `throttled`, `maintenance`, `unauthorized`, `unusable`",
)  # fmt: skip
STREAM: Final = Label("stream", 3, "`account`, `market`, `book`")
LIMIT: Final = Label("limit", 3, "`weight`, `orders`, `requests`")
RULE: Final = Label("rule", 24, "the limit or check that refused")
PHASE: Final = Label("phase", 2, "`ready` (may trade again), `first_order`")
RESTED: Final = Label("cause", 4, "`handover`, `stop`, `deposed`, `failure` (it did not rest)")
COMMIT: Final = Label("kind", 2, "`arming` (what an order waits for), `other`")
AGREEMENT: Final = Label("outcome", 2, "`agreed`, `differed`")
OURS: Final = Label("origin", 2, "`ours` (the journal is behind), `other`")
CONDITION: Final = Label("condition", 5, "`running`, `draining`, `halted`, `stopped`, `failed`")

METHOD: Final = Label("method", 2, "HTTP method; rare ones are `other`")
ROUTE: Final = Label("endpoint", 110, "template of the route; `none` where no route was found")
HTTP_STATUS: Final = Label("status", 8, "HTTP status")
SIGN_IN: Final = Label("event", 24, "kind of the fact, `signed_in`, `sign_in_failed`, …")
SOCKETS: Final = Label("kind", 2, "`socket`, `events`")

JOB_STATE: Final = Label("state", 6, "state of the job")
POOL: Final = Label("state", 2, "`in_use`, `idle`")
REDIS_USE: Final = Label("use", 3, "`rates`, `cache`, `leases`")
REDIS_OUTCOME: Final = Label("outcome", 2, "`answered`, `failed`")

PROCESS: Final = Label(
    "process", 3, "`supervisor`, `keeper`, `account`, `teller`, `api`, `worker`"
)
GENERATION: Final = Label("generation", 3, "of Python's garbage collector")
VERSION: Final = Label("version", 1, "of the program")
REVISION: Final = Label("revision", 1, "git commit that it was built from; empty when unknown")
