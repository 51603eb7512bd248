"""Panels' queries as Grafana would send them, and which of them a Prometheus has nothing for.

Not here: Prometheus itself (alerting), what it scraped (the tests).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import aiohttp

from holdfast.operations.dashboards.board import Board
from holdfast.operations.dashboards.panel import Panel


def at_once(expr: str, window: str = "1m", span: str = "1h") -> str:
    """A query with its variables filled in: everything, over those times."""
    filled = expr.replace("$__rate_interval", window).replace("$__range", span)
    return re.sub(r"\$\{?\w+\}?", ".*", filled)


async def empty_panels(
    prometheus: str, boards: Iterable[Board], window: str
) -> list[tuple[str, Panel]]:
    """Panels, by the dashboard's title, of which no query yields a single number now.

    Args:
        window: of rates; several scrapes must lie in it.
    """
    found = []
    async with aiohttp.ClientSession(prometheus) as session:
        for board in boards:
            for panel in board.panels:
                asked = [at_once(query.expr, window, window) for query in panel.queries]
                if asked and not any([await _has_data(session, expr) for expr in asked]):
                    found.append((board.title, panel))
    return found


async def _has_data(session: aiohttp.ClientSession, expr: str) -> bool:
    async with session.get("/api/v1/query", params={"query": expr}) as answer:
        document = await answer.json()
    assert document["status"] == "success", f"{expr}: {document}"
    return any(one["value"][1] != "NaN" for one in document["data"]["result"])
