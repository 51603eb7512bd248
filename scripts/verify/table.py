"""The checks of `make verify`, one line each: what is looked at, and by which program.

A check is a function of the checkout that returns when all is well. Not here: how they run.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from scripts.verify import compose, image_scan
from scripts.verify.dashboards import as_rules, queries
from scripts.verify.lock_files import foreign_hosts
from scripts.verify.nginx import made_ready, self_signed
from scripts.verify.runner import Check, FaultError, SkippedError, Tree, faults
from scripts.verify.secret_scan import secrets_in

_OBSERVABILITY: Final = "deploy/observability"
_NO_TEXT: Final = (".png", ".svg", ".lock", "package-lock.json", ".ico", ".woff2")
_SHELLS: Final = (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash", b"#!/usr/bin/env sh")
_NO_ANSWER: Final = (
    "connection", "resolve", "timed out", "unreachable", "network", "not found on pypi"
)


def _generated(tree: Tree) -> None:
    script = tree.root / "scripts" / "observability.py"
    if not script.exists():
        raise SkippedError("there is no scripts/observability.py")
    tree.run(sys.executable, script, "--check")


def _documents(tree: Tree) -> None:
    found = []
    for path in tree.some("deploy/*.json", "deploy/*.yml", "deploy/*.yaml", "config/*.y*ml"):
        try:
            text = path.read_text(encoding="utf-8")
            json.loads(text) if path.suffix == ".json" else list(yaml.parse(text))
        except (ValueError, yaml.YAMLError) as error:
            found.append(f"{tree.name(path)}: {error}")
    faults(found)


def _prometheus(tree: Tree) -> None:
    for path in tree.some(f"{_OBSERVABILITY}/prometheus/prometheus.yml"):
        tree.run("promtool", "check", "config", "--syntax-only", path)


def _rules(tree: Tree) -> None:
    tree.run("promtool", "check", "rules", *tree.some(f"{_OBSERVABILITY}/prometheus/rules/*.yml"))


def _alertmanager(tree: Tree) -> None:
    for path in tree.some(f"{_OBSERVABILITY}/alertmanager/alertmanager.yml"):
        tree.run("amtool", "check-config", path)


def _dashboards(tree: Tree) -> None:
    found = []
    for path in tree.some(f"{_OBSERVABILITY}/grafana/dashboards/*.json"):
        asked = list(queries(json.loads(path.read_text(encoding="utf-8"))))
        with TemporaryDirectory() as folder:
            rules = Path(folder) / "panels.yml"
            rules.write_text(yaml.safe_dump(as_rules(asked)), encoding="utf-8")
            try:
                tree.run("promtool", "check", "rules", rules)
            except FaultError as error:
                found.append(f"{tree.name(path)}: {error}")
    faults(found)


def _images(tree: Tree) -> None:
    tree.run("hadolint", *tree.some("deploy/docker/Dockerfile*"))


def _compose_schema(tree: Tree) -> None:
    files = tree.some("deploy/compose/*.yml", "deploy/compose/*.yaml")
    with TemporaryDirectory() as folder:
        copies = []
        for path in files:
            # As compose itself reads it, with its own tags and the anchors resolved.
            copy = Path(folder) / f"{path.stem}.json"
            read = compose.read(path.read_text(encoding="utf-8"))
            if read.keys() & {"services", "include", "volumes", "networks"}:
                copy.write_text(json.dumps(read), encoding="utf-8")
                copies.append(copy)
        tree.run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *copies)


def _compose_sense(tree: Tree) -> None:
    found = []
    for path in tree.some("deploy/compose/*.yml", "deploy/compose/*.yaml"):
        document = compose.read(path.read_text(encoding="utf-8"))
        found += [f"{tree.name(path)}: {fault}" for fault in compose.faults_of(document)]
    faults(found)


def _nginx(tree: Tree) -> None:
    for path in tree.some("deploy/edge/nginx/nginx.conf"):
        with TemporaryDirectory() as folder:
            ready = made_ready(path.parent, Path(folder))
            log = "stderr"
            tree.run("nginx", "-t", "-q", "-e", log, "-p", folder, "-c", ready,
                     "-g", f"pid {folder}/nginx.pid;")  # fmt: skip


def _haproxy(tree: Tree) -> None:
    for path in tree.some("deploy/edge/haproxy/*.cfg"):
        with TemporaryDirectory() as folder:
            pem, ready = Path(folder) / "tls.pem", Path(folder) / path.name
            pem.write_bytes(self_signed())
            text = path.read_text(encoding="utf-8")
            ready.write_text(re.sub(r"(?<=\scrt )\S+", str(pem), text), encoding="utf-8")
            tree.run("haproxy", "-c", "-f", ready)


def _scripts(tree: Tree) -> None:
    scripts = [path for path in tree.files("*") if path.suffix == ".sh" or _is_shell(path)]
    if not scripts:
        raise SkippedError("there is no shell script")
    tree.run("shellcheck", "--severity=style", *scripts)


def _is_shell(path: Path) -> bool:
    if path.suffix:
        return False
    with path.open("rb") as file:
        return file.readline(64).strip().startswith(_SHELLS)


def _workflows(tree: Tree) -> None:
    tree.run("zizmor", "--offline", *tree.some(".github/workflows/*.yml"))


def _secrets(tree: Tree) -> None:
    files = [path for path in tree.some("*") if not path.name.endswith(_NO_TEXT)]
    generated = set(tree.files(f"{_OBSERVABILITY}/*.json"))  # long, and from code that is read
    deployed = set(tree.files("deploy/*", "config/*", ".ci/*", ".github/*", "Makefile")) - generated
    found = [
        *secrets_in([path for path in files if path not in deployed], guess=False),
        *secrets_in([path for path in files if path in deployed], guess=True),
    ]
    faults([line.removeprefix(f"{tree.root}/") for line in found])


def _locks(tree: Tree) -> None:
    faults([
        f"{tree.name(path)}: {', '.join(sorted(hosts))}"
        for path in tree.some("uv.lock", "*package-lock.json")
        if (hosts := foreign_hosts(path.read_text(encoding="utf-8")))
    ])  # fmt: skip


def _audit(tree: Tree) -> None:
    if not tree.asks_network:
        raise SkippedError("it asks the registry; to run this: make verify")
    tree.some("uv.lock")
    with TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        if (tree.root / "pyproject.toml").exists():
            tree.run("uv", "export", "--frozen", "--no-dev", "--all-extras", "--no-emit-project",
                     "--quiet", "--output-file", wanted)  # fmt: skip
        audited(tree, wanted)


def audited(tree: Tree, requirements: Path) -> None:
    """Ask whether anything is known against these exact versions.

    Raises: as `Tree.run`; SkippedError also when the registry does not answer.
    """
    try:
        tree.run("pip-audit", "--requirement", requirements, "--disable-pip", "--no-deps",
                 "--strict", "--progress-spinner=off", "--timeout=10")  # fmt: skip
    except FaultError as error:
        told = str(error).lower()
        if "known vulnerabilit" not in told and any(words in told for words in _NO_ANSWER):
            raise SkippedError("the registry that is asked here does not tell") from error
        raise


CHECKS: Final = (
    Check("generated", _generated),
    Check("documents", _documents),
    Check("prometheus", _prometheus),
    Check("rules", _rules),
    Check("alertmanager", _alertmanager),
    Check("dashboards", _dashboards),
    Check("images", _images),
    Check("compose-schema", _compose_schema),
    Check("compose-sense", _compose_sense),
    Check("nginx", _nginx),
    Check("haproxy", _haproxy),
    Check("scripts", _scripts),
    Check("workflows", _workflows),
    Check("secrets", _secrets),
    Check("locks", _locks),
    Check("audit", _audit),
    Check("image-scan", image_scan.scan),
)
