"""Second factors in the database: encrypted, by keys that can be replaced."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.config.identity import IdentitySettings, identity_settings
from holdfast.errors import ConfigError
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.values import Role
from holdfast.secrets import Secret
from tests.support.identity import AFAR, PASSWORD, World, scenario

OLD, NEW = Secret("an-older-key-of-enough-characters"), Secret("a-newer-key-of-enough-characters")


def kept(world: World) -> list[str]:
    """What the database has of second factors."""
    asked = "SELECT totp_secret, totp_offered FROM platform_user ORDER BY name"
    rows = world.store.look(lambda look: look.rows(asked))
    return [text for row in rows for text in row if text]


async def enrolled(world: World, identity: IdentityService) -> str:
    """A user with a second factor; its secret."""
    world.create("ana", Role.TRADER)
    offer = await identity.begin_totp(await world.confirmed("ana"))
    assert offer.secret not in "".join(kept(world)) or not world.settings.sealing
    await identity.enable_totp(await world.confirmed("ana"), world.code(offer.secret))
    return offer.secret


async def signs_in(world: World, identity: IdentityService, secret: str) -> None:
    world.wait(60)
    await identity.sign_in("ana", PASSWORD, world.code(secret), AFAR)


def process(world: World, *keys: Secret) -> IdentityService:
    return world.process(msgspec.structs.replace(world.settings, sealing=keys))


@scenario
async def test_a_second_factor_is_encrypted_and_its_key_can_be_replaced(world: World) -> None:
    world.settings = IdentitySettings(sealing=(OLD,))
    secret = await enrolled(world, process(world, OLD))
    assert secret not in "".join(kept(world))
    await signs_in(world, process(world, OLD), secret)
    with pytest.raises(ConfigError, match="IDENTITY_KEY"):
        await signs_in(world, process(world, NEW), secret)
    before = kept(world)
    await signs_in(world, process(world, NEW, OLD), secret)
    assert kept(world) != before, "it is kept by the newer key from its next use on"
    await signs_in(world, process(world, NEW), secret)


@scenario
async def test_what_was_kept_as_it_is_counts_on_and_is_sealed_at_once_or_at_its_next_use(
    world: World,
) -> None:
    secret = await enrolled(world, world.identity)
    assert kept(world) == [secret]
    world.create("ben", Role.VIEWER)
    await process(world, OLD).begin_totp(await world.confirmed("ben"))
    assert world.console.seal((NEW, OLD)) == 2
    assert secret not in "".join(kept(world))
    assert world.console.seal((NEW, OLD)) == 0
    await signs_in(world, process(world, NEW), secret)


@scenario
async def test_a_row_that_was_given_to_somebody_else_opens_nothing(world: World) -> None:
    sealer = Sealer((OLD,))
    with pytest.raises(ConfigError, match="another user's"):
        sealer.opened(sealer.sealed("JBSWY3DPEHPK3PXP", "ana"), "ben")


def test_the_key_and_the_one_before_it_come_from_the_environment() -> None:
    environ = {"IDENTITY_KEY": NEW.reveal(), "IDENTITY_KEY_PREVIOUS": OLD.reveal()}
    assert identity_settings(environ).sealing == (NEW, OLD)
    assert identity_settings({}).sealing == ()
    with pytest.raises(ConfigError, match="at least 32"):
        identity_settings({"IDENTITY_KEY": "short"})
