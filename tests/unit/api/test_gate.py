"""What a request passes: who asks, whether he may, how often, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.api.build import Terms
from holdfast.api.ports import Rate
from holdfast.config import Config, SignalSource
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.values import Grant, Role
from holdfast.signals.webhook import SIGNATURE, signature
from tests.support.api_world import PASSWORD, PLENTY, World, problem, world

SECRET = "correct horse battery staple"
HALT = "/api/v1/accounts/main/halt"


def within(
    folder: Path, work: Callable[[World], Awaitable[None]], terms: Terms | None = None
) -> None:
    """Do `work` in a world of its own."""

    async def run() -> None:
        async with world(folder, terms) as made:
            await work(made)

    asyncio.run(run())


def test_who_proves_nothing_is_told_how(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        for headers in (
            {}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "},
            {"Authorization": "Bearer x.y.z"}, {"Authorization": f"Bearer {'a' * 5000}"},
        ):  # fmt: skip
            response = await made.client.get("/api/v1/me", headers=headers)
            assert response.status_code == 401
            assert problem(response)["code"] in {"no_token", "bad_token"}
            assert response.headers["www-authenticate"].startswith("Bearer")

    within(tmp_path, work)


def test_a_command_is_asked_for_once_however_often_it_is_sent(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        sent: dict[str, Any] = {
            "json": {"level": "cancel"}, "headers": {"Idempotency-Key": "halt-000001"},
            "params": {"wait_s": 0},
        }  # fmt: skip
        first = await made.ask("POST", HALT, "tom", **sent)
        again = await made.ask("POST", HALT, "tom", **sent)
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.json() == first.json()
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert made.commands() == [("main", "halt", '{"level":"cancel"}', "user:tom")]

    within(tmp_path, work)


def test_the_same_key_with_another_body_is_refused_and_does_nothing(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        key = {"Idempotency-Key": "halt-000001"}
        await made.ask("POST", f"{HALT}?wait_s=0", "tom", json={}, headers=key)
        other = await made.ask(
            "POST", f"{HALT}?wait_s=0", "tom", json={"level": "cancel"}, headers=key
        )
        assert other.status_code == 422
        assert problem(other)["code"] == "key_reused"
        assert len(made.commands()) == 1

    within(tmp_path, work)


def test_a_key_that_was_forgotten_is_free_for_another_command(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        key = {"Idempotency-Key": "halt-000001"}
        first = await made.ask("POST", f"{HALT}?wait_s=0", "tom", json={}, headers=dict(key))
        made.store.change(lambda change: change.run("DELETE FROM kept_request"))
        other = await made.ask(
            "POST", f"{HALT}?wait_s=0", "tom", json={"level": "cancel"}, headers=dict(key)
        )
        assert other.status_code == 202
        assert [told for _, _, told, _ in made.commands()] == [
            '{"level":"entries"}', '{"level":"cancel"}',
        ]  # fmt: skip
        told = other.json()["command_id"]
        assert told != first.json()["command_id"]
        shown = await made.ask("GET", f"/api/v1/commands/{told}", "tom")
        assert shown.json() == other.json()

    within(tmp_path, work)


def test_another_user_s_key_is_another_key(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        key = {"Idempotency-Key": "halt-000001"}
        await made.ask("POST", f"{HALT}?wait_s=0", "tom", json={}, headers=key)
        other = await made.ask("POST", f"{HALT}?wait_s=0", "ada", json={}, headers=key)
        assert other.status_code == 202
        assert [by for *_, by in made.commands()] == ["user:tom", "user:ada"]

    within(tmp_path, work)


@pytest.mark.parametrize("key", ["", "short", "with space in it", "x" * 129, "quoté-12345"])
def test_without_a_key_nothing_changes(tmp_path: Path, key: str) -> None:
    async def work(made: World) -> None:
        headers = {"Idempotency-Key": key.encode("latin-1", "replace")}
        response = await made.ask("POST", HALT, "tom", json={}, headers=headers)
        assert response.status_code == 400
        assert problem(response)["code"] == "no_key"
        assert made.commands() == []

    within(tmp_path, work)


def test_a_request_that_failed_has_not_used_its_key(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        key = {"Idempotency-Key": "halt-000001"}
        wrong = await made.ask("POST", HALT, "tom", json={"level": "all"}, headers=key)
        assert wrong.status_code == 422
        right = await made.ask("POST", f"{HALT}?wait_s=0", "tom", json={}, headers=key)
        assert right.status_code == 202

    within(tmp_path, work)


def test_a_secret_is_shown_once_and_kept_nowhere(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        sent: dict[str, Any] = {
            "json": {"name": "reader", "scopes": ["read"]},
            "headers": {"Idempotency-Key": "token-00001"},
        }
        first = await made.ask("POST", "/api/v1/me/tokens", "tom", **sent)
        again = await made.ask("POST", "/api/v1/me/tokens", "tom", **sent)
        secret = first.json()["secret"]
        assert again.json() == {**first.json(), "secret": None}
        kept = made.store.look(lambda look: look.rows("SELECT body FROM kept_request"))
        assert all(secret.encode() not in bytes(body) for (body,) in kept)

    within(tmp_path, work)


def test_what_adds_risk_asks_a_session_to_confirm(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        session = await made.sign_in("tom")
        plain = {"Authorization": f"Bearer {session['access_token']}"}
        resume = "/api/v1/accounts/main/resume?wait_s=0"
        for path, body in ((resume, None), (f"{HALT}?wait_s=0", {"level": "flatten"})):
            refused = await made.ask("POST", path, headers=dict(plain), json=body)
            assert refused.status_code == 403
            assert problem(refused)["code"] == "step_up_required"
            done = await made.ask("POST", path, "tom", json=body)
            assert done.status_code == 202
        entries = await made.ask("POST", f"{HALT}?wait_s=0", headers=dict(plain), json={})
        assert entries.status_code == 202  # what only takes risk away is never held up

    within(tmp_path, work)


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        await made.token("tom")
        found = [(await made.ask("GET", "/api/v1/me", "tom")) for _ in range(6)]
        assert [response.status_code for response in found] == [200] * 4 + [429] * 2
        assert int(found[-1].headers["retry-after"]) in range(1, 16)
        assert problem(found[-1])["code"] == "too_many"
        # Others are not held up by him, and health is asked as often as it likes.
        assert (await made.ask("GET", "/api/v1/me", "vera")).status_code == 200
        for _ in range(20):
            assert (await made.client.get("/livez")).status_code == 200

    # One goes for the confirmation of each session.
    within(tmp_path, work, Terms(by_user=Rate(5, 60.0), by_address=PLENTY, folder=tmp_path))


def test_who_asked_too_often_can_still_halt(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        await made.token("tom")
        while (await made.ask("GET", "/api/v1/me", "tom")).status_code == 200:
            pass
        for path in (HALT, "/api/v1/halt"):
            response = await made.ask("POST", f"{path}?wait_s=0", "tom", json={"reason": "now"})
            assert response.status_code in {200, 202}, response.text
        resumed = await made.ask("POST", "/api/v1/resume?wait_s=0", "tom")
        assert resumed.status_code == 429, "only what stops something is urgent"

    within(tmp_path, work, Terms(by_user=Rate(5, 60.0), by_address=PLENTY, folder=tmp_path))


def test_who_was_granted_single_bots_halts_and_resumes_those(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        grants = (Grant("main"), Grant("other", "grid"))
        Console(made.store, "test@here").create("kim", Role.TRADER, grants, PASSWORD)
        halted = await made.ask("POST", "/api/v1/halt?wait_s=0", "kim", json={})
        assert halted.status_code == 202
        assert len({one["command_id"] for one in halted.json()["items"]}) == 2
        await made.ask("POST", "/api/v1/resume?wait_s=0", "kim")
        assert [(name, told) for _, name, told, _ in made.commands()] == [
            ("halt", '{"level":"entries"}'), ("halt", '{"bot":"grid","level":"entries"}'),
            ("resume", "{}"), ("resume", '{"bot":"grid"}'),
        ]  # fmt: skip
        assert [account for account, *_ in made.commands()] == ["main", "other"] * 2

    within(tmp_path, work)


def test_a_halt_that_reaches_nothing_is_refused_and_not_called_done(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        Console(made.store, "test@here").create("kim", Role.TRADER, (), PASSWORD)
        halted = await made.ask("POST", "/api/v1/halt?wait_s=0", "kim", json={})
        assert halted.status_code == 409
        assert problem(halted)["code"] == "nothing_yours"

    within(tmp_path, work)


def test_guessing_tokens_is_paid_for_by_the_address(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        bad = {"Authorization": "Bearer hf_nothing"}
        found = [await made.client.get("/api/v1/me", headers=bad) for _ in range(5)]
        assert [response.status_code for response in found] == [401] * 3 + [429] * 2

    within(tmp_path, work, Terms(by_user=PLENTY, by_address=Rate(3, 60.0), folder=tmp_path))


def test_a_misspelt_filter_is_refused_and_not_ignored(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        response = await made.ask("GET", "/api/v1/orders?acount=main", "tom")
        assert response.status_code == 422
        assert problem(response)["errors"] == [{"at": "acount", "why": "unknown"}]

    within(tmp_path, work)


def test_what_is_let_through_is_in_the_audit_with_the_request_it_came_by(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        response = await made.ask("POST", f"{HALT}?wait_s=0", "tom", json={"reason": "tired"})
        audit = (await made.ask("GET", "/api/v1/audit?limit=5", "ada")).json()["items"]
        given = next(each for each in audit if each["kind"] == "command_given")
        assert given["by"] == "user:tom"
        assert given["fact"]["command_id"] == response.json()["command_id"]
        assert given["fact"]["request_id"] == response.headers["x-request-id"]

    within(tmp_path, work)


def test_a_handler_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        async def never(*_: object) -> None:
            await asyncio.sleep(60)

        made.reads.overview = never  # type: ignore[assignment, method-assign]
        response = await made.ask("GET", "/api/v1/overview", "tom")
        assert response.status_code == 503
        assert problem(response)["code"] == "too_slow"

    terms = Terms(by_user=PLENTY, by_address=PLENTY, time_limit_s=3.0, folder=tmp_path)
    within(tmp_path, work, terms)


def test_an_error_of_ours_shows_nothing_of_the_program(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        async def broken(*_: object) -> None:
            raise RuntimeError("postgresql://user:hunter2@db/holdfast")

        made.reads.overview = broken  # type: ignore[assignment, method-assign]
        response = await made.ask("GET", "/api/v1/overview", "tom")
        assert response.status_code == 500
        assert "hunter2" not in response.text
        assert "Traceback" not in response.text
        assert problem(response)["instance"].endswith(response.headers["x-request-id"])

    within(tmp_path, work)


def test_a_signal_s_source_proves_itself_and_is_heard_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWS_SECRET", SECRET)
    config = Config(
        database_url=f"sqlite:///{tmp_path}/journal.db", state_dir=str(tmp_path),
        signals=(SignalSource(name="news", secret="env:NEWS_SECRET"),),
    )  # fmt: skip
    body = b'{"value": 0.5, "id": "a"}'
    good = {SIGNATURE: signature(SECRET, body), "Content-Type": "application/json"}

    async def send(made: World, name: str, headers: dict[str, str], content: bytes = body) -> int:
        path = f"/api/v1/signals/{name}"
        response = await made.client.post(path, content=content, headers=headers)
        return response.status_code

    async def run() -> None:
        async with world(tmp_path, config=config) as made:
            forged = {**good, SIGNATURE: signature("another secret", body)}
            assert await send(made, "news", forged) == 404
            assert await send(made, "olds", good) == 404
            assert await send(made, "news", good, b'{"value": 9, "id": "a"}') == 404
            assert await send(made, "news", {"Content-Type": "application/json"}) == 422
            assert made.commands() == []
            assert await send(made, "news", good) == 202
            assert await send(made, "news", good) == 202
            ((account, name, told, by),) = made.commands()
            assert (account, name, by) == ("main", "signal", "user:signal:news")
            assert msgspec.json.decode(told) == {"id": "a", "signal": "news", "value": "0.5"}

    asyncio.run(run())
