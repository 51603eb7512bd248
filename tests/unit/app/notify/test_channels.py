"""The ways to a user: an address that is refused is asked for anew."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.app.notify.channels import _ByReference
from holdfast.operations.notify.port import DeliveryError
from holdfast.operations.notify.words import Text
from holdfast.secrets import Reference, Secret, SecretSource, Stage, Version, _sources, resolve

REFERENCE = "vault:secret/alerts#url"


class Shelf:
    """It tells one address after the other."""

    asked = 0

    def fetch(self, _reference: Reference, _stage: Stage) -> Version:
        """Another one each time."""
        self.asked += 1
        return Version(Secret(f'{{"url": "json://address-{self.asked}"}}'))


class Refusing:
    """A channel that takes nothing while it is to."""

    refuses = True

    async def send(self, _text: Text) -> None:
        """As every channel."""
        if self.refuses:
            raise DeliveryError("not_taken", "refused, or no answer")


def test_an_address_that_takes_nothing_is_asked_for_anew_with_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_sources, "main", SecretSource({"vault": Shelf()}))
    first, channel = resolve(REFERENCE), Refusing()
    text = Text(title="t", body="b", is_urgent=False)
    with pytest.raises(DeliveryError):
        asyncio.run(_ByReference(channel, REFERENCE).send(text))
    second = resolve(REFERENCE)
    assert second != first
    channel.refuses = False
    asyncio.run(_ByReference(channel, REFERENCE).send(text))
    assert resolve(REFERENCE) == second, "who is taken asks nobody"
