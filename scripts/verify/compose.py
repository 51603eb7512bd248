"""What a schema does not see in a compose file: who is published, what waits for what, and secrets.

Not here: the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

_SECRET_NAME: Final = re.compile(r"(PASSWORD|SECRET|TOKEN|API_KEY)$")
_REFERENCE: Final = re.compile(r"\$\{.*\}|[a-z-]+:.*")
_OURS: Final = re.compile(r"(^|/)holdfast-[a-z]+:")
"""Images that are built from this checkout: their digest is known where they were built."""
_PINNED: Final = re.compile(r"[^@:]+:[^@:]+@sha256:[0-9a-f]{64}")
_LOCAL: Final = ("127.0.0.1:", "[::1]:", "localhost:")
EDGE: Final = frozenset({"edge", "nginx", "proxy"})
"""Services that may be published beyond this host."""


class _Loader(yaml.SafeLoader):
    """Reads `!reset` and `!override` as what they stand before."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Loader.add_multi_constructor("!", _plain)


def read(text: str) -> dict[str, Any]:
    """A compose file with its anchors and merges resolved."""
    found: dict[str, Any] = yaml.load(text, Loader=_Loader) or {}
    return found


def faults_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong, a sentence each."""
    services: Mapping[str, Any] = document.get("services") or {}
    for name, service in services.items():
        for fault in _faults(name, service or {}, services, document):
            yield f"service {name}: {fault}"


def _faults(
    name: str, service: Mapping[str, Any], services: Mapping[str, Any], document: Mapping[str, Any]
) -> Iterator[str]:
    image = str(service.get("image", ""))
    if image and not _OURS.search(image) and not _PINNED.fullmatch(image):
        yield f"image {image} may be another tomorrow; NAME:VERSION@sha256:DIGEST"
    volumes = map(str, _listed(service, "volumes"))
    if service.get("privileged") or any("docker.sock" in volume for volume in volumes):
        yield "has the host: privileged, or the engine's socket"
    for port in _listed(service, "ports"):
        if name not in EDGE and not _is_local(port):
            yield f"port {port} is published beyond this host; 127.0.0.1: before it, or none"
    for key, value in _environment(service):
        if _SECRET_NAME.search(key) and value and not _REFERENCE.fullmatch(value):
            yield f"{key} holds a value; a file of /run/secrets, or a variable"
    for secret in _listed(service, "secrets"):
        wanted = secret.get("source") if isinstance(secret, dict) else secret
        if wanted not in (document.get("secrets") or {}):
            yield f"secret {wanted} is not declared"
    waited = service.get("depends_on")
    for other, how in (waited.items() if isinstance(waited, dict) else ()):
        if other not in services:
            yield f"waits for {other}, which is not there"
        elif how.get("condition") == "service_healthy" and not _is_checked(services[other]):
            yield f"waits until {other} is healthy, which has no health check"


def _is_checked(service: Mapping[str, Any]) -> bool:
    """An image that is built here brings its check along (deploy/docker/Dockerfile)."""
    return "healthcheck" in service or "build" in service or "holdfast" in str(service.get("image"))


def _is_local(port: Any) -> bool:
    if isinstance(port, dict):
        return str(port.get("host_ip", "")) in {"127.0.0.1", "::1"}
    return str(port).startswith(_LOCAL)


def _environment(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = service.get("environment") or {}
    if isinstance(given, dict):
        yield from ((key, "" if value is None else str(value)) for key, value in given.items())
    else:
        yield from (str(line).partition("=")[::2] for line in given)


def _listed(service: Mapping[str, Any], key: str) -> list[Any]:
    return list(service.get(key) or [])
