"""External series whose sources call the API: proved here, journaled by the account's leader.

Not here: the same on a node's own port (holdfast.signals.webhook).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from holdfast.api.ports import Commands, Given, NotThereError
from holdfast.api.shapes.commands import Command
from holdfast.config import Config, resolve
from holdfast.errors import RejectedError
from holdfast.platform.identity.values import Principal, Role, Scope
from holdfast.signals.port import SignalRefused, read_entry
from holdfast.signals.webhook import signature as proof

NAME: Final = "signal"
"""Of the command."""

WAIT_S: Final = 0.5


_SCOPES: Final = frozenset({Scope.TRADE})


class SignalDoor:
    """The `Signals` of an installation: one account hears them all.

    Raises:
        ConfigError: a secret cannot be read.
    """

    def __init__(self, config: Config, commands: Commands) -> None:
        self._account = config.all_accounts[0].name
        self._commands = commands
        self._secrets = {
            one.name: resolve(one.secret).reveal() for one in config.signals if one.secret
        }

    async def deliver(self, name: str, body: bytes, signature: str, request_id: str) -> Command:
        """Hand an entry over to the leader, who journals it or says why not."""
        secret = self._secrets.get(name, "")
        # As long for a series that is not there as for a proof that is none.
        is_proven = hmac.compare_digest(signature.encode(), proof(secret, body).encode())
        if not (secret and is_proven):
            raise NotThereError(
                "signal",
                "seen: no such series, or no proof of its secret; expected: a name of [[signals]] "
                "with a secret, and X-Holdfast-Signature: sha256=HMAC(secret, body)",
            )
        try:
            entry = read_entry(body)
        except SignalRefused as refused:
            raise RejectedError("refused", str(refused)) from refused
        known_at = {} if entry.known_at_ns is None else {"known_at_ns": str(entry.known_at_ns)}
        identity = entry.entry_id or request_id
        given = Given(
            command_id=hashlib.sha256(f"{name}\0{identity}".encode()).hexdigest()[:32],
            account=self._account,
            name=NAME,
            arguments={"signal": name, "value": entry.value, "id": entry.entry_id, **known_at},
        )
        who = Principal(user_id="", name=f"signal:{name}", role=Role.ADMIN, scopes=_SCOPES)
        (done,) = await self._commands.give(who, (given,), request_id, WAIT_S)
        return done
