"""What a strategy author calls: backtests, searches, and strategies as files.

Not here: the verbs that print it (cli), fill rules and figures (lab).
"""
