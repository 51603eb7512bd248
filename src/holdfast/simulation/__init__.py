"""Deterministic simulation: whole nodes against the local exchange, in virtual time, from a seed.

The method, and what it covers, is told in `docs/simulation.md`. Importing this room changes
nothing; a run changes its own process for good (`clock.install`), so each one has its own.
"""
