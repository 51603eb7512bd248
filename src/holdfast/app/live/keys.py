"""An account's key at its exchange, and what is done when the exchange takes it no more.

The secret is fetched anew; its current version and the one before it are tried, and one that the
exchange takes is used if it is the *same account's*: the journal's orders are asked for by ids that
mean nothing in another one, where each of them would look as if it had never been. Nothing is sent
again. Not here: signing (venues), the cache (holdfast.secrets).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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


class KeyKeeper:
    """Keeps a venue's key one that is taken.

    Args:
        fetch: the key in one version; blocks.
        refresh: makes `fetch` ask anew.

    Attributes:
        uid: of the account at the exchange; 0 until it is known.
    """

    def __init__(
        self,
        name: str,
        venue: BinanceVenue,
        fetch: Callable[[Stage], Key],
        refresh: Callable[[], None],
    ) -> None:
        self.uid = 0
        self._name = name
        self._venue = venue
        self._fetch = fetch
        self._refresh = refresh
        self._refused = asyncio.Event()
        venue.on_key_refused = self._refused.set

    @classmethod
    def of(cls, account: Account, venue: BinanceVenue) -> KeyKeeper:
        """The keeper of an account's key."""

        def refresh() -> None:
            invalidate(account.api_key)
            invalidate(account.api_secret)

        return cls(account.name, venue, lambda stage: key_of(account, stage), refresh)

    async def begin(self) -> None:
        """Learn whose key it is, and take another one where it is refused already.

        Raises:
            RetryableError: the exchange does not answer. Nothing is followed until it is known
                whose key this is, or another account's might be taken for it later.
        """
        try:
            self.uid = await account_uid(self._venue)
        except RejectedError:
            await self.look()

    async def run(self) -> None:
        """Look for another key whenever the one in use is refused, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            await self._refused.wait()
            found = await self.look()
            pause_s = FIRST_PAUSE_S if found is Look.REPLACED else min(2 * pause_s, LAST_PAUSE_S)
            await asyncio.sleep(pause_s)
            if found is Look.REPLACED:
                self._refused.clear()  # answers to what the former key had asked

    async def look(self) -> Look:
        """Try the secret's current version and the one before; use what is taken."""
        self._refused.clear()
        self._refresh()
        for stage in Stage:
            try:
                key = await asyncio.to_thread(self._fetch, stage)
                if not key.is_same(self._venue.key) and await self._is_ours(key, stage):
                    self._venue.use(key)
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

        A process whose first key was refused already knows no account to compare with: what it was
        begun with is what it was told to trade.
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
        if not uid or (self.uid and uid != self.uid):
            log.error(
                "the references lead to the key of another account, which is not used: orders "
                "under way would look as if they had never been; do: put a key of the same account "
                "there, or stop the bots and begin an account of another name",
                action="key_foreign", account=self._name, seen=uid, expected=self.uid,
            )  # fmt: skip
            return False
        self.uid = uid
        return True
