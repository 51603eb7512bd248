"""The catalogue of log events: every `action` that a line of ours can have, and what it means.

Names here do not change without a line in the changelog: searches and alerts go by them. A test
holds the catalogue and the source to each other; `docs/logs.md` is made of both. Not here: the
keys of each event, which the source says.
"""

from __future__ import annotations

from typing import Final

ORDERS: Final = {
    "order_placed": "The exchange has an order of ours. `execution_time_ms`: from the decision "
    "until that was known here.",
    "order_filled": "An execution is booked.",
    "order_rejected": "The exchange said no, with its code.",
    "order_refused": "The risk gate said no: the limit, what was seen and what is allowed.",
    "order_not_sent": "It was armed and did not leave; a new attempt is free to.",
    "order_in_doubt": "Nobody knows what became of it. It is asked for, never sent again.",
    "order_never_executed": "It was in doubt, and is proved absent.",
    "order_already_exists": "The exchange has this id already: the request was doubled on its way. "
    "The order is asked for.",
    "arm_failed": "Nothing was journaled, so nothing was sent.",
    "cancel_put_off": "A protective order stays for now: none could be placed in its stead.",
    "send_raised": "A defect while sending; the order is in doubt.",
    "carry_broke": "A defect after arming; the orders concerned are in doubt.",
    "ghost": "Something that was proved absent executed: an assumption does not hold. It is "
    "booked, and the account halts.",
    "foreign_order": "An order that nobody here made is at the exchange.",
    "foreign_fill": "An execution of an order that nobody here made is booked.",
    "position_mismatch": "A balance at the exchange differs from the journal's.",
    "reconcile_finding": "What a comparison with the exchange found.",
    "record_wait": "Evidence waits for the journal.",
    "resolve_wait": "The exchange does not answer about doubts; it is asked again.",
    "resolve_refused": "The exchange refuses to answer about doubts: look at the key's rights.",
    "stray_wait": "It does not answer about an order that must not be there.",
    "sweep_wait": "It does not answer about open orders.",
    "compare_wait": "It does not answer about balances.",
}

GUARDS: Final = {
    "halted": "Trading of a bot, or of the account (`bot` empty), stops: level, reason, by whom.",
    "resumed": "That halt is lifted.",
    "draining": "A bot leaves its positions as it wishes and enters none (`on`), or that is over.",
    "quarantined": "What differs from the exchange is held back until it is explained.",
    "released": "It is held back no more.",
    "circuit_breaker_open": "Requests of this class failed again and again: nothing adds exposure.",
    "circuit_breaker_half_open": "That while is over: one probe at a time.",
    "circuit_breaker_closed": "The exchange answers again.",
    "maintenance_begins": "The exchange says that it is closed.",
    "maintenance_ends": "It answers again.",
    "bot_started": "A bot trades from here on.",
    "bot_stopped": "A bot decides no more; `failed` when its strategy broke.",
    "decide_slow": "A decision took longer than the bot's budget.",
    "decide_hung": "A strategy does not return: its process is ended, the bot is stopped.",
    "blame_lost": "The file that tells the next supervisor which bot decided for long is not to be "
    "had: a bot that takes the whole host down may be asked once more. Not removed when a node "
    "stops: what it counts is not forgotten.",
    "audit_event": "Somebody did something, or was refused: `what`, `by`, `target`, `outcome`. The "
    "journal has it, chained; this line is a copy for whoever watches.",
}

