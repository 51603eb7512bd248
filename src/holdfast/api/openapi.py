"""The description of the API, completed: exact schemas, who may ask, and every way it can go wrong.

The framework knows paths, parameters and bodies; what it does not know is added from the rules and
from msgspec, so that a client can be generated from the result. Not here: serving it (api.build).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from holdfast.api import shapes
from holdfast.api.problem import MEDIA_TYPE
from holdfast.api.rules import Rule, rule_of
from holdfast.api.shapes.base import In, Out

BEARER: Final = "bearer"
_REF: Final = "#/components/schemas/{name}"

_PROBLEMS: Final = {
    400: "The request cannot be read: no JSON, or a header that is missing.",
    401: "It was not proved who is asking.",
    403: "He may not, or the session has to confirm it first.",
    404: "There is no such thing, or it is not his to see.",
    405: "Another method.",
    409: "It contradicts what is there, was refused, or is being done right now.",
    412: "What is to be changed is another by now.",
    413: "The body is too large.",
    415: "The body is no application/json.",
    422: "The request can be read, and says what cannot be.",
    428: "The ETag is missing that the change was made from.",
    429: "Too many requests; Retry-After says when.",
    500: "An error of ours; the instance names it.",
    503: "A database does not answer; Retry-After says when.",
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Made up by the caller for each thing to be done, and the same when it is "
    "repeated: it is done once, and a repetition hears the same answer.",
    "schema": {
        "type": "string",
        "minLength": 8,
        "maxLength": 128,
        "pattern": "^[A-Za-z0-9._~-]{8,128}$",
    },
}


def described(app: Litestar) -> dict[str, Any]:
    """The whole document (OpenAPI 3.1)."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **_schemas()}
    components["responses"] = {f"Problem{status}": _problem(status) for status in _PROBLEMS}
    components["securitySchemes"] = {
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token of a session, or an API token.",
        }
    }
    for path, method, rule in _rules(app):
        _complete(document["paths"][path][method], path, rule)
    return document


def known_queries(document: dict[str, Any]) -> dict[tuple[str, str], frozenset[str]]:
    """Names of query parameters by path and method."""
    return {
        (path, method.upper()): frozenset(
            each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def _rules(app: Litestar) -> Iterator[tuple[str, str, Rule]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            rule = rule_of(handler.opt)
            if rule is None or not handler.resolve_include_in_schema():
                continue
            for method in handler.http_methods:
                yield _openapi_path(route.path_format), method.lower(), rule


def _openapi_path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _complete(operation: dict[str, Any], path: str, rule: Rule) -> None:
    has_body = "requestBody" in operation
    parameters = operation.setdefault("parameters", [])
    names = {each["name"] for each in parameters}
    failures = {405, 422} if rule.is_probe else {400, 404, 405, 422, 429, 500, 503}
    if rule.scope is not None:
        operation["security"] = [{BEARER: []}]
        operation["x-scope"] = rule.scope.value
        failures |= {401, 403}
    if rule.is_confirmed:
        operation["x-confirmed"] = True
    if "{" in path or rule.is_change:
        failures.add(409)
    if has_body:
        failures |= {400, 413, 415}
    if rule.is_change and rule.scope is None:
        failures |= {401, 403}
    if "If-Match" in names:
        failures |= {412, 428}
    if rule.is_change and rule.has_key:
        parameters.append(_KEY)
    if not parameters:
        del operation["parameters"]
    responses = operation["responses"]
    responses.pop("400", None)  # the framework's own form, which is never sent
    for status in sorted(failures):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})


def _problem(status: int) -> dict[str, Any]:
    headers = {}
    if status in {429, 503}:
        headers["Retry-After"] = {
            "description": "Seconds.", "schema": {"type": "integer", "minimum": 0},
        }  # fmt: skip
    return {
        "description": _PROBLEMS[status],
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }


def _schemas() -> dict[str, Any]:
    """Every shape by its name; what is answered has all its members, always."""
    kinds = [
        kind
        for info in pkgutil.iter_modules(shapes.__path__, f"{shapes.__name__}.")
        for module in (importlib.import_module(info.name),)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
        and kind not in {In, Out}
    ]
    _, found = msgspec.json.schema_components(kinds, ref_template=_REF)
    for kind in kinds:
        if issubclass(kind, Out):
            found[kind.__name__]["required"] = sorted(found[kind.__name__]["properties"])
    return found
