"""All dashboards, and the files that Grafana is provisioned with.

Not here: writing the files (scripts/observability.py).
"""

from __future__ import annotations

from typing import Any, Final

from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.operations.dashboards import (
    application,
    business,
    database,
    executive,
    infrastructure,
    live_trading,
    security,
    technical,
)  # fmt: skip
from holdfast.operations.dashboards.board import Board, Given, document

HOLDFAST_URL: Final = "http://127.0.0.1:8080"
"""What stands in the textbox `holdfast` at first; who has a domain types it once."""

FOLDER: Final = "grafana/dashboards"

_MODULES: Final = (
    live_trading, executive, technical, security, application, database, infrastructure, business,
)  # fmt: skip


def boards(settings: Alerting, objectives: Objectives) -> tuple[Board, ...]:
    """The dashboards, in the order of their use."""
    given = Given(
        limits=settings.thresholds, promised=objectives.objectives,
        addresses={"holdfast": HOLDFAST_URL, "runbooks": settings.runbooks},
    )  # fmt: skip
    return tuple(module.board(given) for module in _MODULES)


def dashboard_documents(settings: Alerting, objectives: Objectives) -> dict[str, dict[str, Any]]:
    """The files by path, as Grafana's JSON."""
    return {
        f"{FOLDER}/{board.uid}.json": document(board) for board in boards(settings, objectives)
    }
