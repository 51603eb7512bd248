"""The platform: its stream, users, sessions, tokens, and whom it tells what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables; what was there stays as it is."""
    _stream()
    _users()
    _sessions()
    _tokens()
    _requests()
    _accounts()
    _notifications()


def downgrade() -> None:
    """Drop them, with everything in them."""
    for name in (
        "telegram_chat", "notify_message", "notify_subscription", "notify_position", "notify_claim",
        "added_account", "kept_request",
        "sign_in_throttle", "one_time_code", "signing_key", "api_token", "refresh_token",
        "session", "user_grant", "platform_user", "platform_record", "platform_head",
    ):  # fmt: skip
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _digest(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(32), nullable=False)


def _stream() -> None:
    op.create_table(
        "platform_head",
        sa.Column("one", sa.Integer, nullable=False),
        _number("seq"),
        _digest("hash"),
        sa.PrimaryKeyConstraint("one"),
    )
    op.create_table(
        "platform_record",
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _digest("hash"),
        sa.PrimaryKeyConstraint("seq"),
    )


def _users() -> None:
    op.create_table(
        "platform_user",
        _text("user_id"),
        _text("name"),
        _text("role"),
        _text("password_hash"),
        _text("totp_secret"),
        _text("totp_offered"),
        _number("totp_step"),
        _text("oidc_subject", nullable=True),
        sa.Column("disabled", sa.Integer, nullable=False),
        _number("created_ns"),
        _number("last_sign_in_ns"),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("oidc_subject"),
    )
    op.create_table(
        "user_grant",
        _text("user_id"),
        _text("account"),
        _text("bot"),
        sa.PrimaryKeyConstraint("user_id", "account", "bot"),
        sqlite_with_rowid=False,
    )


def _sessions() -> None:
    op.create_table(
        "session",
        _text("session_id"),
        _text("user_id"),
        _text("method"),
        _text("address"),
        _text("agent"),
        _number("created_ns"),
        _number("last_used_ns"),
        _number("expires_ns"),
        _number("step_up_until_ns"),
        _number("ended_ns"),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("session_user", "session", ["user_id", "ended_ns"])
    op.create_table(
        "refresh_token",
        _digest("hash"),
        _text("session_id"),
        _number("issued_ns"),
        _number("used_ns"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("refresh_token_session", "refresh_token", ["session_id"])


def _tokens() -> None:
    op.create_table(
        "api_token",
        _text("token_id"),
        _text("user_id"),
        _text("name"),
        _digest("hash"),
        _text("scopes"),
        _number("created_ns"),
        _number("expires_ns"),
        _number("last_used_ns"),
        _number("revoked_ns"),
        sa.PrimaryKeyConstraint("token_id"),
    )
    op.create_index("api_token_user", "api_token", ["user_id", "revoked_ns"])
    op.create_table(
        "signing_key",
        _text("kid"),
        _digest("secret"),
        _text("sealed_by"),
        _number("created_ns"),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_table(
        "one_time_code",
        _digest("hash"),
        _text("user_id"),
        _text("purpose"),
        _number("expires_ns"),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "sign_in_throttle",
        _text("who"),
        _number("failures"),
        _number("last_ns"),
        _number("until_ns"),
        sa.PrimaryKeyConstraint("who"),
    )


def _requests() -> None:
    op.create_table(
        "kept_request",
        _text("owner"),
        _text("request_key"),
        _digest("digest"),
        _number("claimed_ns"),
        sa.Column("status", sa.Integer, nullable=False),
        _text("etag"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("owner", "request_key"),
    )
    op.create_index("kept_request_claimed", "kept_request", ["claimed_ns"])


def _accounts() -> None:
    op.create_table(
        "added_account",
        _text("name"),
        _text("written"),
        _text("by"),
        _number("added_ns"),
        _number("dropped_ns"),
        sa.PrimaryKeyConstraint("name"),
    )


def _notifications() -> None:
    op.create_table(
        "notify_claim",
        sa.Column("one", sa.Integer, nullable=False),
        _text("holder"),
        _number("until_ns"),
        sa.PrimaryKeyConstraint("one"),
    )
    op.create_table(
        "notify_position",
        _text("name"),
        _number("seq"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "notify_subscription",
        *map(_text, ("subscription_id", "user_id", "name", "channel")),
        *map(_text, ("kinds", "accounts", "least")),
        *map(_number, ("created_ns", "sent", "lost", "unsaid", "tries", "next_ns", "failing_ns")),
        _text("why"),
        sa.PrimaryKeyConstraint("subscription_id"),
        sa.UniqueConstraint("user_id", "name"),
    )
    op.create_table(
        "notify_message",
        _text("subscription_id"),
        _number("number"),
        _text("kind"),
        sa.Column("urgent", sa.Integer, nullable=False),
        _number("at_ns"),
        _text("told"),
        sa.Column("tried", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "number"),
    )
    op.create_table(
        "telegram_chat",
        sa.Column("chat_id", sa.BigInteger, nullable=False, autoincrement=False),
        _text("user_id"),
        _number("linked_ns"),
        sa.PrimaryKeyConstraint("chat_id"),
    )
    op.create_index("telegram_chat_user", "telegram_chat", ["user_id"])
