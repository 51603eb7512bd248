"""The engine: one deterministic step from events to actions, over folds of the journal.

Not here: I/O, clocks, randomness, async. Backtest and live differ outside of this room.
"""
