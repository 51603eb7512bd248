"""The only place where rooms are joined: each module here wires one process.

Not here: rules. What a joined part does is said in its own room.
"""
