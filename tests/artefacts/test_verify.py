"""`make verify`: a planted fault makes each of its checks fail, and what cannot be tried says why.

Not here: this checkout's own artefacts (`make test` runs `make verify` itself).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.images import Origin
from scripts.verify import __main__ as program
from scripts.verify.runner import Check, FaultError, Row, SkippedError, Tree, Verdict, rows
from scripts.verify.table import CHECKS, audited

BY_NAME = {check.name: check for check in CHECKS}
OBSERVABILITY = "deploy/observability"


class Planted(NamedTuple):
    """A file that passes a check, what is changed in it, and what the check then says."""

    check: str
    path: str
    good: str
    was: str
    fault: str
    says: str


RULE = """
groups:
  - name: one
    rules:
      - {alert: Down, expr: up == 0, for: 1m}
"""
DIGEST = "@sha256:" + 64 * "0"
COMPOSE = f"""
services:
  api:
    image: ghcr.io/me/holdfast-api:1.0
    environment: {{DB_PASSWORD: "file:/run/secrets/db"}}
    depends_on: {{db: {{condition: service_healthy}}}}
    secrets: [db]
  db:
    image: postgres:17{DIGEST}
    healthcheck: {{test: [CMD, pg_isready]}}
  edge:
    image: nginx:1.29{DIGEST}
    ports: ["443:443"]
