"""Binance Spot, natively: order entry, queries, user stream and market data over its own protocol.

Not here: other exchanges (venues.ccxt), or when anything is sent (execution).
"""
