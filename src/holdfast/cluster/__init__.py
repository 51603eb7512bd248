"""Who leads which account: leases of nodes, election, and how long a leader may go on.

What this room says decides who *tries* to trade. Who may is decided by the epoch in the journal.
"""
