"""Codes that are good once: the demo's link, invitations to set a password, chats to be linked.

Not here: what is done for who brings one (service).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from holdfast.platform.identity import secret_text
from holdfast.platform.port import Change, Look

_S: Final = 1_000_000_000


class Purpose(StrEnum):
    """What a code is good for."""

    LINK = "link"
    INVITATION = "invitation"
    TELEGRAM = "telegram"

    @property
    def lasts_s(self) -> int:
        """For how long it is good."""
        return 3 * 86_400 if self is Purpose.INVITATION else 600


def give(change: Change, user_id: str, purpose: Purpose, now_ns: int) -> tuple[str, int]:
    """A new code, instead of those he had for this, and until when it is good."""
    code, expires_ns = secret_text.new(secret_text.CODE), now_ns + purpose.lasts_s * _S
    change.run(
        "DELETE FROM one_time_code WHERE (user_id = ? AND purpose = ?) OR expires_ns < ?",
        user_id, purpose.value, now_ns,
    )  # fmt: skip
    change.run(
        "INSERT INTO one_time_code (hash, user_id, purpose, expires_ns) VALUES (?, ?, ?, ?)",
        secret_text.kept(code), user_id, purpose.value, expires_ns,
    )  # fmt: skip
    return code, expires_ns


def owner(look: Look, code: str, purpose: Purpose, now_ns: int) -> str | None:
    """Whose it is, while it is good."""
    row = look.row(
        "SELECT user_id FROM one_time_code WHERE hash = ? AND purpose = ? AND expires_ns > ?",
        secret_text.kept(code), purpose.value, now_ns,
    )  # fmt: skip
    return None if row is None else str(row[0])


def use(change: Change, code: str) -> bool:
    """Use it up; False when somebody else just did."""
    return bool(change.run("DELETE FROM one_time_code WHERE hash = ?", secret_text.kept(code)))
