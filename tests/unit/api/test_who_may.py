"""Every route × every kind of caller × his own things and others': who hears what.

The table below says what is meant; the routes say what is done. A route that is not in the table
fails here, so nobody adds one without saying who may ask.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from litestar.routes import HTTPRoute

from holdfast.api.rules import rule_of
from holdfast.config import Config
from holdfast.config.notify import Channel, NotifySettings
from tests.support.api_world import World, problem, world

# What each route asks for: a scope, and of whom the thing in its path has to be.
TABLE: Final[dict[str, str]] = {
    # everybody
    **dict.fromkeys(
        ("get_health", "get_api_health", "get_database_health", "get_redis_health",
         "get_readiness", "get_liveness", "root", "page", "openapi", "_handler",
         "handle_schema_path_not_found", "list_ways", "sign_in", "redeem_link",
         "accept_invitation", "refresh", "begin_google", "finish_google", "deliver_signal"),
        "public",
    ),
    # whoever is signed in, of himself or of what is his
    **dict.fromkeys(
        ("get_me", "change_password", "begin_totp", "enable_totp", "disable_totp",
         "list_my_sessions", "list_my_tokens", "list_my_notifications", "add_notification",
         "link_telegram", "unlink_telegram", "create_token", "confirm", "sign_out",
         "get_overview", "list_accounts", "list_bots", "list_strategies", "get_strategy",
         "get_cluster", "list_failovers", "list_jobs", "list_datasets", "list_orders",
         "list_fills", "list_positions", "list_balances", "get_equity", "list_prices",
         "get_candles", "get_events", "get_demo"),
        "read",
    ),
    **dict.fromkeys(("get_account",), "read account"),
    **dict.fromkeys(("get_bot", "get_bot_log"), "read bot"),
    "get_order": "read order",
    "get_command": "read command",
    **dict.fromkeys(("get_job", "get_job_result", "get_job_file"), "read job"),
    "revoke_session": "read session",
    "revoke_token": "read token",
    **dict.fromkeys(("remove_notification", "test_notification"), "read subscription"),
    # traders
    **dict.fromkeys(("run_backtest", "run_sweep"), "research"),
    "cancel_job": "research job",
    **dict.fromkeys(("halt_everything", "resume_everything"), "trade"),
    **dict.fromkeys(
        ("set_limits", "halt_account", "resume_account", "reconcile_account",
         "hand_over_account", "create_bot"),
        "trade account",
    ),
    **dict.fromkeys(
        ("configure_bot", "remove_bot", "start_bot", "stop_bot", "drain_bot", "halt_bot",
         "resume_bot"),
        "trade bot",
    ),
    "hand_over_bot": "trade account",  # its whole account moves
    # administrators
    **dict.fromkeys(
        ("list_users", "create_user", "get_user", "change_user", "invite_user",
         "list_user_sessions", "list_user_tokens", "list_audit", "kill_leader",
         "get_configuration", "list_exchange_accounts", "add_exchange_account",
         "drop_exchange_account"),
        "admin",
    ),
}  # fmt: skip

# What adds risk: a session has to confirm it.
CONFIRMED: Final = {
    "create_bot", "configure_bot", "start_bot", "resume_account", "resume_bot",
    "resume_everything", "create_user", "change_user", "invite_user",
    "add_exchange_account", "drop_exchange_account",
}  # fmt: skip

PROVED_IN_THE_BODY: Final = {
    "confirm": {"wrong_credentials"}, "change_password": {"wrong_credentials"},
    "refresh": {"no_token"}, "page": {"not_found"}, "handle_schema_path_not_found": {""},
    "begin_google": {"oidc"}, "kill_leader": {"not_demo"},
    "link_telegram": {"telegram"},
}  # fmt: skip
"""What some routes answer to who has nothing to show, and was let through all the same."""

SCOPES: Final = {
    "": set(),
    "vera": {"read"},
    "tom": {"read", "research", "trade"},
    "bea": {"read", "research", "trade"},
    "ada": {"read", "research", "trade", "admin"},
}
OWNERS: Final = {"tom", "vera"}
"""Who has the account `main`; its things are asked for here."""


class Route(NamedTuple):
    """One operation."""

    name: str
    method: str
    path: str


def routes(made: World) -> Iterator[Route]:
    for route in made.api.litestar.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS"}:  # the framework answers those
                assert rule_of(handler.opt) is not None, handler.handler_name
                yield Route(handler.handler_name, method, route.path_format)


@asynccontextmanager
async def matrix(folder: Path) -> AsyncIterator[World]:
    notify = NotifySettings(channels=(Channel(name="hook", to="env:HOOK"),))
    config = Config(database_url=f"sqlite:///{folder}/journal.db", state_dir=str(folder),
                    notify=notify)  # fmt: skip
    async with world(folder, config=config) as made:
        yield made


async def _thing(made: World, kind: str) -> str:
    """The id of something of tom's, just made."""
    if kind == "session":
        return str((await made.sign_in("tom"))["me"]["session_id"])
    if kind == "token":
        given = {"name": "reader", "scopes": ["read"]}
        response = await made.ask("POST", "/api/v1/me/tokens", "tom", json=given)
        return str(response.raise_for_status().json()["token"]["token_id"])
    if kind == "subscription":
        path, given = "/api/v1/me/notifications", {"name": f"n{uuid4().hex[:8]}", "channel": "hook"}
        response = await made.ask("POST", path, "tom", json=given)
        return str(response.raise_for_status().json()["subscription_id"])
    if kind == "job":
        given = {"strategy": "sma-cross", "data": ["invented"]}
        response = await made.ask("POST", "/api/v1/backtests", "tom", json=given)
        return str(response.raise_for_status().json()["job_id"])
    if kind == "exchange_account":
        name = f"x{uuid4().hex[:8]}"
        given = {
            "name": name, "like": "main", "api_key": f"env:{name}_K", "api_secret": f"env:{name}_S"
        }  # fmt: skip
        response = await made.ask("POST", "/api/v1/exchange-accounts", "ada", json=given)
        return str(response.raise_for_status().json()["name"])
    path = "/api/v1/accounts/main/halt?wait_s=0"
    response = await made.ask("POST", path, "tom", json={})
    return str(response.raise_for_status().json()["command_id"])


