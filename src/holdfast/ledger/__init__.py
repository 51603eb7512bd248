"""The ledger: an account's state as a fold of its facts; what engine and execution both read.

Not here: deciding (engine), sending (execution), storing (journal). Pure, like `domain`.
"""
