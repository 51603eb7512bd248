"""How situations of alerts are written: series for promtool, what fires, and what stays silent.

Not here: the situations, in modules that are called like those of the rules; asking promtool
(test_alert_cases).
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


class Cases(list[Case]):
    """Situations of alerts of one kind, in the order in which they are told."""

    def fires(
        self, name: str, what: str, series: Series, says: str, /, *, at: str = "12m",
        step: str = "10s", **labels: str,
    ) -> None:  # fmt: skip
        """An alert that fires, with its sentence."""
        self.append(Case(name, what, series, [Said(labels, says)], at, step))

    def silent(
        self, name: str, what: str, series: Series, *, at: str = "12m", step: str = "10s"
    ) -> None:
        """An alert for which that does not suffice."""
        self.append(Case(name, what, series, [], at, step))

    def grows(
        self, name: str, what: str, series: str, limit: int, says: str, window_m: int = 10, /,
        **labels: str,
    ) -> None:  # fmt: skip
        """An alert on a counter that grew by more than `limit` in a window of so many minutes."""
        self.fires(
            name, f"{what}, {limit + 1} of them", {series: f"0x60 {limit + 1}x60"}, says, at="12m",
            **labels,
        )
        self.fires(
            name, f"{what}, in a process that has just begun",
            {series: f"_x60 {limit + 1}x60"}, says, at="12m", **labels,
        )  # fmt: skip
        if limit:
            self.silent(name, f"{what}, {limit} of them", {series: f"0x60 {limit}x60"}, at="12m")
        self.silent(
            name, f"{what}, but long ago", {series: f"{limit + 1}x500"}, at=f"{window_m + 15}m"
        )
        self.silent(
            name, f"{what}, long ago, and two scrapes missed since",
            {series: f"{limit + 1}x300 stale _x1 {limit + 1}x500"}, at=f"{50 + window_m}m10s",
        )  # fmt: skip
        self.silent(
            name, f"{what}, and then no Prometheus for a quarter of an hour",
            {series: f"{limit + 1}x60 _x90 {limit + 1}x500"}, at=f"{24 + window_m}m",
        )  # fmt: skip
        self.fires(
            name, f"{what}, while there was no Prometheus for a quarter of an hour",
            {series: f"0x60 _x90 {limit + 1}x500"}, says, at=f"{24 + window_m}m", **labels,
        )  # fmt: skip

    def above(
        self, name: str, what: str, series: str, over: float, limit: float, says: str,
        beside: Series | None = None, /, **labels: str,
    ) -> None:  # fmt: skip
        """An alert on a gauge that is over (or under) its limit."""
        self.fires(name, what, {series: f"{over:g}x200", **(beside or {})}, says, **labels)
        self.silent(name, f"{what}: just not", {series: f"{limit:g}x200", **(beside or {})})


def s(name: str, /, **labels: str) -> str:
    """A series of the account `main`."""
    return _of(name, {"account": "main", **labels})


def o(name: str, /, **labels: str) -> str:
    """A series of no account."""
    return _of(name, labels)


def _of(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


A, B = {"instance": "a:9090", "job": "trading"}, {"instance": "b:9090", "job": "trading"}
API = {"instance": "api:9090", "job": "api"}
BINANCE = {"exchange": "binance"}
LED = {s("trading_leader", **A): "1x800", s("trading_leader", **B): "0x800"}


def answers(fine: str, failed: str) -> Series:
    """What the API answered every ten seconds."""
    labels = {"method": "GET", "endpoint": "/api/v1/bots", **API}
    return {
        o("http_requests_total", status="200", **labels): fine,
        o("http_requests_total", status="503", **labels): failed,
    }
