"""Exchange accounts that a command added, kept in the journal's database.

Not here: what such an account is (config.added), trading it (app.live).
"""
