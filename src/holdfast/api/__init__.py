"""HTTP and WebSocket: queries and commands, and nothing that is not asked of a port.

Not here: what the ports are made of, and the server that this runs on (app.web).
"""
