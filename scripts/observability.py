#!/usr/bin/env python3
"""Write what is generated for whoever watches: `scripts/observability.py [--check]`.

Rules, dashboards and configurations are values in `holdfast.operations`, metrics in
`holdfast.telemetry.catalogue`; here they become files below deploy/observability, and a page.
With --check nothing is written, and the exit code is 1 while a file is not what it would become.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from holdfast.operations.alerts.artefacts import alert_documents
from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.operations.dashboards.boards import dashboard_documents
from holdfast.operations.scrape import scrape_documents
from holdfast.telemetry.catalogue.page import page

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = REPOSITORY / "deploy" / "observability"
CONFIG = REPOSITORY / "config"
PAGE = "docs/metrics-catalogue.md"

Documents = Mapping[str, Any]
"""A text, or a document for a file that ends in .yml or .json, by its path: below TARGET, or in the
repository where it begins with `docs/`."""

_HEAD = "# Written by scripts/observability.py; not by hand.\n"
_Settings = TypeVar("_Settings")


def alerts() -> Documents:
    """Rules of Prometheus, and the Alertmanager's tree."""
    return alert_documents(
        settings("alerting.yaml", Alerting), settings("slo.yaml", Objectives)
    )


def dashboards() -> Documents:
    """Grafana's dashboards, with the thresholds that alerts have."""
    return dashboard_documents(
        settings("alerting.yaml", Alerting), settings("slo.yaml", Objectives)
    )


def metrics() -> Documents:
    """What is scraped, and the page of all metrics."""
    return {**scrape_documents(), PAGE: page()}


SOURCES: tuple[Callable[[], Documents], ...] = (alerts, dashboards, metrics)
"""Who makes files; two of them never make the same one."""

OWNED = ("prometheus/rules", "grafana/dashboards")
"""Folders in which nothing else lies: a file that nobody makes any more is removed."""


def settings(name: str, shape: type[_Settings]) -> _Settings:
    """A file of `config`, checked against its shape."""
    try:
        return msgspec.yaml.decode((CONFIG / name).read_bytes(), type=shape)
    except msgspec.ValidationError as error:
        sys.exit(f"seen: {error} in config/{name}; expected: its shape; do: mend that line")


def texts() -> dict[Path, str]:
    """Every file, as it should be."""
    made: dict[Path, str] = {}
    for source in SOURCES:
        for path, document in source().items():
            where = (REPOSITORY if path.startswith("docs/") else TARGET) / path
            assert where not in made, path
            made[where] = text(path, document)
    return made


def text(path: str, document: Any) -> str:
    """A document as its file has it."""
    if path.endswith(".json"):
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if path.endswith(".yml") and not isinstance(document, str):
        return _HEAD + yaml.dump(
            document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=10_000
        )
    return str(document)


class _Plain(yaml.SafeDumper):
    """Lists indented below their key, texts of several lines as blocks, and no references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _block(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Plain.add_representer(str, _block)


def differences() -> Iterator[Path]:
    """Files that are missing, are not as they should be, or are nobody's."""
    made = texts()
    for path, wanted in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != wanted:
            yield path
    yield from _nobodys(made)


def _nobodys(made: Mapping[Path, str]) -> Iterator[Path]:
    for folder in OWNED:
        yield from (path for path in (TARGET / folder).glob("*") if path not in made)


def main(arguments: list[str]) -> int:
    """Write, or check; the exit code."""
    if arguments not in ([], ["--check"]):
        print(f"seen: {arguments}; expected: nothing or --check", file=sys.stderr)
        return 2
    differing = [path.relative_to(REPOSITORY) for path in differences()]
    if arguments:
        for path in differing:
            print(f"{path} is not what scripts/observability.py makes; run it", file=sys.stderr)
        return 1 if differing else 0
    made = texts()
    for path in _nobodys(made):
        path.unlink()
    for path, wanted in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    print(f"{len(made)} files, {len(differing)} of them changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
