"""Loki, Alloy, ELK, Grafana and the compose files that run them: what can be checked without them.

None of these programs is in a registry that this can be installed from. Where `alloy`, `loki` or
`vector` is on PATH it is asked; elsewhere that test skips. Not here: dashboards (test_dashboards).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
COMPOSE = REPOSITORY / "deploy" / "compose"
OBSERVABILITY = REPOSITORY / "deploy" / "observability"
ALLOY = OBSERVABILITY / "alloy" / "config.alloy"
LOKI = OBSERVABILITY / "loki" / "loki.yml"
VECTOR = OBSERVABILITY / "elk" / "vector.yaml"

STACK = yaml.safe_load((COMPOSE / "observability.yml").read_text(encoding="utf-8"))
ELK = yaml.safe_load((COMPOSE / "observability-elk.yml").read_text(encoding="utf-8"))
SERVICES = [(name, one) for file in (STACK, ELK) for name, one in file["services"].items()]

every_service = pytest.mark.parametrize(
    ("name", "service"), SERVICES, ids=[name for name, _ in SERVICES]
)

# What has to write beside its volumes.
WRITES = {"elasticsearch", "kibana"}


def test_what_the_acceptance_list_names_is_there_on_its_ports() -> None:
    services = STACK["services"]
    assert {"prometheus", "alertmanager", "grafana", "loki", "alloy"} <= services.keys()
    assert services["grafana"]["ports"] == ["127.0.0.1:3000:3000"]
    assert "--web.listen-address=:9187" in services["postgres-exporter"]["command"]
    assert "--web.listen-address=:9121" in services["redis-exporter"]["command"]
    assert "--web.listen-address=:9091" in services["prometheus"]["command"]
    assert {"elasticsearch", "kibana", "vector"} <= ELK["services"].keys()


@every_service
def test_nothing_is_published_beyond_this_machine(name: str, service: dict[str, Any]) -> None:
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), name
    if service.get("network_mode") == "host":
        listens = [word for word in service["command"] if "listen-address" in word]
        assert listens == ["--web.listen-address=${DOCKER_BRIDGE_ADDRESS:-172.17.0.1}:9100"]


@every_service
def test_images_are_pinned(name: str, service: dict[str, Any]) -> None:
    """To a release, which says what runs, and to its bytes."""
    version, digest = r"v?\d+\.\d+\.\d+(-\w+)?", "@sha256:[0-9a-f]{64}"
    assert re.fullmatch(rf"[\w./-]+:{version}{digest}", service["image"]), name


@every_service
def test_services_have_no_rights_and_bounds_on_memory_and_logs(
    name: str, service: dict[str, Any]
) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) in ([], ["DAC_READ_SEARCH"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) is (name not in WRITES)
    assert service["mem_limit"]
    assert not service.get("privileged", False)
    assert service["logging"]["driver"] == "json-file"
    assert service["logging"]["options"]["max-size"]
    # What Alloy and Vector call a container's lines by.
    assert service["logging"]["options"]["labels"] == "com.docker.compose.service"


@every_service
def test_dockers_socket_is_given_to_who_is_asked_for_only(
    name: str, service: dict[str, Any]
) -> None:
    mounted = [one.split(":")[0] for one in service.get("volumes", [])]
    if {"/var/run", "/var/run/docker.sock", "/"} & set(mounted) and name != "node-exporter":
        assert service["profiles"] == ["containers"]


@pytest.mark.parametrize("file", [STACK, ELK], ids=["stack", "elk"])
def test_networks_volumes_secrets_and_dependencies_are_there(file: dict[str, Any]) -> None:
    internal = {name for name, one in file["networks"].items() if one and one.get("internal")}
    assert internal == set(file["networks"]) - {"edge", "outside"}
    for name, service in file["services"].items():
        assert set(service.get("networks", [])) <= set(file["networks"]), name
        assert set(service.get("secrets", [])) <= set(file.get("secrets", {})), name
        if "ports" in service:
            assert "edge" in service["networks"], f"{name}: an internal network publishes nothing"
        for source in (one.split(":")[0] for one in service.get("volumes", [])):
            if source.startswith("."):
                assert (COMPOSE / source).exists(), f"{name}: no {source}"
            elif not source.startswith("/"):
                assert source in file["volumes"], f"{name}: no volume {source}"
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in file["services"][other], f"{name} waits for {other}"
    for one in file.get("secrets", {}).values():
        assert one["file"].startswith("${SECRETS_DIR:-./secrets}/")


def test_prometheus_reaches_what_it_scrapes_on_a_network_that_both_are_in() -> None:
    platform = yaml.safe_load((COMPOSE / "prod.yml").read_text(encoding="utf-8"))
    services = platform["services"] | STACK["services"]
    config = yaml.safe_load((OBSERVABILITY / "prometheus" / "prometheus.yml").read_text())
    here = STACK["services"]["prometheus"]
    targets = [
        target
        for job in config["scrape_configs"]
        for static in job.get("static_configs", [])
        for target in static["targets"]
    ]
    assert {"node-1:9090", "api-3:9090", "postgres-exporter:9187"} <= set(targets)
    for target in targets:
        host = target.split(":")[0]
        if host == "127.0.0.1" or f"{host}:host-gateway" in here["extra_hosts"]:
            continue
        assert set(services[host]["networks"]) & set(here["networks"]), target


def test_both_compose_files_mean_the_same_networks_and_secrets() -> None:
    platform = yaml.safe_load((COMPOSE / "prod.yml").read_text(encoding="utf-8"))
    for kind in ("networks", "secrets"):
        for name in platform[kind].keys() & STACK[kind].keys():
            assert platform[kind][name] == STACK[kind][name], name
    assert STACK["networks"].keys() <= platform["networks"].keys()
    assert not platform["services"].keys() & STACK["services"].keys()


@every_service
def test_no_password_stands_in_the_environment(name: str, service: dict[str, Any]) -> None:
    environment: dict[str, str] = service.get("environment", {})
    for key, value in environment.items():
        if re.search("PASS|SECRET|TOKEN|KEY", key):
            assert key.endswith("_FILE"), f"{name}: {key}"
            assert value.startswith("/run/secrets/"), f"{name}: {key}"


def test_grafana_has_a_secret_of_its_own_and_lets_nobody_in_without() -> None:
    environment = STACK["services"]["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin_password"
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"


def test_loki_keeps_ids_beside_its_index_and_forgets_after_a_month() -> None:
    loki = yaml.safe_load(LOKI.read_text(encoding="utf-8"))
    assert loki["server"]["http_listen_port"] == 3100
    assert loki["limits_config"]["allow_structured_metadata"] is True
    assert loki["limits_config"]["retention_period"] == "744h"
    # Retention is the compactor's work; without this line nothing is ever deleted.
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"]
    newest = loki["schema_config"]["configs"][-1]
    assert (newest["store"], newest["schema"]) == ("tsdb", "v13")
    assert loki["analytics"]["reporting_enabled"] is False


def values_of(stage: str) -> set[str]:
    """What the stages of that kind name, all together."""
    text = ALLOY.read_text(encoding="utf-8")
    blocks = re.findall(rf"stage\.{stage} \{{\s*values = \{{(.*?)\}}", text, re.DOTALL)
    assert blocks, stage
    return {name for block in blocks for name in re.findall(r"(\w+)\s*=", block)}


def test_alloy_makes_few_labels_and_takes_ids_along() -> None:
    assert values_of("labels") | values_of("static_labels") == {"service", "env", "level"}
    ids = values_of("structured_metadata")
    assert {"order", "bot", "account", "epoch", "node", "version", "request", "action"} <= ids
    assert not ids & {"service", "env", "level"}


def test_what_alloy_takes_from_a_line_is_what_lines_have() -> None:
    text = ALLOY.read_text(encoding="utf-8")
    taken = re.findall(r"expressions = \{(.*?)\}", text, re.DOTALL)[-1]
    documented = (REPOSITORY / "docs" / "logs.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`(\w+)`|\"(\w+)\":", documented))
    assert set(re.findall(r'= "(\w+)"', taken)) <= {one for pair in known for one in pair}


def test_alloys_components_are_connected_and_its_text_is_whole() -> None:
    text = ALLOY.read_text(encoding="utf-8")
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', re.sub(r"(?m)^\s*//.*$", "", text))
    for opening, closing in ("{}", "[]", "()"):
        assert bare.count(opening) == bare.count(closing)
    assert "#" not in bare, "Alloy's comments begin with //"
    defined = set(re.findall(r'(?m)^([a-z_.]+ "[a-z]+") \{', text))
    used = re.findall(r"([a-z_]+(?:\.[a-z_]+)+)\.([a-z]+)\.(?:receiver|targets)", text)
    assert used
    for component, label in used:
        assert f'{component} "{label}"' in defined, f"{component}.{label}"


def test_vector_reads_what_alloy_reads_and_loses_nothing_on_its_way() -> None:
    vector = yaml.safe_load(VECTOR.read_text(encoding="utf-8"))
    read = {path for one in vector["sources"].values() for path in one["include"]}
    assert read == set(re.findall(r'"__path__" = "([^"]+)"', ALLOY.read_text(encoding="utf-8")))
    known = vector["sources"].keys() | vector["transforms"].keys()
    for one in (*vector["transforms"].values(), *vector["sinks"].values()):
        assert set(one["inputs"]) <= known
    sink = vector["sinks"]["elasticsearch"]
    assert sink["buffer"]["type"] == "disk"
    assert sink["auth"]["password"] == "${ELASTIC_PASSWORD}"


@pytest.mark.parametrize(
    "words",
    [
        ["alloy", "validate", str(ALLOY)],
        ["loki", "-verify-config", f"-config.file={LOKI}"],
        ["vector", "validate", "--no-environment", str(VECTOR)],
    ],
    ids=lambda words: str(words[0]),
)
def test_the_program_itself_takes_its_configuration(words: list[str]) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here, and no registry has it: install its release by hand")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
