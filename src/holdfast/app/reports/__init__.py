"""Reports: tables that follow the journal, for charts, interfaces and taxes.

Lives here: what each record makes of them, and going on where the last run ended. Not here: the
tables (journal.report_schema). No order is decided on what they say.
"""
