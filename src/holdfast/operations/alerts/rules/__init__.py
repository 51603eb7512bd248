"""Which alerts there are, by what they watch; each module makes groups of them from settings.

A threshold is a setting; how long it must hold is said here, at least twice the interval of the
scrapes unless one sample is proof. Not here: urgency's meaning (model), who is told (alertmanager).
"""
