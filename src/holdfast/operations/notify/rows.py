"""Subscriptions, and what waits to be delivered: functions on tables in a caller's transaction.

Whoever tells people holds a claim, and every change that he makes proves in the same transaction
that it is still his. Not here: the ways out (apprise, telegram).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from holdfast.domain.money import plain
from holdfast.errors import FencedError
from holdfast.operations.notify.port import (
    MOST_SUBSCRIPTIONS,
    URGENT,
    Kind,
    Notice,
    Subscription,
    Wanted,
)
from holdfast.platform.identity.values import AbsentError, TakenError, UnsuitableError
from holdfast.platform.port import Change, Look

TEST: Final = "test"
"""What a message is called that somebody asked for to see whether it comes."""

MOST_WAITING: Final = 1000
"""Notices of one subscription; older ones give way, and are counted."""

_COLUMNS: Final = (
    "subscription_id, user_id, name, channel, kinds, accounts, least, created_ns, sent, lost, "
    "unsaid, tries, next_ns, failing_ns, why"
)
_WAITING: Final = (
    "(SELECT count(*) FROM notify_message m WHERE m.subscription_id = s.subscription_id)"
)
_ALL: Final = f"SELECT {_COLUMNS}, {_WAITING} FROM notify_subscription s"  # noqa: S608
_ADD: Final = (
    f"INSERT INTO notify_subscription ({_COLUMNS}) "  # noqa: S608
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, '') ON CONFLICT DO NOTHING"
)
_OF_USER: Final = f"{_ALL} WHERE user_id = ? ORDER BY name"
_OF_ALL: Final = f"{_ALL} ORDER BY user_id, name"
_DUE: Final = f"{_ALL} WHERE next_ns <= ? AND {_WAITING} > 0"
_PUT: Final = """
    INSERT INTO notify_message (subscription_id, number, kind, urgent, at_ns, told, tried)
    SELECT ?, 1 + coalesce(max(number), 0), ?, ?, ?, ?, 0 FROM notify_message
    WHERE subscription_id = ?
"""
_MESSAGES: Final = """
    SELECT number, kind, urgent, at_ns, told, tried FROM notify_message
    WHERE subscription_id = ? ORDER BY number
"""
_CLAIM: Final = """
    UPDATE notify_claim SET holder = ?, until_ns = ? WHERE one = 1 AND (holder = ? OR until_ns < ?)
"""
_ADD_UP: Final = """
    INSERT INTO notify_position (name, seq, hash) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET seq = notify_position.seq + excluded.seq
