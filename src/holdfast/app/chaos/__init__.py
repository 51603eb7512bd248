"""`holdfast chaos`: real nodes, struck on purpose, and every order checked afterwards.

Not here: any part of the platform. Chaos runs the real ones and looks at them from outside.
"""