async def _path(made: World, route: Route) -> str:
    """The route's path, naming things of tom's."""
    values = {
        "account": "main", "bot": "cross", "cid": "main-1", "name": "sma-cross",
        "user_id": made.users["tom"].user_id, "file_path": "anything",
    }  # fmt: skip
    if route.name == "drop_exchange_account":  # one that stands in no file
        values["account"] = await _thing(made, "exchange_account")
    names = re.findall(r"{([a-z_]+)}", route.path)
    for name in names:
        if name not in values:
            values[name] = await _thing(made, name.removesuffix("_id"))
    # A stream would go on; of a topic that is none there is an answer.
    return route.path.format(**values) + ("?topics=none" * (route.name == "get_events"))


def _verdict(who: str, meant: str) -> set[int]:
    """Statuses of which one has to be the answer; empty where he is let through."""
    scope, _, whose = meant.partition(" ")
    if scope == "public":
        return set()
    if not who:
        return {401}
    if scope not in SCOPES[who]:
        return {403}
    owners = {"tom"} if whose in {"job", "session", "token", "subscription"} else OWNERS
    if whose and who not in owners and who != "ada":
        return {404}
    return set()


async def _answer(made: World, route: Route, who: str) -> tuple[int, str]:
    path = await _path(made, route)
    if route.name == "sign_out":  # ends a session of its own, not the one that others need
        fresh = (await made.sign_in(who))["access_token"] if who else ""
        headers: dict[str, str] = {"Authorization": f"Bearer {fresh}"} if fresh else {}
        response = await made.ask(route.method, path, headers=headers)
    else:
        mark = "&" if "?" in path else "?"
        waits = f"{mark}wait_s=0" if TABLE[route.name].startswith("trade") else ""
        more: dict[str, Any] = {} if route.method == "GET" else {"json": {}}
        response = await made.ask(route.method, f"{path}{waits}", who, **more)
    code = ""
    if response.headers.get("content-type") == "application/problem+json":
        code = problem(response)["code"]
    return response.status_code, code


def test_every_route_is_in_the_table_and_none_besides(tmp_path: Path) -> None:
    async def run() -> None:
        async with matrix(tmp_path) as made:
            assert {route.name for route in routes(made)} == set(TABLE)

    asyncio.run(run())


@pytest.mark.parametrize("who", SCOPES)
def test_everybody_hears_what_is_his_to_hear_and_no_more(tmp_path: Path, who: str) -> None:
    async def run() -> None:
        async with matrix(tmp_path) as made:
            wrong: list[str] = []
            for route in routes(made):
                wanted = _verdict(who, TABLE[route.name])
                status, code = await _answer(made, route, who)
                # Let through, it may still say that the body or the proof in it is none, or that
                # the thing has no such part.
                passed = status not in {401, 403} and (status != 404 or code == "file")
                passed = passed or code in PROVED_IN_THE_BODY.get(route.name, ())
                if (status not in wanted) if wanted else not passed:
                    wrong.append(f"{route.method} {route.path}: {status} {code}, not {wanted}")
            assert wrong == []

    asyncio.run(run())


