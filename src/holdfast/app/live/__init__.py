"""A node and the account that it trades: journal, engine, execution, venue joined in one loop.

Not here: the parts themselves.
"""
