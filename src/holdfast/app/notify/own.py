"""A user's own subscriptions and chats: the `Notifications` of an installation.

Not here: delivering (operations.notify), the process that does (serve).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

from holdfast.app.live.opening import database_of
from holdfast.app.notify import people
from holdfast.config import Config
from holdfast.config.notify import TELEGRAM, NotifySettings
from holdfast.domain.platform import Requested
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import Link, Subscription, Wanted
from holdfast.platform.identity import codes
from holdfast.platform.identity.codes import Purpose
from holdfast.platform.identity.values import AbsentError, Principal, Scope, UnsuitableError
from holdfast.platform.port import Change, Look, PlatformStore

T = TypeVar("T")


class OwnNotifications:
    """For one event loop.

    Args:
        by: who is at the machine, for the platform's stream; empty where requests are audited by
            whoever lets them through.
    """

    def __init__(
        self,
        store: PlatformStore,
        settings: NotifySettings,
        by: str = "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._settings = settings
        self._by = by
        self._now_ns = now_ns

    def channels(self, who: Principal) -> tuple[str, ...]:
        """Names of the channels that he may use."""
        found = [one.name for one in self._settings.channels if one.is_for(who.name)]
        return (*found, *([TELEGRAM] if self._settings.telegram is not None else []))

    async def subscriptions(self, who: Principal) -> Sequence[Subscription]:
        """His, by name."""
        return await asyncio.to_thread(
            self._store.look, lambda look: rows.subscriptions(look, who.user_id)
        )

    async def add(self, who: Principal, wanted: Wanted) -> Subscription:
        """Let him hear of something; it begins now."""
        known = self.channels(who)
        if wanted.channel not in known:
            raise AbsentError(
                "channel",
                f"seen: no channel {wanted.channel!r} for {who.name}; expected: one of "
                f"{', '.join(known) or 'none: `[[notify.channels]]` has none'}",
            )
        for account in sorted(wanted.accounts):
            if who.accounts is not None and account not in who.accounts:
                raise UnsuitableError(
                    "account", f"seen: account {account}; expected: one that is his", "accounts"
                )
        return await self._change(
            who, "notify_add", wanted.name,
            lambda change: rows.add(change, who.user_id, wanted, self._now_ns()),
        )  # fmt: skip

    async def remove(self, who: Principal, subscription_id: str) -> None:
        """End it; what waits to be delivered is dropped."""
        await self._change(
            who, "notify_remove", subscription_id,
            lambda change: rows.remove(change, _his(change, who, subscription_id)),
        )  # fmt: skip

    async def test(self, who: Principal, subscription_id: str) -> None:
        """Let a message be delivered like any other."""
        await self._change(
            who, "notify_test", subscription_id,
            lambda change: rows.put_test(
                change, _his(change, who, subscription_id), self._now_ns()
            ),
        )  # fmt: skip

    async def link(self, who: Principal) -> Link:
        """A one-time code with which a chat of Telegram's becomes his."""
        if self._settings.telegram is None:
            raise AbsentError(
                "telegram", "seen: no bot of Telegram's; expected: `[notify.telegram]`; do: "
                "configure one",
            )  # fmt: skip
        code, expires_ns = await self._change(
            who, "notify_link", "",
            lambda change: codes.give(change, who.user_id, Purpose.TELEGRAM, self._now_ns()),
        )  # fmt: skip
        return Link(code, expires_ns)

    async def chats(self, who: Principal) -> Sequence[int]:
        """Those that are his."""
        return await asyncio.to_thread(
            self._store.look, lambda look: rows.chats(look, who.user_id)
        )

    async def unlink(self, who: Principal) -> int:
        """Let none of them be his any more."""
        return await self._change(
            who, "notify_unlink", "", lambda change: rows.unlink_chats(change, who.user_id)
        )

    async def _change(
        self, who: Principal, action: str, target: str, change: Callable[[Change], T]
    ) -> T:
        def noted(tables: Change) -> T:
            done = change(tables)
            if self._by:
                tables.note(
                    Requested(by=self._by, user_id=who.user_id, action=action, target=target)
                )
            return done

        return await asyncio.to_thread(self._store.change, noted)


def _his(look: Look, who: Principal, subscription_id: str) -> Subscription:
    whose = "" if who.may(Scope.ADMIN) else who.user_id
    return rows.required(look, subscription_id, whose)


@contextmanager
def at_machine(
    config: Config, user: str, by: str
) -> Iterator[tuple[OwnNotifications, Principal]]:
    """A user's, for who has the database anyway.

    Raises:
        ConfigError: no database, or one of another schema.
        AbsentError: no such user.
    """
    database = database_of(config)
    database.require()
    with closing(database.platform()) as store:
        found = store.look(lambda look: people.named(look, user))
        yield OwnNotifications(store, config.notify, by=f"cli:{by}"), people.principal_of(found)
