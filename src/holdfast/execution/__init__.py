"""Execution: the only code that talks to a venue about orders.

Arm (journal, fenced, durable), send once, classify with default unknown, resolve, reconcile. Not
here: what to trade (engine) or how a venue spells it (venues).
"""
