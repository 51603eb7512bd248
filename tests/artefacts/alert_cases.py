"""When each alert fires, what it says then, and what just does not suffice: series for promtool.

Not here: asking promtool (test_alert_cases).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

Series = Mapping[str, str]


class Said(msgspec.Struct, frozen=True):
    """An alert that fires: its labels beside name and severity, and its sentence."""

    labels: Mapping[str, str]
    summary: str


class Case(msgspec.Struct, frozen=True):
    """What is seen, in promtool's notation, and what comes of it at a moment.

    Attributes:
        name: of the alert.
        what: the situation.
        fires: what is told; nothing where it stays silent.
        step: between two samples.
    """

    name: str
    what: str
    series: Series
    fires: Sequence[Said]
    at: str
    step: str


CASES: list[Case] = []


def fires(
    name: str, what: str, series: Series, says: str, /, *, at: str = "12m", step: str = "10s",
    **labels: str,
) -> None:  # fmt: skip
    CASES.append(Case(name, what, series, [Said(labels, says)], at, step))


def silent(name: str, what: str, series: Series, *, at: str = "12m", step: str = "10s") -> None:
    CASES.append(Case(name, what, series, [], at, step))


def s(name: str, /, **labels: str) -> str:
    """A series of the account `main`."""
    return _of(name, {"account": "main", **labels})


def o(name: str, /, **labels: str) -> str:
    """A series of no account."""
    return _of(name, labels)


def _of(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


A, B = {"instance": "a:9090", "job": "trading"}, {"instance": "b:9090", "job": "trading"}
BINANCE = {"exchange": "binance"}
REACHED_BY_A = s("exchange_reachable", **BINANCE, **A)
REACHED_BY_B = s("exchange_reachable", **BINANCE, **B)
LED = {s("trading_leader", **A): "1x800", s("trading_leader", **B): "0x800"}


def grows(
    name: str, what: str, series: str, limit: int, says: str, window_m: int = 10, /,
    **labels: str,
) -> None:  # fmt: skip
    """An alert on a counter that grew by more than `limit` in a window of so many minutes."""
    fires(
        name, f"{what}, {limit + 1} of them", {series: f"0x60 {limit + 1}x60"}, says, at="12m",
        **labels,
    )
    fires(
        name, f"{what}, in a process that has just begun", {series: f"_x60 {limit + 1}x60"}, says,
        at="12m", **labels,
    )  # fmt: skip
    if limit:
        silent(name, f"{what}, {limit} of them", {series: f"0x60 {limit}x60"}, at="12m")
    silent(name, f"{what}, but long ago", {series: f"{limit + 1}x500"}, at=f"{window_m + 15}m")
    silent(
        name, f"{what}, long ago, and two scrapes missed since",
        {series: f"{limit + 1}x300 stale _x1 {limit + 1}x500"}, at=f"{50 + window_m}m10s",
    )  # fmt: skip
    silent(
        name, f"{what}, and then no Prometheus for a quarter of an hour",
        {series: f"{limit + 1}x60 _x90 {limit + 1}x500"}, at=f"{24 + window_m}m",
    )  # fmt: skip
    fires(
        name, f"{what}, while there was no Prometheus for a quarter of an hour",
        {series: f"0x60 _x90 {limit + 1}x500"}, says, at=f"{24 + window_m}m", **labels,
    )  # fmt: skip


def above(
    name: str, what: str, series: str, over: float, limit: float, says: str,
    beside: Series | None = None, /, **labels: str,
) -> None:  # fmt: skip
    """An alert on a gauge that is over (or under) its limit."""
    fires(name, what, {series: f"{over:g}x200", **(beside or {})}, says, **labels)
    silent(name, f"{what}: just not", {series: f"{limit:g}x200", **(beside or {})})


# -- what pages at any hour

fires(
    "TradingBotDown", "no node answers", {o("up", **A): "0x20", o("up", **B): "0x20"},
    "No trading node answers: nothing trades, and nothing watches the positions.",
    at="2m",
)  # fmt: skip
fires(
    "TradingBotDown", "the targets are gone", {o("up", **A): "1x20 stale"},
    "No trading node answers: nothing trades, and nothing watches the positions.",
    at="6m",
)  # fmt: skip
silent("TradingBotDown", "one of two is left", {o("up", **A): "0x99", o("up", **B): "1x99"})

_NO_LEADER = "No node leads the account main: it does not trade."
fires(
    "NoLeader", "two nodes, and none leads",
    {s("trading_leader", **A): "0x20", s("trading_leader", **B): "0x20"},
    _NO_LEADER, at="1m", account="main",
)  # fmt: skip
fires(
    "NoLeader", "its series are gone", {s("trading_leader", **A): "1x20 stale"},
    _NO_LEADER, at="5m", account="main",
)  # fmt: skip
silent("NoLeader", "one leads", LED)
silent(
    "NoLeader", "a failover that one scrape sees",
    {s("trading_leader", **A): "1x10 0x20", s("trading_leader", **B): "0x11 1x20"}, at="2m",
)  # fmt: skip

fires(
    "SplitBrain", "both believe to lead",
    {s("trading_leader", **A): "1x20", s("trading_leader", **B): "1x20"},
    "2 nodes believe that they lead the account main; the journal lets only one of them order.",
    at="1m", account="main",
)  # fmt: skip
silent("SplitBrain", "one leads", LED)
silent(
    "SplitBrain", "a handover between two scrapes",
    {s("trading_leader", **A): "1x10 0x20", s("trading_leader", **B): "0x9 1x20"}, at="100s",
)  # fmt: skip

_PNL = {"currency": "USDT"}
above(
    "ExcessiveLoss", "1001 lost today", s("trading_daily_pnl", **_PNL, **A), -1001, -1000,
    "main is at -1.001k USDT since 00:00 UTC.", LED, account="main", currency="USDT",
)  # fmt: skip
fires(
    "ExcessiveLoss", "at once", {s("trading_daily_pnl", **_PNL, **A): "-1001", **LED},
    "main is at -1.001k USDT since 00:00 UTC.", at="0s", account="main", currency="USDT",
)  # fmt: skip
silent(
    "ExcessiveLoss", "what a node shows that leads no more",
    {s("trading_daily_pnl", **_PNL, **B): "-5000x200", **LED},
)  # fmt: skip

above(
    "OrderInDoubtTooLong", "a minute without evidence", s("trading_doubt_oldest_seconds", **A),
    61, 60, "Nobody knows for 1m 1s what became of an order of main.", account="main",
)  # fmt: skip
grows(
    "GhostOrder", "an order that was declared absent executed", s("trading_ghosts_total", **A), 0,
    "An order of main executed that had been declared absent, or twice. The account halts.",
    account="main",
)  # fmt: skip
fires(
    "GhostOrder", "one in a process that began while there was no Prometheus",
    {s("trading_ghosts_total", **A): "2x60 _x90 1x500"},
    "An order of main executed that had been declared absent, or twice. The account halts.",
    at="34m", account="main",
)  # fmt: skip
silent("GhostOrder", "none", {s("trading_ghosts_total", **A): "0x200"})
grows(
    "JournalBehind", "orders of ours without a row",
    s("trading_foreign_orders_total", origin="ours", **A), 0,
    "The exchange has orders of ours that the journal of main does not know: it is an old copy.",
    account="main",
)  # fmt: skip
silent(
    "JournalBehind", "orders of somebody else",
    {s("trading_foreign_orders_total", origin="other", **A): "0x60 3x60"}, at="12m",
)  # fmt: skip

_MISMATCH = "Balances or orders of main are not what the journal says."
grows(
    "PositionMismatch", "a comparison that differed",
    s("trading_reconciliations_total", outcome="differed", **A), 0, _MISMATCH, account="main",
)  # fmt: skip
above(
    "PositionMismatch", "something in quarantine", s("trading_quarantined", **A), 1, 0, _MISMATCH,
    account="main",
)  # fmt: skip
silent(
    "PositionMismatch", "comparisons that agree",
    {s("trading_reconciliations_total", outcome="agreed", **A): "0+1x200"},
)  # fmt: skip
grows(
    "PositionClosureFailure", "exits that fail", s("position_close_failures_total", **A), 3,
    "4 orders that should reduce positions of main failed within five minutes.", 5, account="main",
)  # fmt: skip
above(
    "JournalStuck", "a commit that does not end", s("journal_commit_age_seconds", **A), 6, 5,
    "No commit of main has come about for 6s: no order can be armed.", account="main",
)  # fmt: skip
fires(
    "ExchangeUnreachable", "no node reaches it",
    {REACHED_BY_A: "0x99", REACHED_BY_B: "0x99"},
    "No node reaches the exchange binance for main.", at="1m", account="main", exchange="binance",
)  # fmt: skip
fires(
    "ExchangeUnreachable", "no node reaches it, and one of them is gone",
    {REACHED_BY_A: "1x10 0x99", REACHED_BY_B: "1x10 stale"},
    "No node reaches the exchange binance for main.", at="7m", account="main", exchange="binance",
)  # fmt: skip
silent(
    "ExchangeUnreachable", "for one scrape of each",
    {REACHED_BY_A: "1x10 0 1x20", REACHED_BY_B: "1x10 0 1x20"}, at="5m30s",
)  # fmt: skip
silent(
    "ExchangeUnreachable", "nobody has asked it yet",
    {s("trading_leader", **A): "0x99", s("trading_leader", **B): "0x99"},
)  # fmt: skip
silent(
    "ExchangeUnreachable", "the other one does",
    {REACHED_BY_A: "0x99", REACHED_BY_B: "1x99"},
)  # fmt: skip
fires(
    "TradingBotCantConnect", "no lease can be renewed",
    {o("cluster_lease_left_seconds", **A): "0x99", o("cluster_lease_left_seconds", **B): "0x99"},
    "No node can renew its lease: the lease store does not answer.", at="2m", job="trading",
)  # fmt: skip
silent(
    "TradingBotCantConnect", "one of them can",
    {o("cluster_lease_left_seconds", **A): "0x99", o("cluster_lease_left_seconds", **B): "2x99"},
)  # fmt: skip
above(
    "StoreDown", "PostgreSQL does not answer", o("pg_up", instance="db:9187"), 0, 1,
    "PostgreSQL at db:9187 does not answer: nothing new is ordered.", instance="db:9187",
)  # fmt: skip

# -- trading

above(
    "NodeDown", "one node does not answer", o("up", **A), 0, 1,
    "The trading node a:9090 does not answer.", **A,
)  # fmt: skip
fires(
    "StandbyMissing", "the standby that was there is not warm",
    {s("trading_standby_ready", **A): "0x99", s("trading_standby_ready", **B): "1x20 0x99"},
    "Nobody could take main over: there is no warm standby.", at="10m", account="main",
)  # fmt: skip
fires(
    "StandbyMissing", "the standby's node is gone",
    {s("trading_standby_ready", **A): "0x99", s("trading_standby_ready", **B): "1x20 stale"},
    "Nobody could take main over: there is no warm standby.", at="10m", account="main",
)  # fmt: skip
silent("StandbyMissing", "there never was one", {s("trading_standby_ready", **A): "0x200"})
silent(
    "StandbyMissing", "the roles were changed",
    {s("trading_standby_ready", **A): "0x20 1x99", s("trading_standby_ready", **B): "1x20 0x99"},
    at="10m",
)  # fmt: skip
grows(
    "FailoversRepeat", "leaders that fail", s("trading_takeovers_total", cause="failure", **A), 2,
    "main was taken over 3 times within an hour because its leader failed.", 60, account="main",
)  # fmt: skip
silent(
    "FailoversRepeat", "handovers by plan",
    {s("trading_takeovers_total", cause="handover", **A): "0x60 9x60"}, at="12m",
)  # fmt: skip
grows(
    "FenceRefusals", "one who leads no more goes on writing",
    s("journal_fence_refusals_total", **A), 3,
    "A node that does not lead main any more goes on writing; the journal refused it 4 times.", 5,
    account="main",
)  # fmt: skip
above(
    "TradingHalted", "the account", s("trading_halt_level", bot="", **A), 1, 0,
    "Trading halted: main, level 1.", account="main",
)  # fmt: skip
fires(
    "TradingHalted", "the account, and with it its bots",
    {s("trading_halt_level", bot="", **A): "2x99",
     s("trading_halt_level", bot="trend", **A): "2x99"},
    "Trading halted: main, level 2.", at="5m", account="main",
)  # fmt: skip
fires(
    "TradingHalted", "one bot",
    {s("trading_halt_level", bot="", **A): "0x99",
     s("trading_halt_level", bot="trend", **A): "3x99"},
    "Trading halted: main, bot trend, level 3.", at="5m", account="main", bot="trend",
)  # fmt: skip
above(
    "CircuitBreakerOpen", "orders", s("exchange_breaker_state", endpoint="order", **BINANCE, **A),
    2, 1, "Trading halted: the circuit breaker for order requests of main is open; "
    "exits and cancels go on.",
    account="main", endpoint="order", **BINANCE,
)  # fmt: skip
above(
    "ExchangeMaintenance", "it says so", s("exchange_maintenance", **BINANCE, **A), 1, 0,
    "The exchange of main is under maintenance: nothing is opened.", account="main", **BINANCE,
)  # fmt: skip
above(
    "BotFailed", "its strategy raised",
    s("trading_bot_condition", bot="trend", condition="failed", **A), 1, 0,
    "The bot trend of main failed; its position stays.",
    {s("trading_bot_condition", bot="grid", condition="stopped", **A): "1x200"},
    account="main", bot="trend",
)  # fmt: skip
grows(
    "AccountRestarts", "a process that ends again and again",
    s("trading_process_restarts_total", **A), 3,
    "The process of main on a:9090 was begun again 4 times within ten minutes.",
    account="main", instance="a:9090",
)  # fmt: skip
above(
    "KeyRefused", "nobody may ask for the account",
    s("exchange_key_taken", **BINANCE, **A), 0, 1,
    "binance refuses the key of main on a:9090: nothing trades there.",
    account="main", instance="a:9090", **BINANCE,
)  # fmt: skip
fires(
    "KeyRefused", "a standby's, which could not take over",
    {s("exchange_key_taken", **BINANCE, **A): "1x200",
     s("exchange_key_taken", **BINANCE, **B): "0x200", **LED},
    "binance refuses the key of main on b:9090: nothing trades there.",
    account="main", instance="b:9090", **BINANCE,
)  # fmt: skip
silent(
    "KeyRefused", "a key that is replaced",
    {s("exchange_key_taken", **BINANCE, **A): "1x60 0 1x60"}, at="10m20s",
)
above(
    "AccountStreamDown", "the leader hears nothing", s("exchange_stream_up", **BINANCE, **A), 0, 1,
    "main hears nothing of its orders from binance, and asks instead.", LED,
    account="main", **BINANCE,
)  # fmt: skip
silent(
    "AccountStreamDown", "a standby that listens to none",
    {s("exchange_stream_up", **BINANCE, **A): "1x200",
     s("exchange_stream_up", **BINANCE, **B): "0x200", **LED},
)  # fmt: skip
grows(
    "WebsocketFlapping", "a stream that goes down again and again",
    s("exchange_websocket_disconnects_total", stream="market", **BINANCE, **A), 5,
    "The market stream of main went down 6 times within ten minutes.",
    account="main", stream="market", **BINANCE,
)  # fmt: skip
grows(
    "ForeignOrder", "an order of somebody else",
    s("trading_foreign_orders_total", origin="other", **A), 0,
    "Somebody else places orders on main.", account="main",
)  # fmt: skip
silent(
    "ForeignOrder", "one of ours, which is another alert's",
    {s("trading_foreign_orders_total", origin="ours", **A): "0x60 1x60"}, at="12m",
)  # fmt: skip
fires(
    "VersionsDiffer", "a release that was not finished",
    {o("holdfast_build_info", version="0.2.0", **A): "1x90",
     o("holdfast_build_info", version="0.3.0", **B): "1x90"},
    "2 versions of Holdfast have run beside each other for an hour.", at="65m", step="1m",
)  # fmt: skip
silent(
    "VersionsDiffer", "a release that takes its time",
    {o("holdfast_build_info", version="0.2.0", **A): "1x50 stale",
     o("holdfast_build_info", version="0.3.0", **B): "1x90"}, at="65m", step="1m",
)  # fmt: skip


def slow(
    name: str, what: str, metric: str, bound: str, over: str, bad: str, fine: str, says: str,
    beside: Mapping[str, str], /, **labels: str,
) -> None:  # fmt: skip
    """An alert on a quantile: of every ten, `bad` are within the bound, or just enough `fine`."""

    def histogram(within: str) -> Series:
        rows = {bound: within, over: "0+10x200", "+Inf": "0+10x200"}
        return {s(f"{metric}_bucket", le=le, **beside, **A): value for le, value in rows.items()}

    fires(name, what, histogram(bad), says, **labels)
    silent(name, f"{what}: just not", histogram(fine))


slow(
    "HighOrderLatency", "one of ten takes longer", "trading_order_latency_seconds", "0.5", "1.0",
    "0+9x200", "0+9.51x200", "Orders of main take 750ms (95th percentile).", BINANCE,
    account="main", **BINANCE,
)  # fmt: skip
slow(
    "OrderPathSlow", "one of ten takes us longer", "trading_order_first_byte_seconds", "0.02",
    "0.05", "0+9x200", "0+9.51x200",
    "Our own part of an order of main takes 35ms (95th percentile).", {}, account="main",
)  # fmt: skip
slow(
    "JournalSlow", "two of a hundred wait", "journal_append_seconds", "0.1", "0.5", "0+9.8x200",
    "0+9.91x200", "Orders of main wait 300ms for the journal (99th percentile).",
    {"kind": "arming"}, account="main",
)  # fmt: skip


def failing(requests: str, errors: str) -> Series:
    """What was asked of the exchange every ten seconds, and what of it failed."""
    return {
        s("exchange_api_requests_total", endpoint="query", outcome="answered", **BINANCE, **A):
            requests,
        s("exchange_api_errors_total", error_type="timeout", **BINANCE, **A): errors,
    }  # fmt: skip


fires(
    "ExchangeAPIErrors", "11 % fail", failing("0+10x200", "0+1.1x200"),
    "11% of the requests of main to binance get no usable answer.", account="main", **BINANCE,
)  # fmt: skip
silent("ExchangeAPIErrors", "9.9 % fail", failing("0+10x200", "0+0.99x200"))
silent("ExchangeAPIErrors", "hardly anything is asked", failing("0+0.5x200", "0+0.5x200"))
above(
    "RateBudgetLow", "less than a fifth is left",
    s("exchange_rate_budget_ratio", limit="weight", **BINANCE, **A), 0.19, 0.2,
    "19% of the weight limit of binance is left for main.", account="main", limit="weight",
    **BINANCE,
)  # fmt: skip
above(
    "StaleMarketData", "nothing came for 31 s", s("trading_data_age_seconds", bot="trend", **A),
    31, 30, "The newest market data of trend (main) is 31s old.", LED, account="main", bot="trend",
)  # fmt: skip
above(
    "LoopStalled", "the loop does not turn", s("trading_loop_age_seconds", **A), 11, 10,
    "The process of main on a:9090 has not been seen to turn for 11s.", LED,
    account="main", instance="a:9090",
)  # fmt: skip
fires(
    "LoopStalled", "no heartbeat since a minute",
    {s("trading_heartbeat_timestamp_seconds", **A): "0+10x6 60x20", **LED,
     s("trading_loop_age_seconds", **A): "0x99"},
    "The process of main on a:9090 has not been seen to turn for 1m 0s.", at="2m",
    account="main", instance="a:9090",
)  # fmt: skip
silent(
    "LoopStalled", "a heartbeat with each scrape",
    {s("trading_heartbeat_timestamp_seconds", **A): "0+10x99", **LED}, at="10m",
)  # fmt: skip


def orders(taken: str, filled: str) -> Series:
    """Orders that the exchange took, and those of them that were filled."""
    labels = {"symbol": "BTC/USDT", "side": "buy", **BINANCE, **A}
    return {
        s("trading_orders_total", status="acknowledged", **labels): taken,
        s("trading_orders_total", status="filled", **labels): filled,
    }


fires(
    "LowOrderFillRate", "six of ten are filled", orders("0+1x300", "0+0.6x300"),
    "60% of the orders of main in BTC/USDT were filled within an hour.", at="30m", account="main",
    symbol="BTC/USDT", **BINANCE,
)  # fmt: skip
fires(
    "LowOrderFillRate", "none is filled",
    {name: value for name, value in orders("0+1x300", "").items() if value},
    "0% of the orders of main in BTC/USDT were filled within an hour.", at="30m", account="main",
    symbol="BTC/USDT", **BINANCE,
)  # fmt: skip
silent("LowOrderFillRate", "seven of ten are filled", orders("0+1x300", "0+0.7x300"), at="30m")
silent("LowOrderFillRate", "too few to judge", orders("9x300", "0x300"), at="30m")
above(
    "HighDrawdown", "11 % under the peak", s("trading_drawdown_ratio", **A), 0.11, 0.1,
    "main is 11% below its highest equity.", LED, account="main",
)  # fmt: skip

# -- machines and services

API = {"instance": "api:9090", "job": "api"}
above(
    "TargetDown", "a process of the API", o("up", **API), 0, 1,
    "1 of the targets of api are down or gone.", job="api",
)  # fmt: skip
fires(
    "TargetDown", "the workers are not even looked for",
    {o("up", instance="w:9090", job="worker"): "1x30 stale"},
    "1 of the targets of worker are down or gone.", at="10m", job="worker",
)  # fmt: skip
above(
    "RedisConnectionFailed", "it does not answer", o("redis_up", instance="redis:9121"), 0, 1,
    "Redis at redis:9121 does not answer.", instance="redis:9121",
)  # fmt: skip
grows(
    "PoolExhausted", "readers that wait in vain", o("db_pool_timeouts_total", **API), 0,
    "Readers at api:9090 waited in vain for a database connection.", 5, **API,
)  # fmt: skip
grows(
    "SignInFailures", "wrong passwords", o("auth_events_total", event="sign_in_failed", **API), 20,
    "21 sign-ins failed within five minutes.", 5,
)  # fmt: skip
grows(
    "AlertingBroken", "a channel that cannot be told",
    o("alertmanager_notifications_failed_total", integration="slack", instance="am:9093"), 0,
    "Alerts get lost: slack cannot be told.", 5, integration="slack",
)  # fmt: skip
grows(
    "AlertingBroken", "rules that fail",
    o("prometheus_rule_evaluation_failures_total", rule_group="trading", instance="p:9091"), 0,
    "Alerts get lost: the rules trading fail.", 5, rule_group="trading",
)  # fmt: skip
above(
    "AlertingBroken", "no Alertmanager",
    o("prometheus_notifications_alertmanagers_discovered", instance="p:9091"), 0, 1,
    "Alerts get lost.", instance="p:9091",
)  # fmt: skip


def memory(used: int, most: int) -> Series:
    """What a container holds, and what it may."""
    labels = {"id": "/docker/1", "name": "node", "instance": "host:8080"}
    return {
        o("container_memory_working_set_bytes", **labels): f"{used}x200",
        o("container_spec_memory_limit_bytes", **labels): f"{most}x200",
    }


fires(
    "HighMemoryUsage", "81 of 100", memory(81, 100),
    "node at host:8080 uses 81% of the memory that it may.",
    id="/docker/1", name="node", instance="host:8080",
)  # fmt: skip
silent("HighMemoryUsage", "80 of 100", memory(80, 100))
silent("HighMemoryUsage", "no limit", memory(81, 0))


def disk(free: int, fstype: str) -> Series:
    """What is free of a hundred."""
    labels = {"device": "/dev/vda1", "fstype": fstype, "mountpoint": "/data", "instance": "host"}
    return {
        o("node_filesystem_avail_bytes", **labels): f"{free}x200",
        o("node_filesystem_size_bytes", **labels): "100x200",
    }


fires(
    "LowDiskSpace", "9 of 100 are free", disk(9, "ext4"), "9% of /data at host is free.",
    device="/dev/vda1", fstype="ext4", mountpoint="/data", instance="host",
)  # fmt: skip
silent("LowDiskSpace", "10 of 100 are free", disk(10, "ext4"))
silent("LowDiskSpace", "a file system in memory", disk(1, "tmpfs"))
_CLOCK = "The clocks of a:9090 and of the exchange of main are apart, or nobody knows how far."
_OFF = s("exchange_clock_offset_seconds", **BINANCE, **A)
above(
    "ClockSkew", "the host's clock is fast", _OFF, 0.6, 0.5, _CLOCK, account="main",
    instance="a:9090",
)  # fmt: skip
above(
    "ClockSkew", "the host's clock is slow", _OFF, -0.6, -0.5, _CLOCK, account="main",
    instance="a:9090",
)  # fmt: skip
silent("ClockSkew", "it is off for less than a minute", {_OFF: "0x10 5x4 0x60"}, at="2m30s")
silent("ClockSkew", "nobody measures it", {_OFF: "_x99"})
above(
    "ClockSkew", "the exchange's clock was not asked for long",
    s("exchange_clock_sample_age_seconds", **BINANCE, **A), 31, 30, _CLOCK,
    account="main", instance="a:9090",
)  # fmt: skip
above(
    "ClockSkew", "the exchange's clock is hardly known",
    s("exchange_clock_uncertainty_seconds", **BINANCE, **A), 0.6, 0.5, _CLOCK,
    account="main", instance="a:9090",
)  # fmt: skip


def bill(spent: float, provider: str = "aws") -> Series:
    """Of a budget of five hundred, as two machines tell it."""
    return {
        o(f"cloud_cost_{what}", provider=provider, instance=f"{machine}:9100"): f"{value:g}x200"
        for machine in ("a", "b")
        for what, value in (("month_to_date", spent), ("budget", 500))
    }


fires(
    "CostBudget", "81 of 100", bill(405), "aws has cost 81% of the month's budget.",
    provider="aws",
)  # fmt: skip
silent("CostBudget", "80 of 100", bill(400))
silent("CostBudget", "80 of 100 at each of two providers", {**bill(400), **bill(400, "hetzner")})
silent(
    "CostBudget", "no budget", {
        o("cloud_cost_month_to_date", provider="aws"): "405x200",
        o("cloud_cost_budget", provider="aws"): "0x200",
    },
)  # fmt: skip
# The clock of promtool begins at 1970: what was written three days before is negative.
_BILL = o("node_textfile_mtime_seconds", file="/textfile/aws.cloud_cost.prom", instance="host")
fires(
    "CostBudget", "nobody says it any more", {_BILL: f"{-3 * 86_400}x200"},
    "Nobody has written /textfile/aws.cloud_cost.prom for 3d 0h 12m 0s, so that nobody knows what "
    "it costs.", file="/textfile/aws.cloud_cost.prom",
)  # fmt: skip
silent("CostBudget", "said yesterday", {_BILL: f"{-86_400}x200"})
silent(
    "CostBudget", "another file",
    {o("node_textfile_mtime_seconds", file="/textfile/apt.prom", instance="host"): "-999999x200"},
)  # fmt: skip


def answers(fine: str, failed: str) -> Series:
    """What the API answered every ten seconds."""
    labels = {"method": "GET", "endpoint": "/api/v1/bots", **API}
    return {
        o("http_requests_total", status="200", **labels): fine,
        o("http_requests_total", status="503", **labels): failed,
    }


fires(
    "HighErrorRate", "1.1 % fail", answers("0+98.9x200", "0+1.1x200"),
    "1.1% of the API's answers are failures of ours.",
)  # fmt: skip
silent("HighErrorRate", "0.9 % fail", answers("0+99.1x200", "0+0.9x200"))
silent("HighErrorRate", "hardly anybody asks", answers("0+0.1x200", "0+0.1x200"))
_DELAYED = "Background jobs wait: too many of them, or their database does not answer."
above("JobsDelayed", "101 wait", o("celery_queue_length"), 101, 100, _DELAYED)
above("JobsDelayed", "their database is gone", o("jobs_up"), 0, 1, _DELAYED)
_UNTOLD = "Users are not told what happens: a channel fails, or nobody delivers."
above("NotificationsDelayed", "901 s", o("notify_oldest_wait_seconds"), 901, 900, _UNTOLD)
above("NotificationsDelayed", "nobody delivers", o("notify_serving"), 0, 1, _UNTOLD)

# -- objectives: the bad share is the same all the time, so each window sees the same


def burns(name: str, slo: str, series: Series, said: str, /, *windows: str, **labels: str) -> None:
    found = [Said({"slo": slo, "window": one, **labels}, said.format(one)) for one in windows]
    what = f"beyond {', '.join(windows)}" if windows else "within its budget"
    CASES.append(Case(name, what, series, found, "1h", "1m"))


def engine(led: float, share: str, *windows: str) -> None:
    burns(
        "EngineAvailabilityBurn", "engine_availability", {s("trading_leader", **A): f"{led}x90"},
        f"main is without a leader too often: {share} within {{}}; the objective allows 0.05%.",
        *windows, account="main",
    )  # fmt: skip


engine(0.99, "1%", "1h", "6h", "3d")
engine(0.995, "0.5%", "6h", "3d")
engine(0.999, "0.1%", "3d")
engine(0.9996, "")
silent(
    "EngineAvailabilityBurn", "an installation that has just begun",
    {s("trading_leader", **A): "0x2 1x20"}, at="4m", step="1m",
)  # fmt: skip


def late(within: float, share: str, *windows: str) -> None:
    burns(
        "OrderLatencyBurn", "order_latency",
        {
            s("trading_order_latency_seconds_bucket", le="0.2", **BINANCE, **A): f"0+{within}x90",
            s("trading_order_latency_seconds_count", **BINANCE, **A): "0+100x90",
        },
        f"Orders of main are slow too often: {share} within {{}}; the objective allows 5%.",
        *windows, account="main",
    )  # fmt: skip
    route = {"method": "GET", "endpoint": "/api/v1/bots", **API}
    stream = {"method": "GET", "endpoint": "/api/v1/events", **API}
    burns(
        "ApiLatencyBurn", "api_latency",
        {
            o("http_request_duration_seconds_bucket", le="0.1", **route): f"0+{within}x90",
            o("http_request_duration_seconds_count", **route): "0+100x90",
            o("http_requests_total", status="200", **route): "0+100x90",
            o("http_request_duration_seconds_bucket", le="0.1", **stream): "0x90",
            o("http_request_duration_seconds_count", **stream): "0+900x90",
        },
        f"The API is slow too often: {share} within {{}}; the objective allows 5%.", *windows,
    )  # fmt: skip


late(20, "80%", "1h", "6h", "3d")
late(60, "40%", "6h", "3d")
late(90, "10%", "3d")
late(96, "")
silent(
    "OrderLatencyBurn", "the only orders of an hour",
    {
        s("trading_order_latency_seconds_bucket", le="0.2", **BINANCE, **A): "0x90",
        s("trading_order_latency_seconds_count", **BINANCE, **A): "0x55 10x35",
    },
    at="1h", step="1m",
)  # fmt: skip


def failed(bad: float, share: str, *windows: str) -> None:
    burns(
        "ApiAvailabilityBurn", "api_availability",
        answers(f"0+{10000 - bad:g}x90", f"0+{bad:g}x90"),
        f"The API fails too often: {share} within {{}}; the objective allows 0.1%.", *windows,
    )  # fmt: skip


failed(150, "1.5%", "1h", "6h", "3d")
failed(100, "1%", "6h", "3d")
failed(20, "0.2%", "3d")
failed(9, "")
silent(
    "ApiAvailabilityBurn", "the only requests of an hour", answers("0x90", "0x55 30x35"), at="1h",
    step="1m",
)  # fmt: skip
