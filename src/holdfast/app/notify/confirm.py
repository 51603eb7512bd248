"""Confirming from a chat what adds risk: by a button, or by a code of a second factor.

Not here: what is confirmed (desk).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.app.notify.orders import Order
from holdfast.domain.platform import SignInFailed, StepUpConfirmed
from holdfast.platform.identity import throttle, totp, users
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.identity.values import Principal, User
from holdfast.platform.port import Change

LASTS_S: Final = 60.0
ADDRESS: Final = "telegram"

_S: Final = 1_000_000_000


class Pending(msgspec.Struct, frozen=True):
    """Something that waits for its confirmation.

    Attributes:
        code: of the button.
        until_s: monotonic.
    """

    order: Order
    code: str
    user_id: str
    until_s: float


class Confirmations:
    """One at a time of each chat; forgotten when the process ends, so that nothing old is done.

    Args:
        clock_s: monotonic.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._pending: dict[int, Pending] = {}

    def ask(self, chat_id: int, user_id: str, order: Order) -> Pending:
        """Let something wait; what waited before is forgotten."""
        until_s = self._clock_s() + LASTS_S
        pending = Pending(order, secrets.token_urlsafe(12), user_id, until_s)
        self._pending[chat_id] = pending
        return pending

    def find(self, chat_id: int, user_id: str, code: str = "") -> Pending | None:
        """What waits in a chat and is not too old; of this button where a code is given."""
        found = self._pending.get(chat_id)
        if found is None or found.user_id != user_id or self._clock_s() >= found.until_s:
            return None
        if code and not secrets.compare_digest(found.code.encode(), code.encode()):
            return None
        return found

    def done(self, chat_id: int) -> None:
        """It waits no more."""
        self._pending.pop(chat_id, None)


def stepped_up(who: Principal, now_ns: int) -> Principal:
    """Who has just confirmed."""
    return msgspec.structs.replace(who, step_up_until_ns=now_ns + round(LASTS_S * _S))


def note(change: Change, who: Principal, method: str) -> None:
    """Let the platform's stream say that somebody confirmed."""
    change.note(
        StepUpConfirmed(
            by=who.actor, user_id=who.user_id, session_id="", method=method, address=ADDRESS
        )
    )


def prove_code(
    change: Change, user: User, code: str, who: Principal, *, sealer: Sealer, now_ns: int
) -> bool:
    """Whether a code of his authenticator is right, counted as a sign-in's is; each good once.

    Raises:
        ThrottledError: too many were wrong.
        ConfigError: his second factor is sealed by a key that is not here.
    """
    within = f"{ADDRESS} {user.user_id}"  # a chat that is his, whatever others try elsewhere
    throttle.require_free(change, user.name, ADDRESS, now_ns, within=within)
    row = users.required(change, user.user_id)
    step = totp.step_of(sealer.opened(row.totp_secret, row.user_id), code, now_ns)
    if step is not None and users.use_totp_step(change, row, step):
        throttle.succeeded(change, user.name, ADDRESS, within=within)
        note(change, who, "totp")
        return True
    throttle.failed(change, user.name, ADDRESS, now_ns, within=within)
    change.note(
        SignInFailed(by=who.actor, user_id=user.user_id, why="confirmation", address=ADDRESS)
    )
    return False
