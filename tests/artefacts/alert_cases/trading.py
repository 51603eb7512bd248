"""When the alerts about trading that wait for business hours fire, and when they just do not."""

from __future__ import annotations

from collections.abc import Mapping

from tests.artefacts.alert_cases.notation import BINANCE, LED, A, B, Cases, Series, o, s

CASES = Cases()
fires, silent, grows, above = CASES.fires, CASES.silent, CASES.grows, CASES.above

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
