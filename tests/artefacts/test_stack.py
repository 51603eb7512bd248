"""The stack of `deploy/compose/prod.yml` in containers: stores, two nodes, an API, the edge.

It takes minutes, so it is run when it is asked for. Not here: the images alone (test_containers),
what can be seen in the files (test_compose).
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.containers import BASE, EDGE, MADE_OF, STORES, Engine, make, until
from tests.support.stack import Stack

TAG = "test"
STORES_UP = ("postgres", "redis", "redis-replica", "sentinel-1", "sentinel-2", "sentinel-3")
OURS = ("node-1", "node-2", "api-1")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    found = Engine()
    for image in (BASE, STORES, EDGE):
        make(found, image, tmp_path_factory.mktemp("image"))
    for target in ("node", "api", "exchange"):
        found.build(target, f"localhost/holdfast-{target}:{TAG}", MADE_OF)
    return found


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(engine, tmp_path_factory.mktemp("stack"), f"hfstack{os.getpid()}", TAG)
    try:
        made.up(*STORES_UP, "exchange")
        made.up("market")
        for store in (*STORES_UP, "exchange"):
            healthy(engine, made, store)
        made.compose("run", "--rm", "migrate")
        made.open_account()
        made.up("node-1")
        says(engine, made, "node-1", "trading")
        made.up("node-2", "api-1", "edge")
        says(engine, made, "node-2", "following")
        yield made
    finally:
        made.take_away()


def healthy(engine: Engine, stack: Stack, service: str) -> None:
    until(lambda: stack.is_healthy(service), lambda: engine.logs(stack.container(service)))


def says(engine: Engine, stack: Stack, service: str, action: str) -> float:
    """Seconds until its log has this action."""
    name = stack.container(service)
    return until(lambda: f'"action":"{action}"' in engine.logs(name), lambda: engine.logs(name))


@pytest.mark.slow
def test_each_service_is_well_by_its_own_check(engine: Engine, stack: Stack) -> None:
    for service in (*OURS, "edge"):
        healthy(engine, stack, service)


@pytest.mark.slow
def test_nobody_is_root_and_no_root_can_be_written(stack: Stack) -> None:
    try_it = "id -u; if (: >/written) 2>&-; then echo writes; fi; grep CapEff /proc/self/status"
    for service, found in stack.containers().items():
        user, *writes, capabilities = stack.execute(service, "sh", "-c", try_it).splitlines()
        assert user != "0", service
        assert writes == [], service
        assert capabilities.split()[1].strip("0") == "", service
        assert found["HostConfig"]["ReadonlyRootfs"], service


@pytest.mark.slow
def test_nothing_but_the_edge_is_published(stack: Stack) -> None:
    published = {
        service: sorted(port for port, hosts in found["NetworkSettings"]["Ports"].items() if hosts)
        for service, found in stack.containers().items()
    }
    assert {name: ports for name, ports in published.items() if ports} == {
        "edge": ["8080/tcp", "8443/tcp"]
    }


@pytest.mark.slow
def test_the_edge_answers_for_an_api_that_has_its_stores(stack: Stack) -> None:
    context = ssl.create_default_context(cafile=str(stack.certificate))

    def asked(path: str, kind: str) -> str:
        url = f"https://localhost:{stack.https_port}{path}"
        request = urllib.request.Request(url, headers={"Accept": kind})
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                found: str = answer.read().decode()
        except OSError as error:  # a 503 as well
            return json.dumps({"status": str(error)})
        return found

    def health() -> dict[str, object]:
        found: dict[str, object] = json.loads(asked("/health", "application/json"))
        return found

    until(lambda: health()["status"] == "ok", lambda: str(health()))
    assert health()["git_sha"] == MADE_OF["GIT_SHA"]
    assert '<div id="' in asked("/", "text/html"), "the dashboard"


@pytest.mark.slow
def test_another_password_of_redis_is_followed_without_a_restart(
    engine: Engine, stack: Stack
) -> None:
    began = stack.containers()["api-1"]["State"]["Pid"]
    stack.replace_secret("redis_password")
    stack.compose("restart", "redis-replica", "redis")
    ask = ("python", "-m", "holdfast.healthcheck", "http://127.0.0.1:8080/health/redis")
    api = stack.container("api-1")
    until(lambda: engine.succeeds("exec", api, *ask), lambda: engine.logs(api))
    assert stack.containers()["api-1"]["State"]["Pid"] == began


@pytest.mark.slow
def test_orders_are_made_and_a_leader_that_is_stopped_hands_over(
    engine: Engine, stack: Stack
) -> None:
    until(lambda: stack.orders() > 0, lambda: engine.logs(stack.container("node-1")))
    assert engine.stop(stack.container("node-1"), within_s=30) == 0
    says(engine, stack, "node-2", "trading")
    before = stack.orders()
    until(lambda: stack.orders() > before, lambda: engine.logs(stack.container("node-2")))
