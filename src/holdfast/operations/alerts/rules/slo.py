"""Objectives: how much of each indicator was bad, and alerts while its budget burns too fast.

Per objective the bad share is recorded over every window; an alert fires when it exceeds a multiple
of the budget over a long window and over a short one, which ends it soon after its cause has ended.
Not here: the objectives' values (`config/slo.yaml`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from holdfast.errors import ConfigError
from holdfast.operations.alerts.model import Alert, Group, Recorded, Rule
from holdfast.operations.alerts.promql import buckets, count, series
from holdfast.operations.alerts.settings import BurnRate, Objective, Objectives
from holdfast.telemetry.catalogue import Metric, node, services, trading

# Answers that last as long as somebody listens.
_STREAMS: Final = "/api/v1/(stream|events)"
LED: Final = "slo:account_led:bool"

_LEAST_ORDERS: Final = 20
_LEAST_ANSWERED: Final = f"sum(increase({series(services.HTTP_REQUESTS)}[WINDOW])) >= 100"

# Nothing is scraped of nodes that are all down: an account that was there within the hour has no
# leader then, instead of no value.
_LEADERS: Final = (
    f"clamp_max(sum by (account) ({series(node.LEADER)}), 1) "
    f"or 0 * count by (account) (last_over_time({series(node.LEADER)}[1h]))"
)


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """What an objective is about.

    Attributes:
        alert: name of its alerts.
        bad: PromQL of the bad share, 0 to 1; `WINDOW` stands for the time that is looked at.
        summary: what burns.
        before: series that `bad` is made from.
        enough: PromQL without which no share is judged: one failure of two is no trend.
    """

    alert: str
    bad: str
    summary: str
    enough: str
    before: Sequence[Recorded] = ()


def indicators(objectives: Mapping[str, Objective]) -> dict[str, Indicator]:
    """By name.

    Raises:
        ConfigError: an objective without an indicator, or one that is promised nothing.
    """
    made = {
        "engine_availability": Indicator(
            alert="EngineAvailabilityBurn",
            bad=f"1 - avg_over_time({LED}[WINDOW])",
            # Whoever has just begun had no leader for most of his time.
            enough=f"{LED} offset 30m",
            summary="{{ $labels.account }} is without a leader too often",
            before=(Recorded(name=LED, expr=_LEADERS),),
        ),
        "order_latency": Indicator(
            alert="OrderLatencyBurn",
            bad=_slow(trading.ORDER_LATENCY, objectives, "order_latency", "account"),
            enough=(
                f"sum by (account) (increase({count(trading.ORDER_LATENCY)}[WINDOW])) "
                f">= {_LEAST_ORDERS}"
            ),
            summary="Orders of {{ $labels.account }} are slow too often",
        ),
        "api_availability": Indicator(
            alert="ApiAvailabilityBurn",
            bad=(
                f"(sum(rate({series(services.HTTP_REQUESTS, status='~5..')}[WINDOW])) "
                "or 0 * sum(rate(TOTAL[WINDOW]))) / sum(rate(TOTAL[WINDOW]))"
            ).replace("TOTAL", series(services.HTTP_REQUESTS)),
            enough=_LEAST_ANSWERED,
            summary="The API fails too often",
        ),
        "api_latency": Indicator(
            alert="ApiLatencyBurn",
            bad=_slow(
                services.HTTP_DURATION, objectives, "api_latency", "", endpoint=f"!~{_STREAMS}"
            ),
            enough=_LEAST_ANSWERED,
            summary="The API is slow too often",
        ),
    }
    if set(made) != set(objectives):
        raise ConfigError(
            f"seen: the objectives {sorted(objectives)} in config/slo.yaml; expected: "
            f"{sorted(made)}; do: name each of them once"
        )
    return made


def groups(objectives: Objectives) -> Sequence[Group]:
    """One group per objective: its shares, then its alerts."""
    found = indicators(objectives.objectives)
    return tuple(
        Group(name=f"slo_{name}", interval_s=30, rules=_rules(name, indicator, objectives))
        for name, indicator in found.items()
    )


def share(name: str, window: str) -> str:
    """The recorded series of an objective's bad share over a window."""
    return f"slo:{name}_bad:ratio_{window}"


def _rules(name: str, indicator: Indicator, objectives: Objectives) -> Sequence[Rule]:
    rates = objectives.burn_rates
    windows = sorted({one for rate in rates for one in (rate.short, rate.long)}, key=_seconds)
    recorded = [
        Recorded(name=share(name, window), expr=indicator.bad.replace("WINDOW", window))
        for window in windows
    ]
    objective = objectives.objectives[name]
    alerts = [_alert(name, indicator, objective, rate) for rate in rates]
    return (*indicator.before, *recorded, *alerts)


def _alert(name: str, indicator: Indicator, objective: Objective, rate: BurnRate) -> Alert:
    limit = f"{rate.factor * (1 - objective.target):.6g}"
    burns = f"{share(name, rate.long)} > {limit} and {share(name, rate.short)} > {limit}"
    return Alert(
        name=indicator.alert,
        severity=objective.page if rate.is_page else objective.ticket,
        expr=f"{burns} and {indicator.enough.replace('WINDOW', rate.long)}",
        labels={"slo": name, "window": rate.long},
        summary=(
            f"{indicator.summary}: {{{{ $value | humanizePercentage }}}} within {rate.long}; "
            f"the objective allows {100 * (1 - objective.target):.4g}%."
        ),
    )


def _slow(
    metric: Metric, objectives: Mapping[str, Objective], name: str, by: str, **labels: str
) -> str:
    """The share of what took longer than promised; the bound must be one of the buckets."""
    within_s = objectives[name].within_s if name in objectives else 0.0
    if within_s not in metric.buckets:
        raise ConfigError(
            f"seen: within_s {within_s:g} of {name} in config/slo.yaml; expected: a bound of "
            f"{metric.name}, {', '.join(f'{one:g}' for one in metric.buckets)}; do: take one"
        )
    in_time = buckets(metric, **labels, le=str(float(within_s)))
    over = f" by ({by})" if by else ""
    return (
        f"1 - sum{over} (rate({in_time}[WINDOW])) "
        f"/ sum{over} (rate({count(metric, **labels)}[WINDOW]))"
    )


def _seconds(window: str) -> int:
    return int(window[:-1]) * {"m": 60, "h": 3600, "d": 86400}[window[-1]]
