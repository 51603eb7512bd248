"""When the alerts that page at any hour fire, and when they just do not."""

from __future__ import annotations

from tests.artefacts.alert_cases.notation import BINANCE, LED, A, B, Cases, o, s

CASES = Cases()
fires, silent, grows, above = CASES.fires, CASES.silent, CASES.grows, CASES.above

REACHED_BY_A = s("exchange_reachable", **BINANCE, **A)
REACHED_BY_B = s("exchange_reachable", **BINANCE, **B)

fires(
    "TradingBotDown", "no node answers", {o("up", **A): "0x20", o("up", **B): "0x20"},
    "No trading node answers: nothing trades, and nothing watches the positions.",
    at="2m",
)  # fmt: skip
fires(
    "TradingBotDown", "the targets are gone", {o("up", **A): "1x20 stale"},
    "No trading node answers: nothing trades, and nothing watches the positions.",
    at="6m",
)  # fmt: skip
silent("TradingBotDown", "one of two is left", {o("up", **A): "0x99", o("up", **B): "1x99"})

_NO_LEADER = "No node leads the account main: it does not trade."
fires(
    "NoLeader", "two nodes, and none leads",
    {s("trading_leader", **A): "0x20", s("trading_leader", **B): "0x20"},
    _NO_LEADER, at="1m", account="main",
)  # fmt: skip
fires(
    "NoLeader", "its series are gone", {s("trading_leader", **A): "1x20 stale"},
    _NO_LEADER, at="5m", account="main",
)  # fmt: skip
silent("NoLeader", "one leads", LED)
silent(
    "NoLeader", "a failover that one scrape sees",
    {s("trading_leader", **A): "1x10 0x20", s("trading_leader", **B): "0x11 1x20"}, at="2m",
)  # fmt: skip

fires(
    "SplitBrain", "both believe to lead",
    {s("trading_leader", **A): "1x20", s("trading_leader", **B): "1x20"},
    "2 nodes believe that they lead the account main; the journal lets only one of them order.",
    at="1m", account="main",
)  # fmt: skip
silent("SplitBrain", "one leads", LED)
silent(
    "SplitBrain", "a handover between two scrapes",
    {s("trading_leader", **A): "1x10 0x20", s("trading_leader", **B): "0x9 1x20"}, at="100s",
)  # fmt: skip

_PNL = {"currency": "USDT"}
above(
    "ExcessiveLoss", "1001 lost today", s("trading_daily_pnl", **_PNL, **A), -1001, -1000,
    "main is at -1.001k USDT since 00:00 UTC.", LED, account="main", currency="USDT",
)  # fmt: skip
fires(
    "ExcessiveLoss", "at once", {s("trading_daily_pnl", **_PNL, **A): "-1001", **LED},
    "main is at -1.001k USDT since 00:00 UTC.", at="0s", account="main", currency="USDT",
)  # fmt: skip
silent(
    "ExcessiveLoss", "what a node shows that leads no more",
    {s("trading_daily_pnl", **_PNL, **B): "-5000x200", **LED},
)  # fmt: skip

above(
    "OrderInDoubtTooLong", "a minute without evidence", s("trading_doubt_oldest_seconds", **A),
    61, 60, "Nobody knows for 1m 1s what became of an order of main.", account="main",
)  # fmt: skip
grows(
    "GhostOrder", "an order that was declared absent executed", s("trading_ghosts_total", **A), 0,
    "An order of main executed that had been declared absent, or twice. The account halts.",
    account="main",
)  # fmt: skip
fires(
    "GhostOrder", "one in a process that began while there was no Prometheus",
    {s("trading_ghosts_total", **A): "2x60 _x90 1x500"},
    "An order of main executed that had been declared absent, or twice. The account halts.",
    at="34m", account="main",
)  # fmt: skip
silent("GhostOrder", "none", {s("trading_ghosts_total", **A): "0x200"})
grows(
    "JournalBehind", "orders of ours without a row",
    s("trading_foreign_orders_total", origin="ours", **A), 0,
    "The exchange has orders of ours that the journal of main does not know: it is an old copy.",
    account="main",
)  # fmt: skip
silent(
    "JournalBehind", "orders of somebody else",
    {s("trading_foreign_orders_total", origin="other", **A): "0x60 3x60"}, at="12m",
)  # fmt: skip

