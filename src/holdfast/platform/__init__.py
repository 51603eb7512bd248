"""The platform: who may do what, the record of who did, and work in the background. Rooms join in
`app`.

Not here: HTTP (api), what a command does to an account (engine, execution).
"""
