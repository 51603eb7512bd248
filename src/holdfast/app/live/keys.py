"""An account's key at its exchange, and what is done when the exchange takes it no more.

The secret is fetched anew; its current version and the one before it are tried, and one that the
exchange takes is used if it is the *same account's*: the journal's orders are asked for by ids that
mean nothing in another one, where each of them would look as if it had never been. Whose it is, the
journal says from the first leader on. Nothing is sent again. Not here: signing (venues), the cache
(holdfast.secrets).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final

from holdfast.config import Account
from holdfast.errors import ConfigError, RejectedError, RetryableError
from holdfast.secrets import Stage, current, invalidate
from holdfast.telemetry.log import get_logger
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.inspection import account_uid
from holdfast.venues.binance.signing import Key

log = get_logger("app.keys")

FIRST_PAUSE_S: Final = 1.0
LAST_PAUSE_S: Final = 60.0
"""Between two tries to find a key that is taken; questions with a bad one cost limits as well."""

ASK_S: Final = 300.0
"""Between two questions of who follows: a key that nobody uses is not known to be refused."""
ALL_KNOW_S: Final = ASK_S + LAST_PAUSE_S
"""After a refusal every other node has heard of its own, if there is one."""


class Look(Enum):
    """What came of looking for another key."""

    REPLACED = "replaced"
    NONE = "none"  # no version is taken that is not in use already
    LATER = "later"  # the exchange, or who keeps the secret, does not answer


def key_of(account: Account, stage: Stage = Stage.CURRENT) -> Key:
    """The key that an account's references lead to; blocks for who keeps it.

    Raises:
        ConfigError, RetryableError: as `holdfast.secrets.resolve`.
    """
    purpose = f"the key of account {account.name}"
    halves = [
        current(reference, stage=stage, purpose=purpose).secret.reveal()
        for reference in (account.api_key, account.api_secret)
    ]
    return Key(*halves)


def refused(error: RejectedError) -> ConfigError:
    """What is to be done where the exchange takes a key no more, and there is no other."""
    return ConfigError(
        f"seen: the exchange refuses this key ({error}); expected: a key that may read and trade "
        "spot; do: check api_key and api_secret"
    )


class KeyKeeper:
    """Keeps a venue's key one that is taken.

    Args:
        fetch: the key in one version; blocks.
        refresh: makes `fetch` ask anew.
        uid: what the exchange calls the account, as journaled; empty when nobody has led it yet.

    Attributes:
        is_taken: the exchange takes the key in use, as far as is known.
    """

    def __init__(
        self,
        name: str,
        venue: BinanceVenue,
        fetch: Callable[[Stage], Key],
        refresh: Callable[[], None],
        uid: str = "",
    ) -> None:
        self._uid = uid
        self._is_known = False  # whose key the one in use is
        self._name = name
        self._venue = venue
        self._fetch = fetch
        self._refresh = refresh
        self._refused = asyncio.Event()
        self.is_taken = True
        self._refused_s = 0.0  # when it last was not, on the monotonic clock
        venue.on_key_refused = self._refused.set

    @classmethod
    def of(cls, account: Account, venue: BinanceVenue, uid: str) -> KeyKeeper:
        """The keeper of an account's key; `uid` as journaled."""

        def refresh() -> None:
            invalidate(account.api_key)
            invalidate(account.api_secret)

        return cls(account.name, venue, lambda stage: key_of(account, stage), refresh, uid)

    async def begin(self) -> None:
        """Learn whose key it is, and take another one where it is refused already.

        Raises:
            RetryableError: the exchange does not answer. Nothing is followed until it is known
                whose key this is, or another account's might be taken for it later.
            ConfigError: it is another account's.
        """
        try:
            await self._ask()
        except RejectedError:
            if await self.look() is not Look.REPLACED:
                self._refused.set()  # for `run`, which goes on looking

    @property
    def is_awaited(self) -> bool:
        """Whether there is none yet that the exchange takes, for an account that has been led.

        So its references were right once: a rotation is not over, and `run` looks for the key.
        """
        return bool(self._uid) and not (self._is_known or self.is_taken)

    def serves(self, *, leads: bool) -> bool:
        """Whether the account could be led with the key in use.

        Who leads says no only when all others have asked as well: one who has not would take the
        account, and be refused in turn, and then nobody would lead it.
        """
        is_new = time.monotonic() - self._refused_s < ALL_KNOW_S
        return self.is_taken or (leads and is_new)

    async def owner(self) -> str:
        """What the exchange calls the account of the key in use; empty when it does not say.

        Asked only where the key was refused until now.

        Raises:
            ConfigError: the key is refused, or another account's.
            RetryableError: the exchange does not answer.
        """
        if not self._is_known:
            try:
                await self._ask()
            except RejectedError as error:
                raise refused(error) from error
        return self._uid

    def require(self, uid: str) -> None:
        """The account is the one of this `uid`, as somebody has journaled meanwhile.

        Raises:
            ConfigError: the key in use is another one's.
        """
        if not uid or uid == self._uid:
            return
        seen, self._uid = self._uid, uid
        if self._is_known and seen:
            raise self._foreign(seen)
        self._is_known = False

    async def _ask(self) -> None:
        uid = await account_uid(self._venue)
        if self._uid and not uid:
            raise RetryableError(
                f"seen: the exchange does not say whose key this is; expected: {self._uid}; "
                "do: nothing, it is asked again"
            )
        if self._uid and uid != self._uid:
            raise self._foreign(seen=uid)
        self._uid, self._is_known = uid, True

    def _foreign(self, seen: str) -> ConfigError:
        self._tell_foreign(seen)
        return ConfigError(
            f"seen: the key of account {self._name} belongs to {seen} at the exchange; expected: "
            f"{self._uid}, whose orders its journal has; do: put a key of {self._uid} where "
            "api_key and api_secret lead, or begin an account of another name"
        )

    def _tell_foreign(self, seen: str) -> None:
        log.error(
            "the references lead to the key of another account, which is not used: orders "
            "under way would look as if they had never been; do: put a key of the same account "
            "there, or stop the bots and begin an account of another name",
            action="key_foreign", account=self._name, seen=seen, expected=self._uid,
        )  # fmt: skip

    async def run(self) -> None:
        """Look for another key whenever the one in use is refused, until cancelled."""
        pause_s, taken_s = FIRST_PAUSE_S, -math.inf
        while True:
            await self._until_refused()
            # A key that may read and not trade is refused with each order, and taken in between.
            if time.monotonic() - taken_s > LAST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            found = await self.look()
            while not await self._is_taken_after(pause_s):
                pause_s = min(2 * pause_s, LAST_PAUSE_S)
                found = await self.look()
            if found is Look.REPLACED:
                self._refused.clear()  # answers to what the former key had asked
            pause_s = FIRST_PAUSE_S if found is Look.REPLACED else min(2 * pause_s, LAST_PAUSE_S)
            self.is_taken, taken_s = True, time.monotonic()

    async def _until_refused(self) -> None:
        """Until the key in use is; who asks for nothing else asks for that, now and then."""
        while not self._refused.is_set():
            try:
                await asyncio.wait_for(self._refused.wait(), ASK_S)
            except TimeoutError:
                with suppress(RetryableError, ConfigError):
                    await self._asked()

    async def _asked(self) -> None:
        try:
            await self._ask()
        except RejectedError:
            self._refused.set()

    async def _is_taken_after(self, pause_s: float) -> bool:
        """Whether the exchange takes the key in use, be it another one or the same as before."""
        await asyncio.sleep(pause_s)
        try:
            await self._ask()
        except (RejectedError, RetryableError, ConfigError) as error:
            log.info("not taken", action="key_absent", account=self._name, why=str(error))
            return False
        return True

    async def look(self) -> Look:
        """Try the secret's current version and the one before; use what is taken."""
        if self.is_taken:
            self._refused_s = time.monotonic()
        self.is_taken = False
        self._refused.clear()
        self._refresh()
        for stage in Stage:
            try:
                key = await asyncio.to_thread(self._fetch, stage)
                if not key.is_same(self._venue.key) and await self._is_ours(key, stage):
                    self._venue.use(key)
                    self.is_taken = True
                    log.warning(
                        "another key of the account is used from here on", action="key_replaced",
                        account=self._name, stage=str(stage), key=repr(key),
                    )  # fmt: skip
                    return Look.REPLACED
            except ConfigError as error:
                log.info("no such key", action="key_absent", account=self._name, why=str(error))
            except RetryableError as error:
                log.warning("no key now", action="key_wait", account=self._name, why=str(error))
                return Look.LATER
        log.error(
            "the exchange refuses the key, and there is no other; do: look at its rights and "
            "addresses at the exchange, or make a new one and put it where the references lead",
            action="key_refused", account=self._name,
        )  # fmt: skip
        return Look.NONE

    async def _is_ours(self, key: Key, stage: Stage) -> bool:
        """Whether the exchange takes a key, and it is the same account's.

        Where nobody has led the account yet there is none to compare with: what a process is begun
        with is what it was told to trade.
        """
        other = self._venue.with_key(key)
        try:
            uid = await account_uid(other)
        except RejectedError as error:
            log.info(
                "refused as well", action="key_absent", account=self._name, stage=str(stage),
                why=str(error),
            )  # fmt: skip
            return False
        finally:
            await other.close()
        if not uid or (self._uid and uid != self._uid):
            self._tell_foreign(uid)
            return False
        self._uid, self._is_known = uid, True
        return True
