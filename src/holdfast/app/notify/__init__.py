"""Telling people what happened: journals followed, users looked up, channels opened.

Not here: what waits and how it is delivered (operations.notify).
"""
