"""`holdfast demo`: exchange, node and bots on one machine, watched and checked on one screen.

Not here: any part of the platform. The demo runs the real ones and looks at them from outside.
"""
