"""What every answer has, whatever is asked for and however badly."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.api.build import Terms
from holdfast.api.site import POLICY
from tests.support.api_world import PLENTY, World, problem, world
from tests.support.numbers import number

PAGE = {"Accept": "text/html,application/xhtml+xml"}


def within(folder: Path, work: Callable[[World], Awaitable[None]], **terms: Any) -> None:
    async def run() -> None:
        given = Terms(by_user=PLENTY, by_address=PLENTY, folder=folder, **terms)
        async with world(folder, given) as made:
            await work(made)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/livez", "/api/v1/me", "/api/v1/nothing", "/openapi.json"])
def test_every_answer_has_its_id_and_the_headers_that_protect(tmp_path: Path, path: str) -> None:
    async def work(made: World) -> None:
        response = await made.client.get(path)
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert len(headers["x-request-id"]) == 16
        assert "strict-transport-security" not in headers  # over plain HTTP it means nothing

    within(tmp_path, work)


def test_a_caller_s_request_id_is_kept_where_it_is_one(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        for given, kept in (("trace-0001", True), ("a" * 65, False), ("<script>", False)):
            response = await made.client.get("/livez", headers={"X-Request-Id": given})
            assert (response.headers["x-request-id"] == given) is kept

    within(tmp_path, work)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:8080", 200), ("LOCALHOST:1", 200),
        ("a.trading.example.com", 200), ("trading.example.com", 400), ("evil.example", 400),
        ("127.0.0.1.evil.example", 400), ("", 400), ("evil.example:8080@127.0.0.1", 400),
    ],
)  # fmt: skip
def test_requests_are_for_hosts_that_are_trusted(tmp_path: Path, host: str, status: int) -> None:
    async def work(made: World) -> None:
        response = await made.client.get("/livez", headers={"Host": host})
        assert response.status_code == status
        if status == 400:
            assert problem(response)["code"] == "wrong_host"

    within(tmp_path, work, hosts=("127.0.0.1", "localhost", "*.trading.example.com"))


def test_only_a_trusted_proxy_says_where_a_request_comes_from(tmp_path: Path) -> None:
    async def seen(made: World, told: str) -> str:
        headers = {"X-Forwarded-For": told, "X-Forwarded-Proto": "https"}
        given = {"name": "tom", "password": "correct horse battery staple"}
        response = await made.client.post("/api/v1/auth/sign-in", json=given, headers=headers)
        token = response.json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        listed = await made.client.get("/api/v1/me/sessions", headers=bearer)
        return str(next(one["address"] for one in listed.json()["items"] if one["is_this"]))

    async def through_a_proxy(made: World) -> None:
        assert await seen(made, "203.0.113.9") == "203.0.113.9"
        # Whatever the caller wrote before the proxy's own word is his invention.
        assert await seen(made, "198.51.100.1, 203.0.113.9, 127.0.0.2") == "203.0.113.9"

    async def without(made: World) -> None:
        assert await seen(made, "203.0.113.9") == "127.0.0.1"

    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    within(tmp_path / "one", through_a_proxy, proxies=("127.0.0.0/8",))
    within(tmp_path / "other", without)


def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        first = await made.ask("GET", "/api/v1/positions", "tom")
        tag = first.headers["etag"]
        again = await made.ask("GET", "/api/v1/positions", "tom", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        other = await made.ask("GET", "/api/v1/positions", "bea", headers={"If-None-Match": tag})
        assert other.status_code == 200

    within(tmp_path, work)


@pytest.mark.parametrize("path", ["/api/v1/accounts/main", "/api/v1/accounts/main/bots/cross"])
def test_the_version_of_a_configuration_does_not_say_that_nothing_else_changed(
    tmp_path: Path, path: str
) -> None:
    async def work(made: World) -> None:
        tag = (await made.ask("GET", path, "tom")).headers["etag"]
        assert tag == '"v3"'
        again = await made.ask("GET", path, "tom", headers={"If-None-Match": tag})
        assert (again.status_code, again.headers["etag"]) == (200, tag)
        assert again.json()

    within(tmp_path, work)


def test_a_change_of_limits_names_the_ones_that_it_was_made_from(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        path = "/api/v1/accounts/main/limits?wait_s=0"
        for given in ('"v3"', "*"):
            sent = await made.ask("PUT", path, "tom", json={}, headers={"If-Match": given})
            assert sent.status_code == 202
        for _, name, told, _ in made.commands():
            assert name == "limits"
            assert '"version":"3"' in told  # as they were when it was looked whether one is raised

    within(tmp_path, work)


def test_a_change_made_from_an_old_state_is_refused(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        path = "/api/v1/accounts/main/bots/cross"
        body = {"strategy": "sma-cross", "symbols": ["BTC/USDT"]}
        tag = (await made.ask("GET", path, "tom")).headers["etag"]
        for given, status in ((None, 428), ('"v2"', 412), (tag, 202)):
            headers = {} if given is None else {"If-Match": given}
            sent = await made.ask("PUT", f"{path}?wait_s=0", "tom", json=body, headers=headers)
            assert sent.status_code == status
        ((_, name, told, _),) = made.commands()
        assert name == "configure"
        assert '"version":"3"' in told  # so that the leader refuses what crossed with another

    within(tmp_path, work)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400), (b"", "application/json", 422),
        (b"[1]", "application/json", 422), (b'{"level": 5}', "application/json", 422),
        (b'{"level": "all"}', "application/json", 422),
        (b'{"levle": "cancel"}', "application/json", 422),
        (b'{"reason": "a\\u0000b"}', "application/json", 422),
        (b'"' + b"[" * 60_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"level=cancel", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "text/xml", 415), (b"x" * 70_000, "application/json", 413),
    ],
)  # fmt: skip
def test_a_body_that_is_none_is_refused_with_the_right_status(
    tmp_path: Path, content: bytes, kind: str, status: int
) -> None:
    async def work(made: World) -> None:
        response = await made.ask(
            "POST", "/api/v1/accounts/main/halt?wait_s=0", "tom", content=content,
            headers={"Content-Type": kind},
        )  # fmt: skip
        assert response.status_code == status, response.text
        problem(response)
        assert made.commands() == []

    within(tmp_path, work)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE command; --", "<script>alert(1)</script>", "../../etc/passwd", "%00"]
)
def test_text_of_attackers_is_text(tmp_path: Path, text: str) -> None:
    async def work(made: World) -> None:
        path = "/api/v1/accounts/main/halt?wait_s=0"
        done = await made.ask("POST", path, "tom", json={"reason": text})
        assert done.status_code == 202
        assert text in made.commands()[0][2]
        for found in (
            await made.ask("GET", "/api/v1/orders", "tom", params={"bot": text}),
            await made.ask("GET", "/api/v1/orders", "tom", params={"cursor": text}),
            await made.ask("GET", f"/api/v1/accounts/main/orders/{httpx.URL(path=text)}", "tom"),
        ):
            assert found.status_code in {404, 422}
            problem(found)

    within(tmp_path, work)


def test_pages_follow_on_each_other_and_belong_to_their_filters(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        found: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await made.ask("GET", "/api/v1/orders", "tom", params=params)).json()
            found += [one["cid"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = page["next_cursor"]
        assert found == [f"main-{number}" for number in range(5, 0, -1)]
        other = {"cursor": cursor or "", "limit": "2", "symbol": "BTC/USDT"}
        refused = await made.ask("GET", "/api/v1/orders", "tom", params=other)
        assert refused.status_code == 422

    within(tmp_path, work)


def test_pages_of_other_sites_may_call_only_where_they_are_named(tmp_path: Path) -> None:
    origin = "https://trading.example.com"

    async def preflight(made: World, site: str) -> httpx.Response:
        return await made.client.options(
            "/api/v1/halt",
            headers={
                "Origin": site, "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,idempotency-key",
            },
        )  # fmt: skip

    async def named(made: World) -> None:
        assert (await preflight(made, origin)).headers["access-control-allow-origin"] == origin
        refused = await preflight(made, "https://evil.example")
        assert refused.headers.get("access-control-allow-origin") != "https://evil.example"
        answer = await made.client.get("/livez", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in answer.headers

    async def unnamed(made: World) -> None:
        assert "access-control-allow-origin" not in (await preflight(made, origin)).headers

    (tmp_path / "named").mkdir()
    (tmp_path / "unnamed").mkdir()
    within(tmp_path / "named", named, origins=(origin,))
    within(tmp_path / "unnamed", unnamed)


def test_the_root_is_a_page_for_browsers_and_health_for_programs(tmp_path: Path) -> None:
    async def unbuilt(made: World) -> None:
        page = await made.client.get("/", headers=PAGE)
        assert "make dashboard" in page.text
        assert page.headers["content-security-policy"] == POLICY
        basic = (await made.client.get("/")).json()
        assert basic["status"] == "ok"

    within(tmp_path, unbuilt, dashboard=tmp_path / "nothing")


def test_the_dashboard_s_build_is_served_with_its_policy(tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text("<!doctype html><title>Holdfast</title>")
    (build / "assets" / "app-1a2b.js").write_text("export const a = 1;\n" * 200)

    async def work(made: World) -> None:
        for path in ("/", "/bots/main/cross"):  # the page finds its own way
            page = await made.client.get(path, headers=PAGE)
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "<title>Holdfast</title>" in page.text
            assert "'unsafe-inline'" not in page.headers["content-security-policy"]
        script = await made.client.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "gzip"})
        assert script.headers["content-encoding"] == "gzip"
        assert "immutable" in script.headers["cache-control"]
        assert script.text.startswith("export const a")
        assert len(gzip.compress(script.content)) < len(script.content)
        for path in ("/assets/none.js", "/../pyproject.toml", "/assets/%2e%2e/%2e%2e/x.toml"):
            assert (await made.client.get(path)).status_code == 404
        assert (await made.client.get("/api/v2/orders", headers=PAGE)).status_code == 404

    within(tmp_path, work, dashboard=build)


def test_requests_are_counted_by_the_template_of_their_route(tmp_path: Path) -> None:
    async def work(made: World) -> None:
        for n in range(3):
            await made.ask("GET", f"/api/v1/accounts/main/orders/main-{n + 1}", "tom")
        await made.client.get("/no/such/path.php")
        meter = made.api.metrics.meter
        endpoint = "/api/v1/accounts/{account}/orders/{cid}"
        labels = {"method": "GET", "endpoint": endpoint, "status": "200"}
        assert number(meter, "http_requests_total", **labels) == 3
        assert number(meter, "active_users") == 1

    within(tmp_path, work)
