"""Telling people what happened: who hears of what, when it is tried, and what Telegram says back.

Lives here: subscriptions, what waits to be delivered, the ways out. Not here: what happened, which
is read from the journals and joined with users in `app.notify`.
"""
