"""Alerts as values: which there are, how urgent they are, who is told, and what silences what.

`scripts/observability.py` writes them as files for Prometheus and Alertmanager. Not here: the
metrics that they look at (telemetry.catalogue), what to do about them (docs/runbooks).
"""
