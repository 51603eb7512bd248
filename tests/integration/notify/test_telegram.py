"""Telegram tells and listens: for linked chats, by the roles and the audit of everything else."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pyotp
import pytest

from holdfast.config.notify import Telegram
from holdfast.domain.fact import BotStarted, Halted, HaltLevel
from holdfast.domain.platform import CommandGiven, StepUpConfirmed
from holdfast.errors import ConfigError
from holdfast.operations.notify.telegram import Bot
from holdfast.platform.identity import throttle
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.port import Change
from holdfast.secrets import Secret
from holdfast.secrets.candidates import candidates
from holdfast.telemetry.log import configure
from tests.support.notify_world import World, world
from tests.support.platform_stores import KINDS
from tests.support.telegram_server import TOKEN, TelegramServer, telegram

TOM, BEA, CUT, ADA, STRANGER = 101, 102, 103, 104, 999
CHATS = {"tom": TOM, "bea": BEA, "cut": CUT, "ada": ADA}

IDENTITY_KEY = "an identity key that is long enough for it"

Scenario = Callable[[World, TelegramServer], Awaitable[None]]


@pytest.fixture
def kind() -> str:
    """Of the store, where a test does not ask for each."""
    return "sqlite"


@pytest.fixture
def play(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a scenario beside a stand-in of Telegram, with leaders that take what they are asked."""
    monkeypatch.setenv("TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setattr("holdfast.operations.notify.deliver.FIRST_RETRY_S", 0.05)

    def run(scenario: Scenario) -> None:
        async def inside() -> None:
            async with telegram() as server:
                settings = Telegram(token="env:TELEGRAM_TOKEN", url=server.url)
                async with world(kind, tmp_path, monkeypatch, (), telegram=settings) as made:
                    for account, bot in (("main", "cross"), ("other", "grid")):
                        await made.write(account, started(bot))
                    leaders = [asyncio.create_task(made.lead(one)) for one in ("main", "other")]
                    try:
                        await scenario(made, server)
                    finally:
                        for one in leaders:
                            one.cancel()
                            with suppress(asyncio.CancelledError):
                                await one

        asyncio.run(inside())

    return run


def started(bot: str) -> BotStarted:
    config = {"strategy": "sma_cross", "symbols": ["BTC/USDT"], "timeframe": "1m"}
    return BotStarted(bot=bot, config_version=1, config=json.dumps(config), anchor_ns=0)


async def link(made: World, server: TelegramServer, who: str) -> None:
    """Make a chat somebody's."""
    made_link = await made.own.link(made.who[who])
    await server.say(CHATS[who], f"/start {made_link.code}")
    await made.until(lambda: bool(server.told(CHATS[who])), f"{who}'s chat is linked")


async def done(made: World, server: TelegramServer, update: int) -> None:
    await made.until(lambda: server.handled(update), "the update is handled")


async def hears(made: World, server: TelegramServer, chat: int, text: str) -> None:
    await made.until(
        lambda: any(text in one for one in server.told(chat)), f"{text!r} is said to {chat}"
    )


def test_a_chat_is_linked_by_a_code_once_and_strangers_hear_nothing(
    play: Callable[..., None],
) -> None:
    async def scenario(made: World, server: TelegramServer) -> None:
        async with made.telling():
            code = (await made.own.link(made.who["tom"])).code
            for text in ("/status", "/halt", "/start", "/start hfc_wrong", "hello"):
                await server.say(STRANGER, text)
            await server.press(STRANGER, "confirm x")
            await server.say(STRANGER, f"/start {code}", kind="group")
            await server.say(STRANGER, f"/start {code}", sender=TOM)
            await server.say(STRANGER, f"/start {code}", age_s=120)
            await server.put_unknown()
            await link(made, server, "bea")
            await server.say(TOM, f"/start {code}")
            await hears(made, server, TOM, "This chat is tom's now.")
            await done(made, server, await server.say(STRANGER, f"/start {code}"))
            assert await made.own.chats(made.who["tom"]) == [TOM]
            assert await made.own.unlink(made.who["tom"]) == 1
            await done(made, server, await server.say(TOM, "/halt"))
        assert server.told(STRANGER) == []
        assert len(server.told(TOM)) == 1
        assert made.asked() == []

    play(scenario)


def test_a_chat_sees_what_is_its_user_s_and_hears_what_he_asked_for(
    play: Callable[..., None],
) -> None:
    async def scenario(made: World, server: TelegramServer) -> None:
        async with made.telling():
            await link(made, server, "tom")
            await link(made, server, "cut")
            for text in ("/status@our_bot", "/positions", "/pnl", "/help", "hello"):
                await server.say(TOM, text)
            await server.say(CUT, "/status")
            await hears(made, server, TOM, "main: led by nobody, equity 10000.00 USDT")
            await hears(made, server, TOM, "No open position.")
            await hears(made, server, TOM, "main/cross: +0.00 USDT today, +0.00 in all")
            await hears(made, server, CUT, "main/cross: running")
            await made.add("tom", "chat", "telegram")
            await made.until(lambda: made.told_upto("main") > 0, "telling began")
            server.limited = 1
            await made.write("main", Halted(level=HaltLevel.CANCEL, reason="tired", by="ana"))
            await hears(made, server, TOM, "main: The account was halted (cancel) by ana: tired.")
        assert not any("other" in one for one in server.told(TOM))
        assert not any("equity" in one or "main:" in one for one in server.told(CUT))
        assert sum("/help – this" in one for one in server.told(TOM)) == 3

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_halt_is_asked_for_at_once_under_the_user_s_name(play: Callable[..., None]) -> None:
    async def scenario(made: World, server: TelegramServer) -> None:
        async with made.telling():
            for who in ("tom", "cut", "ada"):
                await link(made, server, who)
            await server.say(TOM, "/halt")
            await hears(made, server, TOM, "halt main: took effect at record")
            await server.say(TOM, "/halt other")
            await hears(made, server, TOM, "No account or bot of that name is yours.")
            await server.say(CUT, "/halt")
            await hears(made, server, CUT, "viewer cut may not do that.")
            await server.say(TOM, "/drain cross")
            await hears(made, server, TOM, "drain main: took effect")
            await server.say(ADA, "/halt cancel")
            await hears(made, server, ADA, "halt other: took effect")
            await server.say(TOM, "/halt now please")
            await hears(made, server, TOM, "'please' is not understood.")
        said = '"reason":"asked for by Telegram"'
        assert made.asked() == [
            ("main", "halt", f'{{"level":"entries",{said}}}', f"telegram:tom/{TOM}"),
            ("main", "drain", f'{{"bot":"cross",{said}}}', f"telegram:tom/{TOM}"),
            ("main", "halt", f'{{"level":"cancel",{said}}}', f"telegram:ada/{ADA}"),
            ("other", "halt", f'{{"level":"cancel",{said}}}', f"telegram:ada/{ADA}"),
        ]
        given = [e.fact for e in made.store.events(0, 1000) if isinstance(e.fact, CommandGiven)]
        assert [one.by for one in given] == [row[3] for row in made.asked()]
        assert all(one.user_id and one.request_id.startswith("telegram-4711-") for one in given)

    play(scenario)


def test_what_adds_risk_is_confirmed_by_its_own_button_within_its_time(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(made: World, server: TelegramServer) -> None:
        async with made.telling():
            await link(made, server, "tom")
            await link(made, server, "cut")
            await server.say(CUT, "/resume")
            await hears(made, server, CUT, "viewer cut may not do that.")
            await server.say(TOM, "/resume main")
            await hears(made, server, TOM, "resume main? Confirm within 60 s.")
            button = server.button(TOM)
            for data in ("confirm", "confirm wrong", "resume"):
                await server.press(TOM, data)
            await server.press(CUT, button)
            await server.press(TOM, button, sender=CUT)
            await done(made, server, await server.say(TOM, "/confirm 123456"))
            assert made.asked() == []
            await server.press(TOM, button)
            await hears(made, server, TOM, "resume main: took effect")
            await done(made, server, await server.press(TOM, button))
            await server.say(TOM, "/halt main flatten")
            await hears(made, server, TOM, "halt (flatten) main? Confirm within 60 s.")
            assert [row[:2] for row in made.asked()] == [("main", "resume")]
            monkeypatch.setattr("holdfast.app.notify.confirm.LASTS_S", 0.0)
            await server.say(TOM, "/resume cross")
            await hears(made, server, TOM, "resume main/cross? Confirm within 60 s.")
            await done(made, server, await server.press(TOM, server.button(TOM)))
        assert [row[:2] for row in made.asked()] == [("main", "resume")]
        steps = [e.fact for e in made.store.events(0, 1000) if isinstance(e.fact, StepUpConfirmed)]
        assert [(one.by, one.method) for one in steps] == [(f"telegram:tom/{TOM}", "button")]

    play(scenario)


def test_who_has_a_second_factor_confirms_by_it(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_KEY", IDENTITY_KEY)

    async def scenario(made: World, server: TelegramServer) -> None:
        secret = pyotp.random_base32()
        give_factor(made, secret, IDENTITY_KEY)
        async with made.telling():
            await link(made, server, "tom")
            await server.say(TOM, "/resume")
            await hears(made, server, TOM, "resume main? Send /confirm and a code")
            assert "reply_markup" not in server.sent[-1]
            await server.say(TOM, "/confirm 000 000 0")
            await hears(made, server, TOM, "That is no code of your authenticator")
            assert made.asked() == []
            code = pyotp.TOTP(secret).now()
            await server.say(TOM, f"/confirm {code[:3]} {code[3:]}")
            await hears(made, server, TOM, "resume main: took effect")
            await server.say(TOM, "/resume")
            await made.until(
                lambda: sum("Send /confirm" in one for one in server.told(TOM)) == 2, "asked back"
            )
            await done(made, server, await server.say(TOM, f"/confirm {code}"))
            await server.say(TOM, "/confirm")
            await made.until(
                lambda: sum("That is no code" in one for one in server.told(TOM)) >= 2, "used once"
            )
        assert len(made.asked()) == 1

    play(scenario)


def test_what_others_try_under_his_name_holds_up_no_code_from_his_chat(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_KEY", IDENTITY_KEY)

    async def scenario(made: World, server: TelegramServer) -> None:
        secret = pyotp.random_base32()
        give_factor(made, secret, IDENTITY_KEY)

        def attack(change: Change) -> None:
            for number in range(110):
                throttle.failed(change, "tom", f"192.0.2.{number}", time.time_ns())

        made.store.change(attack)
        async with made.telling():
            await link(made, server, "tom")
            await server.say(TOM, "/resume")
            await hears(made, server, TOM, "resume main? Send /confirm and a code")
            await server.say(TOM, f"/confirm {pyotp.TOTP(secret).now()}")
            await hears(made, server, TOM, "resume main: took effect")

    play(scenario)


def test_a_second_factor_sealed_by_another_key_confirms_nothing_and_holds_nobody_up(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_KEY", IDENTITY_KEY)

    async def scenario(made: World, server: TelegramServer) -> None:
        give_factor(made, pyotp.random_base32(), IDENTITY_KEY[::-1])
        async with made.telling():
            await link(made, server, "tom")
            await server.say(TOM, "/resume")
            await hears(made, server, TOM, "resume main? Send /confirm and a code")
            await server.say(TOM, "/confirm 000000")
            await hears(made, server, TOM, "cannot be read here")
            await server.say(TOM, "/halt")
            await hears(made, server, TOM, "halt main: took effect")
        assert [row[1] for row in made.asked()] == ["halt"]

    play(scenario)


def give_factor(made: World, secret: str, key: str) -> None:
    """Let Tom have an authenticator, sealed as where people sign in."""
    kept = Sealer([Secret(key)]).sealed(secret, made.who["tom"].user_id)
    made.store.change(lambda change: change.run(
        "UPDATE platform_user SET totp_secret = ? WHERE name = 'tom'", kept
    ))  # fmt: skip


def test_what_is_old_after_an_outage_is_not_done_and_what_comes_again_is_done_once(
    play: Callable[..., None],
) -> None:
    log = io.StringIO()
    configure("debug", stream=log)

    async def scenario(made: World, server: TelegramServer) -> None:
        async with made.telling():
            await link(made, server, "tom")
        await server.say(TOM, "/halt", age_s=300)
        await server.say(TOM, "/halt", age_s=-300)
        await server.say(TOM, "/status", age_s=300)
        server.repeats = True
        async with made.telling():
            update = await server.say(TOM, "/halt main")
            await done(made, server, update)
            await hears(made, server, TOM, "halt main: took effect")
            asked = len(server.offsets)
            await made.until(lambda: len(server.offsets) > asked + 3, "it came again and again")
            server.is_cut = True
            await server.say(TOM, "/halt main cancel")
            await made.until(lambda: "telegram_wait" in log.getvalue(), "the cut is felt")
            server.is_cut = False
            await made.until(lambda: len(made.asked()) == 2, "and goes on afterwards")
            last = update + 1
            await done(made, server, last)
        server.offsets.clear()
        async with made.telling():
            await made.until(lambda: bool(server.offsets), "another process asks")
            assert server.offsets[0] == last + 1
        assert [row[:2] for row in made.asked()] == [("main", "halt")] * 2
        assert sum("and is not done" in one for one in server.told(TOM)) == 2
        assert sum("equity" in one for one in server.told(TOM)) == 1
        assert TOKEN.partition(":")[2] not in log.getvalue()

    play(scenario)


def test_a_wrong_token_is_said_without_being_shown(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    configure("debug", stream=log)
    wrong = "4711:wrong-token-9876543210"
    monkeypatch.setattr("tests.support.telegram_server.TOKEN", "another")

    async def scenario(made: World, _server: TelegramServer) -> None:
        monkeypatch.setenv("TELEGRAM_TOKEN", wrong)
        async with made.telling():
            await made.until(lambda: "knows no such bot" in log.getvalue(), "it is said")
        assert "wrong-token" not in log.getvalue()

    play(scenario)


def test_a_token_that_was_replaced_is_found_and_another_bot_s_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "token"

    def write(token: str) -> None:
        file.write_text(token)
        file.chmod(0o600)

    async def work() -> None:
        tokens = partial(candidates, f"file:{file}", purpose="test")
        async with telegram() as server, Bot(server.url, Secret(TOKEN), tokens) as bot:
            write(TOKEN)
            server.token = f"{TOKEN}-renewed"
            with pytest.raises(ConfigError, match="no such bot"):
                await bot.say(TOM, "too early")
            write(server.token)
            await bot.say(TOM, "renewed")
            server.token = "4712:another-bot-s-token-0123456789"
            write(server.token)
            with pytest.raises(ConfigError, match="no such bot"):
                await bot.say(TOM, "of another")
            file.unlink()
            with pytest.raises(ConfigError, match="cannot be read"):
                await bot.say(TOM, "of nobody")
        assert server.told(TOM) == ["renewed"]

    asyncio.run(work())
