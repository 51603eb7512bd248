"""Answers that are kept for a while, where there is a Redis to keep them.

Not here: what is worth keeping (whoever answers).
"""