def test_what_adds_risk_is_asked_of_every_session_that_has_not_confirmed(tmp_path: Path) -> None:
    async def run() -> None:
        async with matrix(tmp_path) as made:
            plain = (await made.sign_in("ada"))["access_token"]
            found = set()
            for route in routes(made):
                if route.method == "GET" or TABLE[route.name] == "public":
                    continue
                if route.name == "sign_out":
                    continue
                response = await made.ask(
                    route.method, f"{await _path(made, route)}", json={},
                    headers={"Authorization": f"Bearer {plain}"},
                )  # fmt: skip
                if response.status_code == 403:
                    assert problem(response)["code"] == "step_up_required"
                    found.add(route.name)
            # Those that are not risk, and confirmed all the same.
            own = {"begin_totp", "disable_totp", "create_token", "link_telegram"}
            assert found - own == CONFIRMED

    asyncio.run(run())


def test_a_token_does_what_its_scopes_say_and_no_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with matrix(tmp_path) as made:
            given = {"name": "reader", "scopes": ["read"]}
            response = await made.ask("POST", "/api/v1/me/tokens", "ada", json=given)
            bearer = {"Authorization": f"Bearer {response.json()['secret']}"}
            for route in routes(made):
                scope = TABLE[route.name].partition(" ")[0]
                if scope in {"public", "read"}:
                    continue
                path = await _path(made, route)
                answer = await made.ask(route.method, path, headers=dict(bearer), json={})
                assert answer.status_code == 403, route
                assert problem(answer)["code"] == "scope"

    asyncio.run(run())


def test_lists_show_nothing_of_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with matrix(tmp_path) as made:
            await _thing(made, "job")
            for path in (
                "overview", "accounts", "bots", "orders", "fills", "positions", "balances",
                "cluster", "jobs", "me/sessions", "me/tokens", "me/notifications",
            ):  # fmt: skip
                text = (await made.ask("GET", f"/api/v1/{path}", "bea")).raise_for_status().text
                assert '"main"' not in text, path
                assert "cross" not in text.replace("sma-cross", ""), path
                assert made.users["tom"].user_id not in text, path

    asyncio.run(run())


def test_whatever_changes_something_is_in_the_audit(tmp_path: Path) -> None:
    """The platform's stream moves with each change that is let through, whatever becomes of it."""

    async def run() -> None:
        async with matrix(tmp_path) as made:
            bodies: dict[str, Any] = {
                "create_bot": {"name": "new", "strategy": "sma-cross", "symbols": ["BTC/USDT"]},
                "configure_bot": {"strategy": "sma-cross", "symbols": ["BTC/USDT"]},
                "run_backtest": {"strategy": "sma-cross", "data": ["invented"]},
                "run_sweep": {"strategy": "sma-cross", "data": ["invented"], "trials": 1},
                "add_exchange_account": {
                    "name": "new", "like": "main", "api_key": "env:A", "api_secret": "env:B"
                },
                "create_user": {"name": "newcomer"}, "change_user": {"role": "viewer"},
                "create_token": {"name": "x", "scopes": ["read"]},
                "add_notification": {"name": "x", "channel": "hook"},
                "hand_over_account": {"node": "second"}, "hand_over_bot": {"node": "second"},
                "confirm": {"password": "correct horse battery staple"},
                "change_password": {"old": "wrong", "new": "another long password"},
            }  # fmt: skip
            silent = []
            for route in routes(made):
                if route.method == "GET" or TABLE[route.name] == "public":
                    continue
                if route.name in {"enable_totp", "disable_totp", "sign_out"}:
                    continue  # nothing to enable or disable; the session is needed
                path = await _path(made, route)
                waits = "?wait_s=0" if TABLE[route.name].startswith("trade") else ""
                before = made.audit_head()
                response = await made.ask(
                    route.method, f"{path}{waits}", "ada", json=bodies.get(route.name, {}),
                    headers={"If-Match": "*"},
                )  # fmt: skip
                if made.audit_head() == before:
                    silent.append(f"{route.name}: {response.status_code} {response.text[:200]}")
            assert silent == []

    asyncio.run(run())
