"""Sign-in elsewhere as a browser does it: over the API's routes, with cookies and redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.api_world import World
from tests.support.openid_provider import ANA, OpenIdProvider, world_with_provider

CALLBACK = "/api/v1/auth/google/callback"


def run(
    test: Callable[[World, OpenIdProvider], Coroutine[Any, Any, None]], folder: Path
) -> None:
    async def visit() -> None:
        async with world_with_provider(folder) as (api, there):
            await test(api, there)

    asyncio.run(visit())


def test_a_browser_is_sent_there_comes_back_and_is_signed_in(tmp_path: Path) -> None:
    async def test(api: World, there: OpenIdProvider) -> None:
        assert (await api.ask("GET", "/api/v1/auth/ways")).json()["google"] is True
        begun = await api.ask("GET", "/api/v1/auth/google")
        assert begun.status_code == 302
        cookie = begun.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        brought = there.visit(begun.headers["location"])
        added = {"scope": "email openid", "authuser": "0", "prompt": "none"}  # as Google does
        ended = await api.ask("GET", f"{CALLBACK}?{urlencode(brought | added)}")
        assert (ended.status_code, ended.headers["location"]) == (302, "/")
        kept = next(c for c in ended.headers.get_list("set-cookie") if "holdfast_refresh" in c)
        assert "httponly" in kept.lower()
        assert "samesite=strict" in kept.lower()
        carried_on = await api.ask("POST", "/api/v1/auth/refresh", json={})
        bearer = carried_on.json()["access_token"]
        me = await api.ask("GET", "/api/v1/me", headers={"Authorization": f"Bearer {bearer}"})
        assert me.json()["name"] == ANA
        assert me.json()["confirmed_until"] is not None

    run(test, tmp_path)


def test_what_came_to_nothing_is_told_by_a_word_of_ours_and_signs_nobody_in(
    tmp_path: Path,
) -> None:
    async def test(api: World, there: OpenIdProvider) -> None:
        begun = await api.ask("GET", "/api/v1/auth/google")
        brought = there.visit(begun.headers["location"])
        begun_cookies = dict(api.client.cookies)
        hostile = {"state": "<script>alert(1)</script>", "code": "' OR 1=1 --"}
        for query, cookies, told in (
            (brought, {}, "bad_token"),  # another browser: somebody was made to follow a link
            (hostile, begun_cookies, "oidc_failed"),
            ({"error": "access_denied"}, begun_cookies, "oidc_failed"),
        ):
            api.client.cookies.clear()
            for name, value in cookies.items():
                api.client.cookies.set(name, value)
            ended = await api.ask("GET", f"{CALLBACK}?{urlencode(query)}")
            assert (ended.status_code, ended.headers["location"]) == (302, f"/?sign-in={told}")
            assert "holdfast_refresh" not in ended.headers.get("set-cookie", "")
            assert "script" not in ended.text

    run(test, tmp_path)
