"""Schema migrations of the journal database, run by Alembic.

Not here: when they run (journal.upgrade).
"""