"""
_ENDED: Final = ("@sent", "@lost")
"""What subscriptions had counted that are no more: a total that fell would pass for a new one."""
_HOLD: Final = "UPDATE notify_claim SET until_ns = ? WHERE one = 1 AND holder = ?"


class Message(msgspec.Struct, frozen=True):
    """A notice that is still to be delivered to one subscription.

    Attributes:
        number: rises with each of the subscription.
        is_urgent: it goes before the others.
        was_tried: a process ended while it was on its way, so perhaps it came.
    """

    number: int
    kind: str
    is_urgent: bool
    at_ns: int
    told: str
    was_tried: bool


# -- subscriptions -----------------------------------------------------------------------------


def subscriptions(look: Look, user_id: str = "") -> list[Subscription]:
    """A user's, by name; everybody's without one."""
    found = look.rows(_OF_USER, user_id) if user_id else look.rows(_OF_ALL)
    return [_shown(row) for row in found]


def due(look: Look, now_ns: int) -> list[Subscription]:
    """Those that have something to be delivered, and may be tried now."""
    return [_shown(row) for row in look.rows(_DUE, now_ns)]


def add(change: Change, user_id: str, wanted: Wanted, now_ns: int) -> Subscription:
    """A new subscription.

    Raises:
        TakenError, UnsuitableError.
    """
    if len(subscriptions(change, user_id)) >= MOST_SUBSCRIPTIONS:
        raise UnsuitableError(
            "too_many", f"seen: {MOST_SUBSCRIPTIONS} subscriptions; do: remove one first", "name"
        )
    made = Subscription(
        subscription_id=secrets.token_hex(8), user_id=user_id, created_ns=now_ns,
        **msgspec.structs.asdict(wanted),
    )  # fmt: skip
    added = change.run(
        _ADD, made.subscription_id, user_id, wanted.name, wanted.channel,
        " ".join(sorted(wanted.kinds)), " ".join(sorted(wanted.accounts)), plain(wanted.least),
        now_ns,
    )  # fmt: skip
    if not added:
        raise TakenError(
            "name", f"seen: a subscription {wanted.name} already; expected: a new name"
        )
    return made


def required(look: Look, subscription_id: str, user_id: str = "") -> Subscription:
    """The subscription of this id; of this user, where one is named.

    Raises:
        AbsentError.
    """
    for one in subscriptions(look, user_id):
        if one.subscription_id == subscription_id:
            return one
    raise AbsentError("subscription", "seen: no such subscription; expected: one of the list")


def remove(change: Change, subscription: Subscription) -> None:
    """End it, with what waits; what it has counted stays counted."""
    found = subscription.subscription_id
    change.run("DELETE FROM notify_message WHERE subscription_id = ?", found)
    counted = change.row(
        "DELETE FROM notify_subscription WHERE subscription_id = ? RETURNING sent, lost", found
    )
    for name, count in zip(_ENDED, counted or (0, 0), strict=True):
        change.run(_ADD_UP, name, count, b"")


# -- what waits --------------------------------------------------------------------------------


def put(change: Change, to: Subscription, notice: Notice) -> None:
    """Let a notice wait for delivery."""
    where = f"{notice.account}/{notice.bot}" if notice.bot else notice.account
    _put(change, to, notice.kind, notice.at_ns, f"{where}: {notice.told}")


def put_test(change: Change, to: Subscription, now_ns: int) -> None:
    """Let a message wait that says that this works; it is tried at once."""
    _put(change, to, TEST, now_ns, f"A test of {to.name}. What you asked for comes like this.")
    change.run(
        "UPDATE notify_subscription SET next_ns = 0 WHERE subscription_id = ?", to.subscription_id
    )


def _put(change: Change, to: Subscription, kind: str, at_ns: int, told: str) -> None:
    urgent = int(kind in URGENT or kind == TEST)
    change.run(
        _PUT, to.subscription_id, kind, urgent, at_ns, told[:1000], to.subscription_id
    )


def messages(look: Look, subscription_id: str) -> list[Message]:
    """What waits for one subscription, oldest first."""
    return [
        Message(number, kind, bool(urgent), at_ns, told, bool(tried))
        for number, kind, urgent, at_ns, told, tried in look.rows(_MESSAGES, subscription_id)
    ]


def begin(change: Change, subscription_id: str, upto: int) -> None:
    """Note that messages are on their way, so that who finds them knows that they may have come."""
    change.run(
        "UPDATE notify_message SET tried = 1 WHERE subscription_id = ? AND number <= ?",
        subscription_id, upto,
    )  # fmt: skip


def delivered(change: Change, subscription_id: str, upto: int, said: int) -> None:
    """They came. `said`: lost ones that the message told of."""
    done = change.run(
        "DELETE FROM notify_message WHERE subscription_id = ? AND number <= ?",
        subscription_id, upto,
    )  # fmt: skip
    change.run(
        "UPDATE notify_subscription SET sent = sent + ?, unsaid = unsaid - ?, tries = 0, "
        "next_ns = 0, failing_ns = 0, why = '' WHERE subscription_id = ?",
        done, said, subscription_id,
    )  # fmt: skip


def failed(change: Change, to: Subscription, why: str, now_ns: int, next_ns: int) -> None:
    """They did not; nothing is tried before `next_ns`."""
    change.run(
        "UPDATE notify_message SET tried = 0 WHERE subscription_id = ?", to.subscription_id
    )
    change.run(
        "UPDATE notify_subscription SET tries = tries + 1, next_ns = ?, why = ?, "
        "failing_ns = CASE failing_ns WHEN 0 THEN ? ELSE failing_ns END WHERE subscription_id = ?",
        next_ns, why[:200], now_ns, to.subscription_id,
    )  # fmt: skip


def give_up(change: Change, before_ns: int) -> dict[str, int]:
    """Count as lost what is older, or beyond what is kept; how many, by subscription."""
    lost: dict[str, int] = {}
    for (subscription_id,) in change.rows("SELECT DISTINCT subscription_id FROM notify_message"):
        numbers = [one.number for one in messages(change, subscription_id)]
        beyond = numbers[-MOST_WAITING - 1] if len(numbers) > MOST_WAITING else 0
        gone = change.run(
            "DELETE FROM notify_message WHERE subscription_id = ? AND (at_ns < ? OR number <= ?)",
            subscription_id, before_ns, beyond,
        )  # fmt: skip
        if gone:
            lost[subscription_id] = gone
            change.run(
                "UPDATE notify_subscription SET lost = lost + ?, unsaid = unsaid + ? "
                "WHERE subscription_id = ?",
                gone, gone, subscription_id,
            )  # fmt: skip
    return lost


# -- how far it was told, and by whom ----------------------------------------------------------


def claim(change: Change, holder: str, now_ns: int, until_ns: int) -> bool:
    """Become the one who tells, if nobody is; False when another one is."""
    change.run(
        "INSERT INTO notify_claim (one, holder, until_ns) VALUES (1, '', 0) "
        "ON CONFLICT (one) DO NOTHING"
    )
    return bool(change.run(_CLAIM, holder, until_ns, holder, now_ns))


def hold(change: Change, holder: str, until_ns: int) -> None:
    """Go on being the one.

    Raises:
        FencedError: another one is.
    """
    if not change.run(_HOLD, until_ns, holder):
        raise FencedError(
            "seen: another process tells people now; expected: one at a time; do: nothing, it does"
        )


def release(change: Change, holder: str) -> None:
    """Let the next one begin at once."""
    change.run("UPDATE notify_claim SET until_ns = 0 WHERE one = 1 AND holder = ?", holder)


def position(look: Look, name: str) -> tuple[int, bytes] | None:
    """How far something was told: a number, and the chain's hash there; None before any."""
    row = look.row("SELECT seq, hash FROM notify_position WHERE name = ?", name)
    return None if row is None else (int(row[0]), bytes(row[1]))


