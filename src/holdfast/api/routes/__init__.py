"""The routes, one module per subject, each with its rule.

Not here: how a request gets to them (api.gate), what they ask (api.ports).
"""
