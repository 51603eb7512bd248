"""Exchanges as the platform sees them: one port, one capability table, one room per exchange.

Not here: when to send what (execution).
"""
