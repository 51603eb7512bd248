"""Operating the platform: what watches it, tells of it and looks it over. Planners and executors.

Not here: the order path, and what measures it (telemetry).
"""
