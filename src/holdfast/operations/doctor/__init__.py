"""Looking an installation over: what a finding is, and what this host alone can tell.

Not here: stores, nodes, accounts and exchanges (app.doctor).
"""