_MISMATCH = "Balances or orders of main are not what the journal says."
grows(
    "PositionMismatch", "a comparison that differed",
    s("trading_reconciliations_total", outcome="differed", **A), 0, _MISMATCH, account="main",
)  # fmt: skip
above(
    "PositionMismatch", "something in quarantine", s("trading_quarantined", **A), 1, 0, _MISMATCH,
    account="main",
)  # fmt: skip
silent(
    "PositionMismatch", "comparisons that agree",
    {s("trading_reconciliations_total", outcome="agreed", **A): "0+1x200"},
)  # fmt: skip
grows(
    "PositionClosureFailure", "exits that fail", s("position_close_failures_total", **A), 3,
    "4 orders that should reduce positions of main failed within five minutes.", 5, account="main",
)  # fmt: skip
above(
    "JournalStuck", "a commit that does not end", s("journal_commit_age_seconds", **A), 6, 5,
    "No commit of main has come about for 6s: no order can be armed.", account="main",
)  # fmt: skip
fires(
    "ExchangeUnreachable", "no node reaches it",
    {REACHED_BY_A: "0x99", REACHED_BY_B: "0x99"},
    "No node reaches the exchange binance for main.", at="1m", account="main", exchange="binance",
)  # fmt: skip
fires(
    "ExchangeUnreachable", "no node reaches it, and one of them is gone",
    {REACHED_BY_A: "1x10 0x99", REACHED_BY_B: "1x10 stale"},
    "No node reaches the exchange binance for main.", at="7m", account="main", exchange="binance",
)  # fmt: skip
silent(
    "ExchangeUnreachable", "for one scrape of each",
    {REACHED_BY_A: "1x10 0 1x20", REACHED_BY_B: "1x10 0 1x20"}, at="5m30s",
)  # fmt: skip
silent(
    "ExchangeUnreachable", "nobody has asked it yet",
    {s("trading_leader", **A): "0x99", s("trading_leader", **B): "0x99"},
)  # fmt: skip
silent(
    "ExchangeUnreachable", "the other one does",
    {REACHED_BY_A: "0x99", REACHED_BY_B: "1x99"},
)  # fmt: skip
above(
    "KeyRefused", "nobody may ask for the account",
    s("exchange_key_taken", **BINANCE, **A), 0, 1,
    "binance refuses the key of main on a:9090: nothing trades there.",
    account="main", instance="a:9090", **BINANCE,
)  # fmt: skip
fires(
    "KeyRefused", "a standby's, which could not take over",
    {s("exchange_key_taken", **BINANCE, **A): "1x200",
     s("exchange_key_taken", **BINANCE, **B): "0x200", **LED},
    "binance refuses the key of main on b:9090: nothing trades there.",
    account="main", instance="b:9090", **BINANCE,
)  # fmt: skip
silent(
    "KeyRefused", "a key that is replaced",
    {s("exchange_key_taken", **BINANCE, **A): "1x60 0 1x60"}, at="10m20s",
)
fires(
    "TradingBotCantConnect", "no lease can be renewed",
    {o("cluster_lease_left_seconds", **A): "0x99", o("cluster_lease_left_seconds", **B): "0x99"},
    "No node can renew its lease: the lease store does not answer.", at="2m", job="trading",
)  # fmt: skip
silent(
    "TradingBotCantConnect", "one of them can",
    {o("cluster_lease_left_seconds", **A): "0x99", o("cluster_lease_left_seconds", **B): "2x99"},
)  # fmt: skip
above(
    "StoreDown", "PostgreSQL does not answer", o("pg_up", instance="db:9187"), 0, 1,
    "PostgreSQL at db:9187 does not answer: nothing new is ordered.", instance="db:9187",
)  # fmt: skip
