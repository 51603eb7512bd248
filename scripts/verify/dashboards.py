"""The queries of Grafana's dashboards, as Prometheus would parse them.

Not here: what panels show (holdfast.operations.dashboards).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_SPAN: Final = re.compile(r"\$\{?__(rate_interval|interval|range)\}?")
_VARIABLE: Final = re.compile(r"\$\{[^}]+\}|\$[a-zA-Z_]\w*")


def queries(node: Any, kind: str = "prometheus") -> Iterator[str]:
    """Every expression of a dashboard that its Prometheus is asked."""
    if isinstance(node, dict):
        source = node.get("datasource")
        kind = source.get("type", kind) if isinstance(source, dict) else kind
        if kind == "prometheus" and isinstance(node.get("expr"), str) and node["expr"].strip():
            yield node["expr"]
        for value in node.values():
            yield from queries(value, kind)
    elif isinstance(node, list):
        for value in node:
            yield from queries(value, kind)


def without_variables(expression: str) -> str:
    """An expression as it is once Grafana has filled in what only it knows."""
    return _VARIABLE.sub("x", _SPAN.sub("5m", expression))


def as_rules(expressions: list[str]) -> dict[str, Any]:
    """A file of recording rules, which promtool can check: one per expression."""
    rules = [
        {"record": f"panel:query_{number}", "expr": without_variables(expression)}
        for number, expression in enumerate(expressions)
    ]
    return {"groups": [{"name": "panels", "rules": rules}]}
