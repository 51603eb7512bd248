"""Everything about alerts that becomes a file, from an installation's settings.

Not here: writing files (`scripts/observability.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from holdfast.operations.alerts import alertmanager
from holdfast.operations.alerts.alertmanager import Inhibition
from holdfast.operations.alerts.model import Group, Recorded, document
from holdfast.operations.alerts.rules import critical, infrastructure, slo, trading
from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.telemetry.catalogue import ALIASES

# No source pages with less urgency than its targets would, but for Redis: what follows from its
# loss and costs trading is told by NoLeader, which only the loss of all nodes silences, or of the
# account's exchange.
INHIBITIONS: Final = (
    Inhibition(
        sources=("TradingBotDown",),
        targets=("NoLeader", "NodeDown", "StandbyMissing", "TradingBotCantConnect",
                 "EngineAvailabilityBurn"),
        because="without a node there is no leader, no standby and no lease",
    ),
    Inhibition(
        sources=("StoreDown",),
        targets=("JournalStuck", "JournalSlow", "TradingBotCantConnect", "PoolExhausted",
                 "JobsDelayed", "HighErrorRate"),
        because="journal, leases, jobs and what the API reads are in the database",
    ),
    Inhibition(
        sources=("RedisConnectionFailed",),
        targets=("TradingBotCantConnect",),
        because="the leases are in Redis where lease_url names it",
    ),
    Inhibition(
        sources=("ExchangeUnreachable",),
        targets=("ExchangeAPIErrors", "CircuitBreakerOpen", "AccountStreamDown", "StaleMarketData",
                 "WebsocketFlapping", "HighOrderLatency", "ClockSkew", "NoLeader", "StandbyMissing",
                 "EngineAvailabilityBurn", "AccountRestarts", "OrderInDoubtTooLong"),
        equal=("account",),
        because="nothing of the exchange arrives, and no node leads where it arrives nowhere",
    ),
    Inhibition(
        sources=("KeyRefused",),
        targets=("ExchangeAPIErrors", "AccountStreamDown", "OrderInDoubtTooLong"),
        equal=("account",),
        because="whoever may not ask hears nothing and learns nothing",
    ),
    Inhibition(
        sources=("ExchangeMaintenance",),
        targets=("WebsocketFlapping", "LowOrderFillRate"),
        equal=("account",),
        because="the exchange said so before",
    ),
    Inhibition(
        sources=("NoLeader",),
        targets=("StandbyMissing", "EngineAvailabilityBurn"),
        equal=("account",),
        because="whoever is paged for the cause needs no page for the budget",
    ),
    Inhibition(
        sources=("JournalStuck",),
        targets=("JournalSlow", "HighOrderLatency", "OrderPathSlow"),
        equal=("account",),
        because="an order waits for its commit",
    ),
    Inhibition(
        sources=("HighOrderLatency",),
        targets=("OrderLatencyBurn",),
        equal=("account",),
        because="the same orders",
    ),
)  # fmt: skip


def groups(alerting: Alerting, objectives: Objectives) -> dict[str, Sequence[Group]]:
    """The groups of rules by the name of their file."""
    return {
        "trading": (*critical.groups(alerting.thresholds), *trading.groups(alerting.thresholds)),
        "infrastructure": infrastructure.groups(alerting.thresholds),
        "slo": slo.groups(objectives),
        "aliases": (
            Group(name="aliases", rules=[Recorded(name=a.name, expr=a.expr) for a in ALIASES]),
        ),
    }


def alert_documents(alerting: Alerting, objectives: Objectives) -> dict[str, Any]:
    """The rule files and the Alertmanager's configuration, by path below the target.

    Raises:
        ConfigError: an objective that cannot be measured, or nobody to page.
    """
    files = {
        f"prometheus/rules/{name}.yml": document(found, alerting.runbooks)
        for name, found in groups(alerting, objectives).items()
    }
    tree = alertmanager.document(alerting.channels, INHIBITIONS)
    return {**files, "alertmanager/alertmanager.yml": tree}
