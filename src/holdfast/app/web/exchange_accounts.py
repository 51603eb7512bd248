"""Exchange accounts as this process's file has them, with those that were added meanwhile.

Not here: what becomes of a change (app.live.added), who may make one (api).
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from holdfast.api.shapes.exchange_accounts import ExchangeAccount, NewExchangeAccount
from holdfast.api.times import moment_of
from holdfast.app import accounts
from holdfast.app.view.model import Model
from holdfast.config import Account, Config
from holdfast.config.added import AddedAccount, joined
from holdfast.errors import PlatformError
from holdfast.platform.accounts import rows
from holdfast.platform.accounts.rows import Row
from holdfast.platform.identity.values import Principal
from holdfast.platform.port import Look, PlatformStore
from holdfast.telemetry.log import get_logger

log = get_logger("app.web")

LOOK_S: Final = 2.0


class KeptExchangeAccounts:
    """The `ExchangeAccounts` of an installation; the read model knows of them as well.

    Args:
        config: as it is written.
    """

    def __init__(self, config: Config, store: PlatformStore, model: Model) -> None:
        self._config = config
        self._store = store
        self._model = model

    async def run(self) -> None:
        """Learn what others added, until cancelled; a database that does not answer may again."""
        why = ""
        while True:
            try:
                await self._look()
                why = ""
            except PlatformError as error:
                if str(error) != why:
                    why = str(error)
                    log.warning("accounts not read", action="accounts_wait", why=why)
            await asyncio.sleep(LOOK_S)

    async def all(self) -> tuple[ExchangeAccount, ...]:
        """Those of the file, and then those that were added, in order."""
        found = await self._look()
        now, refused = joined(self._config, [row.account for row in found])
        known = {one.name: one for one in now.all_accounts}
        return (
            *map(self._of_file, self._config.all_accounts),
            *(
                self._added(row, known.get(row.account.name), refused.get(row.account.name, ""))
                for row in found
            ),
        )

    async def add(self, who: Principal, account: NewExchangeAccount) -> ExchangeAccount:
        """One more.

        Raises:
            ConfigError, TakenError: as `app.accounts.add`.
        """
        added = AddedAccount(
            name=account.name, like=account.like, api_key=account.api_key,
            api_secret=account.api_secret, reconcile=account.reconcile,
        )  # fmt: skip
        row = await asyncio.to_thread(
            accounts.add, self._store, self._config, added, by=who.actor, now_ns=time.time_ns()
        )
        await self._look()
        return self._added(row, self._model.written_account(added.name), refused="")

    async def drop(self, who: Principal, name: str) -> None:
        """One less.

        Raises:
            RejectedError, AbsentError: as `app.accounts.drop`.
        """
        followed = self._model.account(name)
        state = followed.state if followed is not None else None
        await asyncio.to_thread(
            accounts.drop, self._store, name, state, by=who.actor, now_ns=time.time_ns()
        )
        await self._look()

    async def _look(self) -> tuple[Row, ...]:
        def look(look: Look) -> tuple[tuple[Row, ...], frozenset[str]]:
            return rows.every(look), rows.dropped(look)

        found, dropped = await asyncio.to_thread(self._store.look, look)
        self._model.configure(joined(self._config, [row.account for row in found]).config, dropped)
        return found

    def _of_file(self, account: Account) -> ExchangeAccount:
        return ExchangeAccount(
            name=account.name,
            venue=account.venue.kind,
            rest_url=account.venue.rest_url,
            api_key=account.api_key,
            api_secret=account.api_secret,
            reconcile=account.reconcile,
            in_file=True,
            nodes=self._model.nodes.that_have(account.name),
            leader=self._model.nodes.leader_of(account.name),
        )

    def _added(self, row: Row, joined: Account | None, refused: str) -> ExchangeAccount:
        added = row.account
        return ExchangeAccount(
            name=added.name,
            venue=joined.venue.kind if joined is not None else None,
            rest_url=joined.venue.rest_url if joined is not None else None,
            api_key=added.api_key,
            api_secret=added.api_secret,
            reconcile=added.reconcile,
            in_file=False,
            like=added.like,
            added_by=row.by,
            added_at=moment_of(row.added_ns),
            nodes=self._model.nodes.that_have(added.name),
            leader=self._model.nodes.leader_of(added.name),
            left_out=refused,
        )
