"""Market data: reading recordings, and what is built from them.

Not here: live feeds of a venue (venues), strategies' indicators (strategy).
"""
