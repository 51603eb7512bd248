"""Changing the configuration of an account while it trades: asked for, taken, in effect."""
