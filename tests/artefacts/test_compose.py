"""The compose files: what only this product's own rules can see.

Schema, published ports, secrets and health of what is waited for are `make verify`'s. Not here:
running them (docs/how-to/run-on-one-host.md).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from holdfast.app.live.seat import STOP_TIMEOUT_S
from holdfast.cli.verbs import VERBS
from holdfast.config import load
from holdfast.config.identity import identity_settings
from holdfast.config.redis import sentinels_in
from scripts.verify.compose import read

REPOSITORY = Path(__file__).parents[2]
COMPOSE = REPOSITORY / "deploy" / "compose"
OURS = ("node-1", "node-2", "api-1", "api-2", "api-3", "worker", "notify", "migrate")
INSIDE = ("postgres", "redis", "redis-replica", "sentinel-1", "sentinel-2", "sentinel-3")


def document(name: str) -> dict[str, Any]:
    return read((COMPOSE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def prod() -> dict[str, Any]:
    return document("prod.yml")


def softness(name: str, service: dict[str, Any]) -> Iterator[str]:
    """What a service of production lacks."""
    if not service.get("read_only"):
        yield "its root can be written"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "it has capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service.get("user", ""))):
        yield "its user is no number, or root"
    if service.get("logging", {}).get("options", {}).get("max-size") != "100m":
        yield "its log grows without end"
    if not service.get("restart"):
        yield "nobody starts it again"
    if not service.get("mem_limit") and name != "migrate":
        yield "its memory has no bound"
    if service.get("privileged") or service.get("network_mode"):
        yield "it is in the host's namespaces"


def test_every_service_of_production_is_hardened(prod: dict[str, Any]) -> None:
    found = {name: list(softness(name, each)) for name, each in prod["services"].items()}
    assert {name: lacks for name, lacks in found.items() if lacks} == {}


def test_what_is_tried_beside_production_cannot_reach_its_money(prod: dict[str, Any]) -> None:
    services = document("canary.yml")["services"]
    for name, each in services.items():
        assert list(softness(name, each)) == [], name
        assert each["profiles"] == [name], "nobody starts it by the way"
        assert not each.get("ports"), name
    assert services["shadow"]["networks"] == ["outside"]
    assert not services["shadow"].get("secrets"), "it has no key"
    keys = {"exchange_api_key", "exchange_api_secret"}
    assert keys < set(prod["secrets"])
    assert not keys & set(services["canary"]["secrets"])
    ours, tried = (load(COMPOSE / name, {"REDIS_URL": "redis://redis:6379/0"})
                   for name in ("holdfast.toml", "canary.toml"))  # fmt: skip
    assert ours.account.name != tried.account.name, "another stream, another leader"
    assert ours.account.api_key != tried.account.api_key
    assert tried.api.host == ours.api.host == "0.0.0.0", "Prometheus asks each of them"
    (candidate,) = tried.bots
    assert candidate.limits.max_position_notional is not None
    command = services["shadow"]["command"]
    assert command[0] == "paper"
    assert {word.partition("=")[0] for word in command[1:]} <= set(paper_options())


def paper_options() -> list[str]:
    told = subprocess.run(
        [sys.executable, "-m", "holdfast", "paper", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return re.findall(r"^  (--[\w-]+)", told.stdout, re.MULTILINE)


def test_a_soft_service_is_found() -> None:
    assert len(list(softness("x", {"user": "root", "cap_add": ["NET_ADMIN"]}))) == 7


def test_only_the_edge_is_published_and_what_is_inside_cannot_get_out(
    prod: dict[str, Any],
) -> None:
    services = prod["services"]
    assert [name for name, each in services.items() if each.get("ports")] == ["edge"]
    assert prod["networks"]["trading"] == prod["networks"]["observability"] == {"internal": True}
    for name in INSIDE:
        assert services[name]["networks"] == ["trading"], name
    # The edge reaches no exchange, and who trades is not reached from outside. Who shows prices
    # asks the exchange for them.
    assert "outside" not in services["edge"]["networks"]
    for name in set(OURS) - {"migrate"}:
        assert "outside" in services[name]["networks"], name
    assert all("edge" not in services[name]["networks"] for name in OURS)


def test_nothing_in_it_is_dockers_alone(prod: dict[str, Any]) -> None:
    """What podman refuses, or has elsewhere."""
    for name, service in prod["services"].items():
        assert "," not in service["logging"]["options"]["labels"], name
        for place in service.get("tmpfs", []):
            assert not re.search(r"[:,](uid|gid)=", place), name
    edge = (REPOSITORY / "deploy" / "edge" / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    written = set(re.findall(r"/tmp/[\w.]+", str(prod["services"]["edge"]["command"])))
    assert set(re.findall(r"include (/tmp/[^;]+);", edge)) == written != set()


def test_every_secret_that_is_spoken_of_is_given(prod: dict[str, Any]) -> None:
    scripts = {"server.sh": "redis_", "sentinel.sh": "redis_"}
    for name, service in prod["services"].items():
        text = str({key: each for key, each in service.items() if key != "secrets"})
        spoken = set(re.findall(r"/run/secrets/(\w+)", text))
        for script, prefix in scripts.items():
            if script in text:
                source = (REPOSITORY / "deploy" / "redis" / script).read_text(encoding="utf-8")
                spoken |= set(re.findall(rf"\b({prefix}\w+_password|redis_password)\b", source))
        assert spoken <= set(service.get("secrets", [])), name
    sql = (REPOSITORY / "deploy" / "postgres" / "init" / "10-roles.sql").read_text(encoding="utf-8")
    wanted = set(re.findall(r"HOLDFAST_SECRETS/(\w+)", sql))
    assert wanted <= set(prod["services"]["postgres"]["secrets"])


def test_passwords_of_redis_are_references_so_that_they_may_change(prod: dict[str, Any]) -> None:
    url = prod["x-environment"]["REDIS_URL"]
    followed = sentinels_in(url)
    assert followed is not None
    assert {name for name, _ in followed.hosts} == {"sentinel-1", "sentinel-2", "sentinel-3"}
    assert (followed.service, followed.username, followed.password) == ("holdfast", "holdfast", "")
    assert followed.own == {"password_from": "file:/run/secrets/redis_sentinel_password"}
    assert "password_from=file" in unquote(followed.leader_url)


def test_second_factors_are_sealed_where_people_sign_in_and_no_node_can_open_them(
    prod: dict[str, Any],
) -> None:
    has = {name for name, each in prod["services"].items()
           if "identity_key" in each.get("secrets", [])}  # fmt: skip
    reads = {name for name, each in prod["services"].items()
             if "IDENTITY_KEY_FILE" in each.get("environment", {})}  # fmt: skip
    assert has == reads == {"api-1", "api-2", "api-3", "notify"}


def test_nothing_of_the_second_site_acts_before_it_is_told_to(prod: dict[str, Any]) -> None:
    second = document("dr.yml")["services"]
    assert {name for name, each in second.items() if each.get("profiles") == ["active"]} == {
        *OURS, "edge"
    }
    # Whom it copies is checked by name, and that name is in every certificate that is made.
    (name,) = re.findall(r"host=([\w-]+) user=replicator .*?sslmode=verify-full", str(second))
    assert second["postgres"]["extra_hosts"][0].startswith(f"{name}:")
    made = (COMPOSE / "make-secrets.sh").read_text(encoding="utf-8")
    assert f"subjectAltName=DNS:postgres,DNS:{name}," in made


def test_prometheus_asks_what_is_there(prod: dict[str, Any]) -> None:
    watchers = document("observability.yml")["services"]
    file = REPOSITORY / "deploy" / "observability" / "prometheus" / "prometheus.yml"
    targets = re.findall(r"- ([a-z][\w-]*):\d+$", file.read_text(encoding="utf-8"), re.MULTILINE)
    services = {**watchers, **prod["services"]}
    assert {"node-1", "node-2", "api-1", "api-2", "api-3", "worker"} <= set(targets)
    for name in targets:
        if name != "node-exporter":  # in the machine's own network
            assert "observability" in services[name]["networks"], name


def test_a_node_has_longer_to_hand_over_than_it_takes(prod: dict[str, Any]) -> None:
    for name in ("node-1", "node-2"):
        grace_s = float(prod["services"][name]["stop_grace_period"].removesuffix("s"))
        assert grace_s >= 2 * STOP_TIMEOUT_S, name


def test_databases_keep_their_data_where_images_from_18_on_do(prod: dict[str, Any]) -> None:
    for file in (prod, document("dev.yml")):
        postgres = file["services"]["postgres"]
        assert postgres["image"].startswith("postgres:17.")
        assert postgres["environment"]["PGDATA"] == "/var/lib/postgresql/17/docker"
        assert "postgres_data:/var/lib/postgresql" in postgres["volumes"]


def test_what_is_mounted_and_called_is_there(prod: dict[str, Any]) -> None:
    verbs = {verb.name for verb in VERBS}
    for file in (prod, document("dev.yml")):
        for name, service in file["services"].items():
            for volume in service.get("volumes", []):
                source = volume.partition(":")[0]
                if source.startswith("."):
                    assert (COMPOSE / source).exists(), f"{name}: {source}"
                elif ":" in volume and not source.startswith("${"):
                    assert source in file["volumes"], f"{name}: {source}"
            for network in service.get("networks", []):
                assert network in file["networks"], name
            words = [str(word) for word in service.get("command", [])]
            if words[:2] == ["python", "-m"]:
                assert words[3] in verbs, name
            elif name in OURS and words:
                assert words[0] in verbs, name


@pytest.mark.parametrize("name", ["prod.yml", "dev.yml"])
def test_tables_are_there_before_who_uses_them(name: str) -> None:
    services = document(name)["services"]
    users = set(services) & {*OURS, "node", "api"} - {"migrate"}
    for each in users:
        waits = services[each]["depends_on"]["migrate"]
        assert waits == {"condition": "service_completed_successfully"}, each


@pytest.mark.parametrize("name", ["holdfast.toml", "dev.toml"])
def test_the_configurations_load(name: str) -> None:
    loaded = load(COMPOSE / name, {"REDIS_URL": "redis://redis:6379/0"})
    assert loaded.api.host == "0.0.0.0"
    assert "localhost" in loaded.api.hosts  # what health checks ask for


def test_pools_fit_into_the_server(prod: dict[str, Any]) -> None:
    settings = (REPOSITORY / "deploy" / "postgres" / "postgresql.conf").read_text(encoding="utf-8")
    (most,) = re.findall(r"^max_connections = (\d+)", settings, re.MULTILINE)
    pool = load(COMPOSE / "holdfast.toml", {"REDIS_URL": "redis://redis:6379/0"}).database_pool.max
    # Beside its pool a process has a few lines of its own: commits, leases, followers.
    assert len(OURS) * (pool + 5) <= int(most)


def test_secrets_are_made_once_and_what_is_there_stays(tmp_path: Path) -> None:
    def make() -> str:
        made = subprocess.run(
            [str(COMPOSE / "make-secrets.sh"), "trading.example.com"], check=True,
            capture_output=True, text=True, env={
                "PATH": os.environ["PATH"], "SECRETS_DIR": str(tmp_path / "secrets"),
                "TLS_DIR": str(tmp_path / "tls"), "BACKUPS_DIR": str(tmp_path / "backups"),
            },
        )  # fmt: skip
        return made.stderr

    told = make()
    assert "exchange_api_key is empty" in told
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    declared = set(document("prod.yml")["secrets"]) | set(document("observability.yml")["secrets"])
    declared |= set(document("dr.yml")["secrets"]) | set(document("canary.yml")["secrets"])
    assert declared <= set(first)
    tls = tmp_path / "tls"
    assert tls.stat().st_mode & 0o777 == 0o700, "nobody else gets at the edge's key"
    mounted = document("prod.yml")["services"]["edge"]["volumes"]
    assert all(".pem:" in each for each in mounted if "TLS_DIR" in each), "nor needs the folder"
    passwords = [text for name, text in first.items() if name.endswith("_password")]
    assert len(set(passwords)) == len(passwords)
    made = {f"{name.upper()}_FILE": str(folder / name) for name in ("identity_key", "jwt_secret")}
    assert identity_settings(made).sealing  # long enough, or it is refused
    own = tls / "privkey.pem"
    own.chmod(0o600)
    folder.chmod(0o750)  # as by hand, where a group reads it
    tls.chmod(0o755)  # as it was made once
    make()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert [each.stat().st_mode & 0o777 for each in (own, folder, tls)] == [0o600, 0o750, 0o750]
    for command in (
        ["verify", "-CAfile", str(folder / "ca_certificate"), "-verify_hostname", "postgres",
         str(folder / "postgres_tls_certificate")],
        ["x509", "-in", str(tmp_path / "tls" / "fullchain.pem"), "-noout",
         "-checkhost", "trading.example.com"],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], check=True, capture_output=True)


@pytest.mark.parametrize("has_copy", [False, True])
def test_a_copy_is_begun_anew_although_the_one_before_left_its_slot(
    tmp_path: Path, has_copy: bool
) -> None:
    """The container's own script, with programs that note how they were called."""
    called, programs, data = (tmp_path / name for name in ("called", "bin", "data"))
    programs.mkdir()
    data.mkdir()
    if has_copy:
        (data / "PG_VERSION").write_text("17\n")
    for name in ("install", "psql", "pg_basebackup", "docker-entrypoint.sh"):
        program, code = programs / name, int(name == "psql")  # there may be no slot
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {called}\nexit {code}\n')
        program.chmod(0o755)
    shell, option, script, own = document("dr.yml")["services"]["postgres"]["entrypoint"]
    script = script.replace("$$", "$").replace("/tmp/", f"{tmp_path}/")
    subprocess.run(
        [shell, option, script, own, "postgres"], check=True, capture_output=True,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "PGDATA": str(data)},
    )  # fmt: skip
    lines = called.read_text().splitlines()[1:]
    assert lines.pop() == "docker-entrypoint.sh postgres"
    assert len(lines) == (0 if has_copy else 2)
    if not has_copy:
        assert "DROP_REPLICATION_SLOT holdfast_dr host=first-site " in lines[0]
        assert lines[0].endswith(" replication=true")
        assert "--create-slot --slot=holdfast_dr --dbname=host=first-site " in lines[1]


def test_the_copy_of_the_second_site_can_be_named_and_is() -> None:
    """Nodes of the first site refuse a server with a copy that nobody named."""
    told = " ".join(document("dr.yml")["services"]["postgres"]["entrypoint"])
    (name,) = re.findall(r"application_name=(\w+)", told)
    for path in ("deploy/postgres/postgresql.conf", "docs/how-to/run-on-one-host.md"):
        assert name in (REPOSITORY / path).read_text(encoding="utf-8")
