"""A user says over HTTP what he hears of; addresses and codes are shown to nobody, or only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from holdfast.config import Config
from holdfast.config.notify import Channel, NotifySettings, Telegram
from tests.support.api_world import World, problem, world

PATH = "/api/v1/me/notifications"
NOTIFY = NotifySettings(
    channels=(
        Channel(name="ops", to="env:NOTIFY_OPS"),
        Channel(name="hers", to="env:NOTIFY_HERS", users=("bea",)),
    ),
    telegram=Telegram(token="env:TELEGRAM_TOKEN"),
)


def play(folder: Path, scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        config = Config(
            database_url=f"sqlite:///{folder}/journal.db", state_dir=str(folder), notify=NOTIFY
        )
        async with world(folder, config=config) as made:
            await scenario(made)

    asyncio.run(run())


def test_a_user_adds_sees_tests_and_removes_his_own(tmp_path: Path) -> None:
    async def scenario(made: World) -> None:
        given = {
            "name": "large", "channel": "ops", "kinds": ["fill", "halt"], "accounts": ["main"],
            "least": "250.50",
        }  # fmt: skip
        added = (await made.ask("POST", PATH, "tom", json=given)).raise_for_status().json()
        assert added | given | {"least": "250.5"} == added
        one = f"{PATH}/{added['subscription_id']}"
        assert (await made.ask("POST", f"{one}/test", "tom")).status_code == 204
        found = (await made.ask("GET", PATH, "tom")).json()
        assert [item["waiting"] for item in found["items"]] == [1]
        assert (found["channels"], found["chats"]) == (["ops", "telegram"], 0)
        assert (await made.ask("GET", PATH, "bea")).json() == {
            "items": [], "channels": ["ops", "hers", "telegram"], "chats": 0,
        }  # fmt: skip
        assert (await made.ask("DELETE", one, "bea")).status_code == 404
        assert (await made.ask("DELETE", one, "tom")).status_code == 204
        assert (await made.ask("GET", PATH, "tom")).json()["items"] == []
        noted = [str(getattr(e.fact, "action", "")) for e in made.store.events(0, 1000)]
        assert {"add_notification", "test_notification", "remove_notification"} <= set(noted)

    play(tmp_path, scenario)


def test_what_cannot_be_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def scenario(made: World) -> None:
        for more, status, code in (
            ({"channel": "hers"}, 404, "channel"),
            ({"channel": "env:JWT_SECRET"}, 422, "invalid"),
            ({"accounts": ["other"]}, 422, "account"),
            ({"least": "-1"}, 422, "invalid"),
            ({"kinds": ["everything"]}, 422, "invalid"),
            ({}, 201, ""),
            ({}, 409, "name"),
        ):
            given = {"name": "mine", "channel": "ops", **more}
            answer = await made.ask("POST", PATH, "tom", json=given)
            assert answer.status_code == status, answer.text
            if code:
                assert problem(answer)["code"] == code
        for number in range(19):
            await made.ask("POST", PATH, "tom", json={"name": f"n{number}", "channel": "ops"})
        answer = await made.ask("POST", PATH, "tom", json={"name": "beyond", "channel": "ops"})
        assert problem(answer)["code"] == "too_many"

    play(tmp_path, scenario)


def test_a_chat_is_linked_by_a_person_who_confirmed_and_the_code_is_shown_once(
    tmp_path: Path,
) -> None:
    async def scenario(made: World) -> None:
        path = "/api/v1/me/telegram"
        given = {"name": "reader", "scopes": ["read", "trade"]}
        token = (await made.ask("POST", "/api/v1/me/tokens", "tom", json=given)).json()["secret"]
        plain = (await made.sign_in("tom"))["access_token"]
        for bearer in (token, plain):
            answer = await made.ask("POST", path, headers={"Authorization": f"Bearer {bearer}"})
            assert problem(answer)["code"] == "step_up_required"
        key = {"Idempotency-Key": "link-my-phone"}
        linked = (await made.ask("POST", path, "tom", headers=dict(key))).raise_for_status().json()
        assert linked["send"].startswith("/start hfc_")
        again = (await made.ask("POST", path, "tom", headers=dict(key))).json()
        assert again == linked | {"send": None}
        assert (await made.ask("DELETE", path, "tom")).status_code == 204
        assert linked["send"] not in str(made.store.events(0, 1000))

    play(tmp_path, scenario)
