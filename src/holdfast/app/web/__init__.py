"""The API as a process: its ports made of the database, the read model and the journal's commands.

Not here: routes and rules (api), what is looked at (app.view).
"""
