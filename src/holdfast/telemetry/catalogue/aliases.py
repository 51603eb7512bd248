"""Names that others know and that no process should emit: recording rules make them.

A gauge that ends in `_total`, a ratio as percent, a rate that was computed where it is counted:
each of them misleads whoever sums or compares it. Not here: the rules' file (operations.alerts).
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue.metric import Alias

_USD: Final = '{currency=~"USD|USDT|USDC|FDUSD|TUSD|BUSD|DAI"}'
_DAY: Final = "(trading_unit_value / (trading_unit_value offset 1d) - 1)"


def _compared(name: str, value: str) -> Alias:
    """The canary's `value` minus that of the main release; `TRACK` stands for the matcher."""
    canary, main = (value.replace("TRACK", f'track="{track}"') for track in ("canary", "main"))
    why = "the track is a label of the target, given where nodes are listed"
    return Alias(f"canary:{name}:difference", f"({canary}) - ({main})", why)


_PERCENT: Final = "the base unit is a ratio"
_CURRENCY: Final = "the currency is a label; dollars and their stablecoins are summed"
_RATE: Final = "a rate belongs to who asks: over which time is his to say"

ALIASES: Final = (
    Alias("active_users_total", "sum(active_users)", "`_total` says counter, and it is a gauge"),
    Alias(
        "trading_order_fill_rate",
        'sum by (exchange, symbol) (increase(trading_orders_total{status="filled"}[1h])) / '
        'sum by (exchange, symbol) (increase(trading_orders_total{status="acknowledged"}[1h]))',
        "a ratio of two counters, so that it can be summed over nodes",
    ),
    Alias(
        "trading_position_pnl_usd", f"sum by (account, symbol) (trading_position_pnl{_USD})",
        _CURRENCY,
    ),
    Alias("trading_daily_pnl_usd", f"sum by (account) (trading_daily_pnl{_USD})", _CURRENCY),
    Alias("trading_max_drawdown_percent", "100 * trading_drawdown_ratio", _PERCENT),
    Alias(
        "trading_sharpe_ratio",
        f"365 ^ 0.5 * avg_over_time({_DAY}[30d:1d]) / stddev_over_time({_DAY}[30d:1d])",
        "of thirty days of returns; a process that began today does not have them",
    ),
    Alias("trading_volume_per_second", "sum by (currency) (rate(trading_volume_total[5m]))", _RATE),
    Alias("api_requests_per_second", "sum(rate(http_requests_total[1m]))", _RATE),
    Alias(
        "api_response_time_p95",
        "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
        "quantiles of processes cannot be added; histograms can",
    ),
    Alias(
        "market_volatility_index",
        "stddev_over_time(trading_current_price[1h]) / avg_over_time(trading_current_price[1h])",
        "of the last hour of prices, per symbol",
    ),
    _compared("daily_pnl", "sum(trading_daily_pnl{TRACK})"),
    _compared(
        "order_latency_p95_seconds",
        "histogram_quantile(0.95, "
        "sum by (le) (rate(trading_order_latency_seconds_bucket{TRACK}[5m])))",
    ),
    _compared(
        "order_fill_ratio",
        'sum(increase(trading_orders_total{status="filled", TRACK}[1h])) / '
        'sum(increase(trading_orders_total{status="acknowledged", TRACK}[1h]))',
    ),
    _compared(
        "exchange_error_ratio",
        "sum(rate(exchange_api_errors_total{TRACK}[5m])) / "
        "sum(rate(exchange_api_requests_total{TRACK}[5m]))",
    ),
)  # fmt: skip