def move(change: Change, name: str, seq: int, digest: bytes = b"") -> None:
    """It was told so far."""
    change.run(
        "INSERT INTO notify_position (name, seq, hash) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        name, seq, digest,
    )  # fmt: skip


def begun(look: Look, prefix: str) -> list[str]:
    """Names that begin so, of which something was told."""
    found = look.rows("SELECT name FROM notify_position WHERE substr(name, 1, ?) = ?",
                      len(prefix), prefix)  # fmt: skip
    return [name for (name,) in found]


def forget(change: Change, names: Iterable[str]) -> None:
    """Tell of these anew."""
    for name in names:
        change.run("DELETE FROM notify_position WHERE name = ?", name)


class Totals(msgspec.Struct, frozen=True):
    """All subscriptions together.

    Attributes:
        sent, lost: of those too that are no more.
        is_served: a process tells people.
        oldest_ns: when what waits longest happened, UTC; 0 when nothing waits.
    """

    subscriptions: int
    is_served: bool
    waiting: int
    oldest_ns: int
    sent: int
    lost: int


def totals(look: Look, now_ns: int) -> Totals:
    """How delivering goes."""
    claim_ = look.row("SELECT until_ns FROM notify_claim WHERE one = 1")
    waiting = look.row("SELECT count(*), coalesce(min(at_ns), 0) FROM notify_message")
    done = look.row(
        "SELECT count(*), coalesce(sum(sent), 0), coalesce(sum(lost), 0) FROM notify_subscription"
    )
    count, oldest_ns = waiting or (0, 0)
    subscribed, *counted = done or (0, 0, 0)
    ended = [(position(look, name) or (0, b""))[0] for name in _ENDED]
    sent, lost = (int(now) + before for now, before in zip(counted, ended, strict=True))
    is_served = claim_ is not None and claim_[0] > now_ns
    return Totals(int(subscribed), is_served, int(count), int(oldest_ns), sent, lost)


# -- chats -------------------------------------------------------------------------------------


def chats(look: Look, user_id: str) -> Sequence[int]:
    """A user's chats with Telegram's bot."""
    found = look.rows(
        "SELECT chat_id FROM telegram_chat WHERE user_id = ? ORDER BY linked_ns, chat_id", user_id
    )
    return [chat_id for (chat_id,) in found]


def chat_owner(look: Look, chat_id: int) -> str | None:
    """Whose a chat is."""
    row = look.row("SELECT user_id FROM telegram_chat WHERE chat_id = ?", chat_id)
    return None if row is None else str(row[0])


def link_chat(change: Change, chat_id: int, user_id: str, now_ns: int) -> None:
    """Make a chat a user's, whosever it was."""
    change.run(
        "INSERT INTO telegram_chat (chat_id, user_id, linked_ns) VALUES (?, ?, ?) "
        "ON CONFLICT (chat_id) DO UPDATE SET user_id = excluded.user_id, "
        "linked_ns = excluded.linked_ns",
        chat_id, user_id, now_ns,
    )  # fmt: skip


def unlink_chats(change: Change, user_id: str) -> int:
    """Make none of them his; how many there were."""
    return change.run("DELETE FROM telegram_chat WHERE user_id = ?", user_id)


def _shown(row: tuple[Any, ...]) -> Subscription:
    names = (
        "subscription_id", "user_id", "name", "channel", "kinds", "accounts", "least", "created_ns",
        "sent", "lost", "unsaid", "tries", "next_ns", "failing_ns", "why", "waiting",
    )  # fmt: skip
    found = dict(zip(names, row, strict=True))
    found["kinds"] = frozenset(Kind(kind) for kind in found["kinds"].split())
    found["accounts"] = frozenset(found["accounts"].split())
    found["least"] = Decimal(found["least"])
    return Subscription(**found)
