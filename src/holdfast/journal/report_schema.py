"""The tables of reports: what a stream says, as rows that can be asked for by time.

They hold nothing that the journal does not: what they say is made again from it at any time, and no
order is decided on them. What must stay unique for good is not here (journal.schema) and is in no
partition. Not here: who fills them (app.reports), where they are (journal.reports_sqlite,
journal.reports_postgres).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)

LAYOUT: Final = 2
"""Raised with any change of the tables: those of another layout are made anew, and filled again."""

metadata = MetaData()

# SQLite keeps no exact numbers and no moments: text, which sorts by time, and is exact.
_NUMBER = Numeric().with_variant(Text(), "sqlite")
_MOMENT = DateTime(timezone=True).with_variant(Text(), "sqlite")


def _by_month(
    name: str,
    moment: str,
    *columns: Column[object],
    key: tuple[str, ...] = (),
    found_by: tuple[tuple[str, ...], ...] = (),
) -> Table:
    """A table that PostgreSQL keeps in a partition per month of `moment`.

    The key is the journal's own (account and record) with the moment, without which no key of a
    partitioned table is unique: the same record always makes the same row.

    Args:
        found_by: columns that rows are looked up by beside the key, within an account.
    """
    return Table(
        name,
        metadata,
        Column("account", Text, nullable=False),
        Column(moment, _MOMENT, nullable=False),
        Column("seq", BigInteger, nullable=False),
        *columns,
        PrimaryKeyConstraint("account", moment, "seq", *key),
        *(Index(f"{name}_{by[0]}", "account", *by) for by in found_by),
        postgresql_partition_by=f"RANGE ({moment})",
        info={"moment": moment},
    )


order = _by_month(
    "report_order",
    "armed_at",
    Column("cid", Text, nullable=False),
    Column("order_id", Text),  # the venue's, once it is known
    Column("list_cid", Text),
    Column("bot", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("time_in_force", Text),
    Column("quantity", _NUMBER, nullable=False),
    Column("price", _NUMBER),
    Column("stop_price", _NUMBER),
    Column("attempt", Text, nullable=False),  # what is known of the request
    Column("state", Text),  # what the venue says of the order
    Column("executed", _NUMBER, nullable=False),
    Column("condition", Text, nullable=False),  # the two states in one word
    Column("protects", Boolean, nullable=False),  # a stop, or in one list with one
    Column("changed_at", _MOMENT, nullable=False),
    found_by=(("cid",), ("bot", "armed_at", "seq"), ("condition", "armed_at", "seq")),
)

fill = _by_month(
    "report_fill",
    "at",  # exchange time
    Column("bot", Text),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("quantity", _NUMBER, nullable=False),
    Column("price", _NUMBER, nullable=False),
    Column("fee", _NUMBER, nullable=False),
    Column("fee_asset", Text, nullable=False),
    Column("quote_rate", _NUMBER),  # quote units per unit of a third fee asset
    Column("is_maker", Boolean, nullable=False),
    Column("trade_id", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("cid", Text),
    Column("held", _NUMBER),  # the bot's position after it, base units
    found_by=(("bot", "at", "seq"),),
)

equity = _by_month(
    "report_equity",
    "at",
    Column("equity", _NUMBER, nullable=False),  # reporting units
    Column("unit", _NUMBER, nullable=False),  # worth of one: money that comes or goes is no gain
)

pnl = _by_month(
    "report_pnl",
    "at",
    Column("bot", Text, nullable=False),
    Column("pnl", _NUMBER, nullable=False),  # reporting units, open positions marked
    key=("bot",),
)

event = _by_month(
    "report_event",
    "at",  # journal time
    Column("kind", Text, nullable=False),  # of the fact; the record says the rest
    Column("level", Text, nullable=False),
    Column("bot", Text),
    Column("cid", Text),  # of the order; of a cancel that of its target
    found_by=(("cid",), ("bot", "at", "seq"), ("level", "at", "seq")),
)

takeover = _by_month(
    "report_takeover",
    "at",  # journal time
    Column("epoch", BigInteger, nullable=False),
    Column("node", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("before", Text),  # who led until then; nobody the first time
    Column("rested", Text, nullable=False),  # why that one laid it down; empty when it did not
    Column("fault_at", _MOMENT),  # its last record
    Column("ready_at", _MOMENT),  # the new one had compared everything with the exchange
    Column("ordered_at", _MOMENT),  # and armed its first order
)

position = Table(
    "report_position",
    metadata,
    Column("account", Text, nullable=False),
    Column("bot", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", _NUMBER, nullable=False),  # base units
    Column("cost", _NUMBER, nullable=False),  # of the open quantity, quote units
    Column("cash", _NUMBER, nullable=False),  # earned minus spent since the bot began, quote units
    Column("at", _MOMENT, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "bot", "symbol"),
)

progress = Table(
    "report_progress",
    metadata,
    Column("account", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("account"),
)

saved = Table(
    "report_saved",
    metadata,
    Column("account", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("account"),
)

layout = Table(
    "report_layout",
    metadata,
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("version"),
)

BY_MONTH: Final = tuple(table for table in metadata.sorted_tables if "moment" in table.info)
FILLED: Final = (*BY_MONTH, position)
"""Those that records make rows of."""
