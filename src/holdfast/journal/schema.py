"""The tables of a journal database, as SQLAlchemy Core metadata.

What migrations must arrive at (a test compares) and what reports may query. Not here: statements of
the hot path, which are written by hand where they run (journal.sqlite_file).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from holdfast.journal import schema_platform

metadata = MetaData()
schema_platform.add_to(metadata)

head = Table(
    "head",
    metadata,
    Column("account", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("node", Text, nullable=False),
    PrimaryKeyConstraint("account"),
)

record = Table(
    "record",
    metadata,
    Column("account", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    PrimaryKeyConstraint("account", "seq"),
    sqlite_with_rowid=False,
)

attempt = Table(
    "attempt",
    metadata,
    Column("account", Text, nullable=False),
    Column("cid", Text, nullable=False),
    Column("intent_id", Text),  # of a list's further orders with their part; empty for cancels
    Column("n", Integer),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "cid"),
    Index("attempt_intent", "account", "intent_id", "n", unique=True),
    sqlite_with_rowid=False,
)

decision = Table(
    "decision",
    metadata,
    Column("account", Text, nullable=False),
    Column("bot", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "bot", "key"),
    sqlite_with_rowid=False,
)

fill_key = Table(
    "fill_key",
    metadata,
    Column("account", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("trade_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "symbol", "trade_id"),
    sqlite_with_rowid=False,
)

cash_flow_key = Table(
    "cash_flow_key",
    metadata,
    Column("account", Text, nullable=False),
    Column("flow_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "flow_id"),
    sqlite_with_rowid=False,
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("account", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # of all the others
    PrimaryKeyConstraint("account", "seq"),
)

command = Table(
    "command",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("command_account", "account", "number"),
)

command_taken = Table(
    "command_taken",
    metadata,
    Column("account", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "command_id"),
    sqlite_with_rowid=False,
)

compatibility = Table(
    "compatibility",  # one row; see journal.version
    metadata,
    Column("oldest", Text, nullable=False),
    Column("writes", Integer, nullable=False),
)
