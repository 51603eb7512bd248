"""The platform: who may do what, and the record of who did. Rooms join in `app`.

Not here: HTTP (api), what a command does to an account (engine, execution).
"""
