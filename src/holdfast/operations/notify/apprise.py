"""Messages by Apprise, to any of the services that it knows.

An address holds tokens: it is read where it is used, masked in every log, and in no error. Not
here: when something is sent (deliver).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from holdfast.errors import ConfigError
from holdfast.operations.notify.port import DeliveryError
from holdfast.operations.notify.words import Text
from holdfast.secrets import Secret
from holdfast.telemetry.log import hide

if TYPE_CHECKING:
    from apprise import Apprise

PATIENCE_S: Final = 30.0
"""Apprise gives a server 4 s to be reached and 4 s to answer, unless the address says otherwise."""

# Their lines show whole addresses.
_TALKATIVE: Final = ("apprise", "urllib3", "requests_oauthlib")


class AppriseChannel:
    """One address.

    Raises:
        ConfigError: Apprise is not installed, or does not know such an address. The text does not
            show it.
    """

    def __init__(self, name: str, address: Secret) -> None:
        self.name = name
        self._services = _services(name, address)

    async def send(self, text: Text) -> None:
        """Deliver a message; it costs a thread while it lasts.

        Raises:
            DeliveryError: it was not taken, or perhaps not.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                done = await asyncio.to_thread(self._send, text)
        except TimeoutError as error:
            raise _not_taken("no answer in time") from error
        if not done:
            raise _not_taken("refused, or no answer")

    def _send(self, text: Text) -> bool:
        from apprise import NotifyType  # noqa: PLC0415  # optional, and slow

        kind = NotifyType.WARNING if text.is_urgent else NotifyType.INFO
        return bool(self._services.notify(body=text.body, title=text.title, notify_type=kind))


def _services(name: str, address: Secret) -> Apprise:
    try:
        from apprise import Apprise  # noqa: PLC0415  # optional, and slow
    except ImportError as error:
        raise ConfigError(
            f"seen: channel {name}, and no Apprise ({error}); expected: apprise; do: "
            "pip install 'holdfast[notify]'"
        ) from error
    value = address.reveal()
    hide(value)
    hide(value.partition("://")[2])
    for talkative in _TALKATIVE:
        logging.getLogger(talkative).setLevel(logging.CRITICAL)
    services = Apprise()
    if not services.add(value):
        raise ConfigError(
            f"seen: channel {name} refers to an address that Apprise does not know; expected: such "
            "as slack://…, mailtos://…, json://…; do: correct what the reference leads to"
        )
    return services


def _not_taken(why: str) -> DeliveryError:
    return DeliveryError("not_taken", why)
