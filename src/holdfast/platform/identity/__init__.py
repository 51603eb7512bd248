"""Users, sessions and tokens. `port` says what others may ask; the rest is how it is kept.

Not here: which route needs which right (api).
"""
