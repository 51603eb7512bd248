"""What a member remembers of one account, and for how long it bears with what does not go well.

Not here: who gets the account then, and what others can do (keeper, election).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.cluster.board import State
from holdfast.cluster.timing import Timing

PATIENCE_S: Final = 60.0
"""The longest that an account whose exchange answers nobody stays with one node."""
_MOST_DOUBLINGS: Final = 10


class Tenure:
    """One account at one member, from the member's joining to its leaving.

    All times are those of the clock that leases are measured on.

    Attributes:
        has_led: it has led since it is held.
        patience_s: for so long it bears with what does not answer, the next time.
    """

    def __init__(self, timing: Timing) -> None:
        self.has_led = False
        self.patience_s = 0.0
        self._timing = timing
        self._held_ns: int | None = None  # since when
        self._cut_off_ns: int | None = None  # since when nothing answers
        self._giving_ns: int | None = None  # since when it is to go to another
        self._given_ns: int | None = None  # when it was last given to nobody
        self._failures = 0  # how often it was held in vain, one after the other

    def hold(self, now_ns: int) -> None:
        """It is held."""
        if self._held_ns is None:
            self._held_ns = now_ns

    def release(self) -> None:
        """It is held no more."""
        self.has_led = False
        self._held_ns = self._cut_off_ns = self._giving_ns = None

    def lead(self) -> None:
        """It leads."""
        self.has_led = True
        self._failures = 0

    def given_to_nobody(self, now_ns: int) -> None:
        """It was handed to whoever takes it."""
        self._given_ns = now_ns
        if not self.has_led:
            self._failures += 1

    def was_just_given(self, now_ns: int) -> bool:
        """Whether others are to have their turn first."""
        return self._given_ns is not None and now_ns - self._given_ns < self._ttl_ns / 2

    def keep(self) -> None:
        """Nobody else could lead it: by the time that somebody comes it may be well."""
        self._giving_ns = None

    def fails(self, state: State, now_ns: int) -> bool:
        """Whether it is held in vain: it has not begun to lead, so that another had better try.

        Where nobody can begin, each time it stays twice as long. A takeover that is under way is
        left alone for longer: it may have to wait for the exchange.
        """
        longer = 1 << min(self._failures, _MOST_DOUBLINGS)
        patience_s = min(self._timing.ttl_s * longer, PATIENCE_S)
        if state is State.FOLLOWING:
            patience_s = PATIENCE_S * longer
        return self._held_for_ns(now_ns) >= patience_s * 1e9

    def gives_up(self, now_ns: int, *, answers: bool, is_proven: Callable[[], bool]) -> bool:
        """Whether what it needs does not answer here, so that another had better try.

        Where it answers nobody, the account must not wander for ever: each time it stays twice as
        long. That is forgotten when it has gone well for a while: a journal's disk may have room
        for one takeover after the other, and for nothing more.

        Args:
            is_proven: whether it is known that giving it away would help; asked when it matters.
        """
        if self.is_given_up:
            return True
        if answers:
            self._cut_off_ns = None
            if self._held_for_ns(now_ns) >= PATIENCE_S * 1e9:
                self.patience_s = 0.0
            return False
        if self._cut_off_ns is None:
            self._cut_off_ns = now_ns
        if now_ns - self._cut_off_ns < self.patience_s * 1e9 or not is_proven():
            return False
        self.patience_s = min(max(2 * self.patience_s, self._timing.ttl_s), PATIENCE_S)
        self._giving_ns = now_ns
        return True

    @property
    def is_given_up(self) -> bool:
        """Whether it is to go to another as what it needs does not answer here."""
        return self._giving_ns is not None

    def is_overdue(self, now_ns: int) -> bool:
        """Whether who is cut off had time to come to rest: its epoch stops it all the same."""
        renew_ns = self._timing.renew_s * 1e9
        return self._giving_ns is not None and now_ns - self._giving_ns > renew_ns

    def _held_for_ns(self, now_ns: int) -> int:
        return 0 if self._held_ns is None else now_ns - self._held_ns

    @property
    def _ttl_ns(self) -> float:
        return self._timing.ttl_s * 1e9
