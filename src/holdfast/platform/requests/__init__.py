"""Requests that are to be done once, however often they are sent.

Not here: what they do (api).
"""
