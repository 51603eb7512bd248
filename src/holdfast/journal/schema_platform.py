"""The tables of the platform, as SQLAlchemy Core metadata: part of journal.schema.

Times are UTC nanoseconds, 0 for never. Not here: what a row means (holdfast.platform.identity).
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
    UniqueConstraint,
)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _digest(name: str) -> Column[bytes]:
    return Column(name, LargeBinary(32), nullable=False)


def add_to(metadata: MetaData) -> None:
    """Add the tables to `metadata`."""
    _stream(metadata)
    _users(metadata)
    _sessions(metadata)
    _tokens(metadata)
    _requests(metadata)
    _accounts(metadata)
    _notifications(metadata)


def _stream(metadata: MetaData) -> None:
    Table(
        "platform_head",  # one row, once there is a record
        metadata,
        Column("one", Integer, nullable=False),
        _number("seq"),
        _digest("hash"),
        PrimaryKeyConstraint("one"),
    )
    Table(
        "platform_record",
        metadata,
        Column("seq", BigInteger, nullable=False, autoincrement=False),
        Column("body", LargeBinary, nullable=False),
        _digest("hash"),
        PrimaryKeyConstraint("seq"),
    )


def _users(metadata: MetaData) -> None:
    Table(
        "platform_user",
        metadata,
        _text("user_id"),
        _text("name"),
        _text("role"),
        _text("password_hash"),  # empty: he cannot sign in by a password
        _text("totp_secret"),  # empty: he has no second factor
        _text("totp_offered"),  # one that does not count yet
        _number("totp_step"),  # of the last code that was taken; it and older ones never again
        Column("oidc_subject", Text),
        Column("disabled", Integer, nullable=False),
        _number("created_ns"),
        _number("last_sign_in_ns"),
        PrimaryKeyConstraint("user_id"),
        UniqueConstraint("name"),
        UniqueConstraint("oidc_subject"),
    )
    Table(
        "user_grant",
        metadata,
        _text("user_id"),
        _text("account"),
        _text("bot"),  # empty: the account as a whole
        PrimaryKeyConstraint("user_id", "account", "bot"),
        sqlite_with_rowid=False,
    )


def _sessions(metadata: MetaData) -> None:
    Table(
        "session",
        metadata,
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
        PrimaryKeyConstraint("session_id"),
        Index("session_user", "user_id", "ended_ns"),
    )
    Table(
        "refresh_token",
        metadata,
        _digest("hash"),
        _text("session_id"),
        _number("issued_ns"),
        _number("used_ns"),
        PrimaryKeyConstraint("hash"),
        Index("refresh_token_session", "session_id"),
    )


def _tokens(metadata: MetaData) -> None:
    Table(
        "api_token",
        metadata,
        _text("token_id"),
        _text("user_id"),
        _text("name"),
        _digest("hash"),
        _text("scopes"),
        _number("created_ns"),
        _number("expires_ns"),
        _number("last_used_ns"),
        _number("revoked_ns"),
        PrimaryKeyConstraint("token_id"),
        Index("api_token_user", "user_id", "revoked_ns"),
    )
    Table(
        "signing_key",
        metadata,
        _text("kid"),
        _digest("secret"),
        _text("sealed_by"),  # which JWT_SECRET it needs besides; empty: none
        _number("created_ns"),
        PrimaryKeyConstraint("kid"),
    )
    Table(
        "one_time_code",
        metadata,
        _digest("hash"),
        _text("user_id"),
        _text("purpose"),
        _number("expires_ns"),
        PrimaryKeyConstraint("hash"),
    )
    Table(
        "sign_in_throttle",
        metadata,
        _text("who"),
        _number("failures"),
        _number("last_ns"),
        _number("until_ns"),
        PrimaryKeyConstraint("who"),
    )


def _requests(metadata: MetaData) -> None:
    Table(
        "kept_request",  # by the key that its sender chose
        metadata,
        _text("owner"),
        _text("request_key"),
        _digest("digest"),
        _number("claimed_ns"),
        Column("status", Integer, nullable=False),  # of its answer, 0 while there is none
        _text("etag"),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("owner", "request_key"),
        Index("kept_request_claimed", "claimed_ns"),
    )


def _accounts(metadata: MetaData) -> None:
    Table(
        "added_account",
        metadata,
        _text("name"),
        _text("written"),  # as JSON
        _text("by"),
        _number("added_ns"),
        _number("dropped_ns"),
        PrimaryKeyConstraint("name"),
    )


def _notifications(metadata: MetaData) -> None:
    Table(
        "notify_claim",  # one row: which process tells people, and until when
        metadata,
        Column("one", Integer, nullable=False),
        _text("holder"),
        _number("until_ns"),
        PrimaryKeyConstraint("one"),
    )
    Table(
        "notify_position",  # how far a stream, or whatever else is told of, was told
        metadata,
        _text("name"),
        _number("seq"),
        Column("hash", LargeBinary, nullable=False),
        PrimaryKeyConstraint("name"),
    )
    Table(
        "notify_subscription",
        metadata,
        _text("subscription_id"),
        _text("user_id"),
        _text("name"),
        _text("channel"),
        _text("kinds"),  # with spaces between; empty: all that matter
        _text("accounts"),  # the same; empty: all that are his
        _text("least"),  # value of a fill, in its quote asset
        _number("created_ns"),
        _number("sent"),
        _number("lost"),
        _number("unsaid"),  # of those, which no message has told of yet
        _number("tries"),  # that failed in a row
        _number("next_ns"),  # before that nothing is tried
        _number("failing_ns"),  # since when
        _text("why"),
        PrimaryKeyConstraint("subscription_id"),
        UniqueConstraint("user_id", "name"),
    )
    Table(
        "notify_message",  # what is still to be delivered
        metadata,
        _text("subscription_id"),
        _number("number"),  # rises with every one of the subscription
        _text("kind"),
        Column("urgent", Integer, nullable=False),
        _number("at_ns"),
        _text("told"),
        Column("tried", Integer, nullable=False),  # it was on its way when a process ended
        PrimaryKeyConstraint("subscription_id", "number"),
    )
    Table(
        "telegram_chat",
        metadata,
        Column("chat_id", BigInteger, nullable=False, autoincrement=False),
        _text("user_id"),
        _number("linked_ns"),
        PrimaryKeyConstraint("chat_id"),
        Index("telegram_chat_user", "user_id"),
    )