ACCOUNTS: Final = {
    "opened": "The journal is open for this process: an epoch begins.",
    "following": "An account is followed, warm, without leading it.",
    "trading": "It is led here and trades.",
    "resting": "It is led here no more.",
    "commit_refused": "The journal refused a commit: another process is the writer by now. One "
    "line for each such commit, whatever else fails by it.",
    "fenced": "Another process is the writer: this one stopped sending.",
    "start_wait": "It cannot trade yet; it is tried again.",
    "ban_wait": "The exchange wants nothing from this host for a while: the account begins when "
    "that is over, and asks nothing before.",
    "ban_over": "It is over; the account begins.",
    "ban_lost": "The file that tells who begins of a ban is not to be had: each asks once.",
    "stopping": "The process was told to stop.",
    "reloaded": "SIGHUP: it read its configuration again; what it took, and how many settings wait "
    "for another step.",
    "reload_pending": "One of these: what runs, what is written, and the step.",
    "reload_refused": "What is written would not start: nothing changes.",
    "stop_failed": "It did not close in order; the journal is made for that.",
    "rest_failed": "Something failed while it came to rest.",
    "rested_failed": "The journal was not told that it rests.",
    "close_hung": "A process does not close in time, and is ended.",
    "process_ended": "It ended by an error, which says what to do.",
    "process_crashed": "It ended by a defect, with the trace: begin a report with it.",
    "observer_failed": "Logs, metrics or traces of an account broke and are left out until the "
    "process begins anew; trading goes on.",
    "restart": "An account's process ended, and begins again. `code`: 70 a defect, 75 it leads no "
    "more, 0 a SIGTERM that was not its supervisor's, -9 and other negative ones a signal.",
    "account_ended": "An account's process ended and none follows it on this node: the node stops "
    "(info), or it would only end like that again (error), for what a line before says.",
    "loop_hung": "Its event loop does not turn: it is ended.",
    "journal_stuck": "Commits do not come back, or all are refused: nothing can be armed.",
    "owner_wait": "Whether the lock that says who writes is still held cannot be told now.",
    "journal_answers": "One came about again.",
    "keep_wait": "A snapshot could not be kept.",
    "follow_wait": "The journal cannot be read.",
    "commands_wait": "Commands cannot be read.",
    "command_wait": "A command could not be taken yet; it is tried again.",
    "configured": "A configuration took effect.",
    "configure_refused": "A configuration was refused.",
    "instrument": "An instrument's filters or status changed.",
    "instruments_wait": "Filters could not be refreshed.",
    "anew": "A bot's indicators begin anew.",
    "go_on": "A bot's indicators go on where they were.",
}

MARKET: Final = {
    "clock_wait": "The exchange did not tell its time.",
    "stream_down": "The user stream is down; polling finds what it would have told.",
    "market_down": "The market stream is down.",
    "feed_down": "A connection to a stream is down; it is made again.",
    "name_wait": "The exchange's symbols could not be read.",
    "market_skip": "A message of the market stream was not understood.",
    "stream_skip": "A message of the user stream was not understood.",
    "gap": "Bars are missing; they are asked for.",
    "gap_wait": "They could not be had.",
    "silent": "A symbol has no bars; each close waits for it, and is decided on without.",
    "silent_over": "It has bars again.",
    "signals_listen": "Webhooks are heard.",
    "signals_wait": "The port for webhooks cannot be had.",
    "signal_wait": "A signal waits for the journal.",
    "signal_refused": "A signal was refused.",
    "signal_history": "Lines of a signal's file were passed over.",
    "mirror_up": "The mirrored market is connected.",
    "mirror_known": "A mirrored book is known.",
    "mirror_break": "A mirrored book is not known: nothing is matched until it is.",
    "mirror_again": "A snapshot did not fit; another is asked for.",
    "mirror_wait": "No mirrored book could be had.",
    "feed_silent": "A news feed does not answer.",
    "prices_refused": "Prices for the dashboard were refused.",
}

CLUSTER: Final = {
    "joined": "A node takes part.",
    "taken": "It took accounts: from a node that is gone, or that handed over.",
    "handed": "It handed an account over.",
    "deposed": "Its claim on an account is another's, though it did not hand it over in order.",
    "cut_off": "An account cannot reach exchange or journal from here: another node may.",
    "forgotten": "The lease store has forgotten this node; it joins under another boot id.",
    "metrics_listening": "A node serves metrics and health, `at` this address.",
    "telling_failed": "A defect keeps the numbers of an account from being told; trading goes on.",
    "keeper_restart": "The process that keeps leases ended, and begins again.",
    "join_wait": "The lease store cannot be reached.",
    "accounts_wait": "Which accounts were added could not be read; it trades on with those it has.",
    "accounts_changed": "Accounts were added or dropped: the node hands over and begins anew.",
    "accounts_turn": "Before it begins anew it waits for `nodes` to be warm, or does so no more.",
    "account_refused": "An added account does not go with the configuration, and is left out.",
    "members_wait": "Its members could not be read.",
    "proof_wait": "Its disk takes nothing: no account is given away for what does not answer.",
    "renew_wait": "The lease could not be renewed: without it, this node stops leading.",
    "let_go_failed": "A claim could not be let go; it runs out.",
    "leave_failed": "The node could not say that it leaves.",
    "killed_blocker": "A process that stopped while it wrote leases was killed.",
    "displaced": "Whoever wrote the journal and hangs was put aside.",
}

