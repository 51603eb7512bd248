"""Frozen values and pure rules of trading: money, instruments, orders, fills, records.

Not here: anything that reads a clock, a file or a socket. `domain` imports only `errors`.
"""