secrets: {{db: {{file: ./db}}}}
"""
NGINX = """
user nginx;
events {}
http {
  include /etc/nginx/mime.types;
  access_log /dev/stdout;
  upstream api { least_conn; server api-1:8080 max_fails=3; server api-2:8080; }
  server {
    listen 8443 ssl;
    http2 on;
    ssl_certificate /run/secrets/tls.crt;
    ssl_certificate_key /run/secrets/tls.key;
    location / { proxy_pass http://api; }
  }
}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend edge
  bind 127.0.0.1:8443
  default_backend api
backend api
  server one 127.0.0.1:8080 check
"""
PANEL = '{"panels": [{"targets": [{"expr": "rate(up{node=\\"$node\\"}[$__rate_interval])"}]}]}'
KEY = "-----BEGIN " + "RSA PRIVATE KEY-----"
WORKFLOW = """
name: ci
on: {push: {branches: [main]}}
permissions: {}
jobs:
  test:
    name: test
    runs-on: ubuntu-24.04
    steps:
      - run: make test
"""

PLANTED = [
    Planted("documents", "deploy/a.yml", "a: 1", "a: 1", "a: [", "deploy/a.yml"),
    Planted(
        "prometheus", f"{OBSERVABILITY}/prometheus/prometheus.yml", "global: {scrape_interval: 5s}",
        "5s", "5 parsecs", "parsecs",
    ),
    Planted("rules", f"{OBSERVABILITY}/prometheus/rules/a.yml", RULE, "up ==", "up =!", "parse"),
    Planted(
        "alertmanager", f"{OBSERVABILITY}/alertmanager/alertmanager.yml",
        "route: {receiver: a}\nreceivers: [{name: a}]", "receiver: a", "receiver: b", '"b"',
    ),
    Planted(
        "dashboards", f"{OBSERVABILITY}/grafana/dashboards/a.json", PANEL, "rate(", "rate((",
        "a.json",
    ),
    Planted(
        "images", "deploy/docker/Dockerfile", "FROM debian:12\nUSER 1\n", "debian:12", "debian",
        "DL3006",
    ),
    Planted("compose-schema", "deploy/compose/a.yml", COMPOSE, "ports:", "prots:", "prots"),
    Planted("compose-sense", "deploy/compose/a.yml", COMPOSE, "edge:", "web:", "service web: port"),
    Planted("compose-sense", "deploy/compose/a.yml", COMPOSE, DIGEST, "", "may be another"),
    Planted(
        "compose-sense", "deploy/compose/a.yml", COMPOSE, "file:/run/secrets/db", "hunter2",
        "DB_PASSWORD holds a value",
    ),
    Planted(
        "compose-sense", "deploy/compose/a.yml", COMPOSE, "healthcheck", "labels",
        "no health check",
    ),
    Planted("compose-sense", "deploy/compose/a.yml", COMPOSE, "[db]", "[other]", "not declared"),
    Planted("nginx", "deploy/edge/nginx/nginx.conf", NGINX, "least_conn", "most_conn", "most_conn"),
    Planted("haproxy", "deploy/edge/haproxy/a.cfg", HAPROXY, "default_backend api",
            "default_backend b", "'b'"),
    Planted("scripts", "scripts/a", "#!/bin/sh\ncd /tmp || exit\n", " || exit", "", "SC2164"),
    Planted(
        "workflows", ".github/workflows/a.yml", WORKFLOW, "make test",
        "echo ${{ github.event.head_commit.message }}", "template-injection",
    ),
    Planted("secrets", "src/a.py", "KEY = 'in a file'\n", "in a file", KEY, "src/a.py:1: Private"),
    Planted(
        "secrets", "deploy/a.env", "DB_PASSWORD=\n", "=\n", "='Tr0ub4dor-and-3'\n", "deploy/a.env:1"
    ),
    Planted(
        "locks", "uv.lock", 'url = "https://pypi.org/simple"', "pypi.org", "mirror.local",
        "mirror.local",
    ),
]  # fmt: skip


def made(check: str, root: Path) -> Row:
    (row,) = rows([BY_NAME[check]], Tree(root))
    return row


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: f"{p.check}: {p.says}")
def test_a_planted_fault_makes_its_check_fail(planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / planted.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(planted.good)
    before = made(planted.check, tmp_path)
    if before.verdict is Verdict.SKIP:
        pytest.skip(before.reason)
    assert before.verdict is Verdict.PASS, before.reason
    assert planted.was in planted.good
    path.write_text(planted.good.replace(planted.was, planted.fault))
    after = made(planted.check, tmp_path)
    assert after.verdict is Verdict.FAIL
    assert planted.says in after.reason
    assert "hunter2" not in after.reason
    assert "Tr0ub4dor" not in after.reason


def test_every_check_has_a_planted_fault() -> None:
    # What is generated is planted where it is made (test_alert_rules), the others below.
    assert {*BY_NAME} - {planted.check for planted in PLANTED} == {
        "generated", "audit", "image-scan"
    }


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_where_there_is_nothing_to_look_at_a_check_is_skipped(check: Check, tmp_path: Path) -> None:
    (row,) = rows([check], Tree(tmp_path))
    assert row.verdict is Verdict.SKIP
    assert row.reason
    assert row.line.startswith(f"SKIP({row.reason})  {check.name}  ")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Found 1 known vulnerability in 1 package\nName Version ID", FaultError),
        ("HTTPSConnectionPool: failed to resolve 'pypi.org'", SkippedError),
    ],
)
def test_an_audit_without_an_answer_is_no_finding(
    said: str, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object) -> str:
        raise FaultError(said)

    tree = Tree(tmp_path)
    monkeypatch.setattr(tree, "run", run)
    with pytest.raises(kind):
        audited(tree, tmp_path / "requirements.txt")


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ("node (debian 12)\nTotal: 1 (HIGH: 1)\nCVE-2026-1", FaultError, "CVE-2026-1"),
        ("FATAL failed to download vulnerability DB", SkippedError, "failed to download"),
        ("", SkippedError, "no image of this commit"),
    ],
)
def test_what_is_known_against_an_image_fails_and_what_cannot_be_known_is_skipped(
    said: str, kind: type[Exception], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(program: str, *words: object) -> str:
        if program == "trivy":
            raise FaultError(said)
        return "an id" if said and "holdfast-node:" in str(words[-1]) else ""

    monkeypatch.setattr("scripts.verify.image_scan.shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("scripts.verify.image_scan.origin", lambda _: Origin("0123", "", "main"))
    tree = Tree(tmp_path, asks_network=True)
    monkeypatch.setattr(tree, "some", lambda *names: [tmp_path / name for name in names])
    monkeypatch.setattr(tree, "run", run)
    with pytest.raises(kind, match=told):
        BY_NAME["image-scan"].work(tree)


def test_one_failure_is_exit_code_1_and_strictness_counts_what_was_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: Tree) -> None:
        raise FaultError("one\ntwo")

    def skips(_: Tree) -> None:
        raise SkippedError("no such program")

    table = [Check("well", lambda _: None), Check("ill", fails), Check("absent", skips)]
    monkeypatch.setattr(program, "CHECKS", table)
    assert program.main(["well"]) == 0
    assert program.main(["well", "absent"]) == 0
    assert program.main(["well", "absent", "--strict"]) == 1
    capsys.readouterr()
    assert program.main([]) == 1
    told = capsys.readouterr().out
    assert "PASS  well" in told
    assert "FAIL  ill  0.0 s\n      one\n      two\n" in told
    assert "SKIP(no such program)  absent" in told
    assert program.main(["--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], [c["verdict"] for c in document["checks"]]) == (
        False, ["PASS", "FAIL", "SKIP"],
    )  # fmt: skip
    with pytest.raises(SystemExit):
        program.main(["nonsense"])
