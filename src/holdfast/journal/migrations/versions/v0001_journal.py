"""Streams, what must stay unique beyond any fold, snapshots, commands, and who may use it all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    _streams()
    _claims()
    _commands()
    _compatibility()


def _streams() -> None:
    op.create_table(
        "head",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "record",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("account", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshot",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("account", "seq"),
    )


def _claims() -> None:
    op.create_table(
        "attempt",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("cid", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text),
        sa.Column("n", sa.Integer),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "cid"),
        sqlite_with_rowid=False,
    )
    op.create_index("attempt_intent", "attempt", ["account", "intent_id", "n"], unique=True)
    _key_table("decision", "bot", "key")
    _key_table("fill_key", "symbol", "trade_id")
    _key_table("cash_flow_key", "flow_id")
    _key_table("command_taken", "command_id")


def _key_table(name: str, *key: str) -> None:
    op.create_table(
        name,
        sa.Column("account", sa.Text, nullable=False),
        *(sa.Column(column, sa.Text, nullable=False) for column in key),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", *key),
        sqlite_with_rowid=False,
    )


def _commands() -> None:
    op.create_table(
        "command",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("command_account", "command", ["account", "number"])


def _compatibility() -> None:
    table = op.create_table(
        "compatibility",
        sa.Column("oldest", sa.Text, nullable=False),
        sa.Column("writes", sa.Integer, nullable=False),
    )
    op.bulk_insert(table, [{"oldest": "0001", "writes": 1}])
