"""The journal: one append-only, hash-chained, fenced stream of facts per account.

Not here: what facts mean (engine) or when to write them (execution).
"""
