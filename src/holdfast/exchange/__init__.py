"""The local exchange: a matching engine behind a server that speaks Binance Spot, faults included.

Not here: anything that trades on it. It knows `domain` and `errors`, nothing else of the platform.
"""
