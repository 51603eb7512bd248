"""When budgets burn too fast: the bad share is the same all the time, so each window sees it."""

from __future__ import annotations

from tests.artefacts.alert_cases.notation import (
    API,
    BINANCE,
    A,
    Case,
    Cases,
    Said,
    Series,
    answers,
    o,
    s,
)

CASES = Cases()
fires, silent = CASES.fires, CASES.silent


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
