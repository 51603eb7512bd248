"""Work in the background: rows that say what is to be done, and two ways of getting it done.

Not here: what the jobs do (app.jobs).
"""
