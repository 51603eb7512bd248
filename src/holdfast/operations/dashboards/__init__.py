"""Grafana's dashboards as values: panels over metrics of the catalogue, as files for Grafana.

A panel says what it asks; its unit follows from the metric and from what is done to it. Not here:
the metrics (telemetry.catalogue), the alerts whose thresholds panels show (operations.alerts).
"""
