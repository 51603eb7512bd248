"""Market data on this machine: files and downloads, and the exchange that is run from them.

Not here: reading and checking files (market), the exchange itself (exchange).
"""