STORES: Final = {
    "may_lose_commits": "The server may lose what it has answered for: orders can be doubled.",
    "server_version": "A PostgreSQL newer than any that was tried.",
    "pool_size": "A burst could take every connection of the server.",
    "reports_anew": "Reports are of another history, and are filled anew.",
    "reports_layout": "Reports are of another layout, and are made anew.",
    "reports_wait": "Reports are not filled now.",
    "reports_stand_by": "Another process fills them.",
    "reports_end": "They are filled no more.",
    "reports_restart": "The process that fills them ended, and begins again.",
    "report_default": "Rows of a month that cannot be, kept apart.",
    "report_retired": "Old reports were let go.",
    "replica_lag": "The replica lags; the database itself is asked.",
    "replica_wait": "The replica cannot be read.",
    "cache_away": "The cache does not answer; nothing is cached.",
    "cache_back": "It answers again.",
    "cache_damaged": "An answer in the cache is none of ours.",
}

API: Final = {
    "api_listening": "The API listens `at` one address, and tells `metrics` and health at another.",
    "api_stopping": "It was told to stop.",
    "request_failed": "A request ended in a defect, with the trace.",
    "without_effect": "A variable is set that does nothing here.",
    "leases_wait": "Leases could not be read for the picture of the cluster.",
    "view_wait": "The journal could not be read for the dashboard.",
    "view_fault": "The journal contradicts itself: run `holdfast audit verify`.",
    "identity_news": "It cannot be heard who was shut out; short-lived tokens go on until then.",
    "redis_gone": "Rates are counted by this process alone.",
    "redis_back": "They are counted in Redis again.",
}

JOBS: Final = {
    "worker_start": "A worker looks for jobs.",
    "job_attempt": "An attempt at a job ended.",
    "job_lost": "A job was given up: the database takes no word of it.",
    "job_taken_back": "A worker is gone; its job is another's.",
    "job_process_gone": "A job's process ended before it was asked to.",
    "jobs_wait": "Jobs wait for the database.",
    "jobs_go_on": "They go on.",
    "slot_refused": "A slot of a schedule is left out.",
    "broker_away": "The broker does not answer; jobs wait.",
    "broker_back": "It answers again.",
}

NOTICES: Final = {
    "notify_claim": "This process tells people what happened.",
    "notify_stand_by": "Another one does.",
    "notify_fenced": "Another one took over.",
    "notify_wait": "Notices wait: what they are made of, or are kept in, cannot be reached.",
    "notify_fault": "The journal contradicts itself: people are told, and what is in between is "
    "not.",
    "notify_day": "Another process fills reports; a day is told without.",
    "notify_failed": "A channel did not take a notice; it is tried again.",
    "notify_again": "It took it at last.",
    "notify_lost": "So many notices waited too long and were given up.",
    "telegram_token": "Another token of the bot is used: the one before was refused.",
    "telegram_wait": "Telegram is not heard.",
    "telegram_command": "A command came by Telegram.",
    "telegram_reply": "A chat could not be answered.",
    "telegram_button": "A pressed button could not be acknowledged.",
    "totp_unreadable": "A code from a chat cannot be proved: its second factor is sealed by a key "
    "that is not here.",
}

SECRETS: Final = {
    "secret_access": "A secret was asked for: by which reference, for what, which version, and how "
    "it went. Never what it is.",
    "secret_stale": "Who keeps a secret does not answer; an old value is used meanwhile.",
    "key_replaced": "The exchange took the key no more; another version of it is used.",
    "key_refused": "The exchange takes no version of the key. Nothing can be traded.",
    "key_foreign": "The references lead to the key of another account, which is not used.",
    "key_absent": "A version of the key is not there, or refused as well.",
    "key_wait": "The exchange, or who keeps the key, does not answer now.",
    "secret_file": "Everybody on this machine can read a secret's file.",
}

GROUPS: Final = {
    "Orders": ORDERS,
    "Guards, bots and people": GUARDS,
    "Accounts and their processes": ACCOUNTS,
    "Market, streams and signals": MARKET,
    "Cluster": CLUSTER,
    "Stores and reports": STORES,
    "API": API,
    "Jobs": JOBS,
    "Notices": NOTICES,
    "Secrets": SECRETS,
}
