"""What the dashboard knows of the API, written as TypeScript from its OpenAPI document.

Lives here: the schemas, and each route's path, query, body and answer. `python -m
scripts.client_types` writes them, and a test fails while they are not those of the API as it is.
Not here: the calls themselves (dashboard/src/live/api/http.ts).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from holdfast.api.build import build
from holdfast.api.ports import Ports

REPOSITORY = Path(__file__).resolve().parent.parent
WRITTEN = REPOSITORY / "dashboard" / "src" / "live" / "api" / "schema.ts"
_HEAD = """\
// Written by scripts/client_types.py from the API's OpenAPI document; not by hand.
"""
_METHODS = ("get", "post", "put", "patch", "delete")
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean",
          "null": "null"}  # fmt: skip
_REF = "#/components/schemas/"
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def main() -> int:
    """Write the file from the API of this checkout."""
    WRITTEN.write_text(typescript(document()), encoding="utf-8")
    return 0


def document() -> dict[str, Any]:
    """The API's OpenAPI document; whoever only describes routes needs nothing behind them."""
    return build(cast(Ports, None)).document


def typescript(described: Mapping[str, Any]) -> str:
    """The types of an OpenAPI 3.1 document; the same document gives the same text."""
    parts = [_HEAD]
    schemas = described.get("components", {}).get("schemas", {})
    parts += [_declared(name, schemas[name]) for name in sorted(schemas)]
    parts.append("export interface Routes {")
    for path in sorted(described["paths"]):
        item = described["paths"][path]
        for method in _METHODS:
            if method in item:
                shared = item.get("parameters", [])
                parts += _route(f"{method.upper()} {path}", item[method], shared, described)
    parts.append("}\n")
    return "\n".join(parts)


def _declared(name: str, schema: Mapping[str, Any]) -> str:
    about = _comment(schema.get("description", ""), "")
    if schema.get("type") == "object" and schema.get("properties"):
        return f"{about}export interface {_name(name)} {_object(schema, '')}\n"
    return f"{about}export type {_name(name)} = {_type(schema, '')};\n"


def _route(
    key: str,
    operation: Mapping[str, Any],
    shared: list[Mapping[str, Any]],
    described: Mapping[str, Any],
) -> Iterator[str]:
    parameters = [_resolved(one, described) for one in [*shared, *operation.get("parameters", [])]]
    yield _comment(operation.get("description", ""), "  ") + f"  {json.dumps(key)}: {{"
    for place in ("path", "query"):
        here = [one for one in parameters if one["in"] == place]
        if not here:
            continue
        mark = "" if any(one.get("required") for one in here) else "?"
        yield f"    {place}{mark}: {{"
        for one in here:
            mark = "" if one.get("required") else "?"
            yield f"      {_key(one['name'])}{mark}: {_type(one.get('schema', {}), '      ')};"
        yield "    };"
    body = operation.get("requestBody")
    if body is not None:
        mark = "" if body.get("required", True) else "?"
        yield f"    body{mark}: {_content(_resolved(body, described))};"
    yield f"    answer: {_answer(operation, described)};"
    yield "  };"


def _answer(operation: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    """Of all successes together: a command that took effect and one that waits look alike."""
    found: list[str] = []
    for status, response in sorted(operation["responses"].items()):
        if str(status).startswith("2"):
            found.append(_content(_resolved(response, described)))
    return " | ".join(dict.fromkeys(found)) or "undefined"


def _content(holder: Mapping[str, Any]) -> str:
    for kind, media in holder.get("content", {}).items():
        if "json" in kind:
            return _type(media.get("schema", {}), "    ")
    return "string" if holder.get("content") else "undefined"


def _resolved(value: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = described
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found  # type: ignore[no-any-return]


def _type(schema: Mapping[str, Any], indent: str) -> str:
    if "$ref" in schema:
        return _name(schema["$ref"].removeprefix(_REF))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            found = dict.fromkeys(_type(one, indent) for one in schema[several])
            return " | ".join(found)
    if "allOf" in schema:
        return " & ".join(_type(one, indent) for one in schema["allOf"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": one}, indent) for one in kind)
    if kind == "array":
        inner = _type(schema.get("items", {}), indent)
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if kind == "object":
        return _object(schema, indent)
    return _PLAIN.get(str(kind), "unknown")


def _object(schema: Mapping[str, Any], indent: str) -> str:
    properties = schema.get("properties")
    if not properties:
        values = schema.get("additionalProperties", {})
        return f"Record<string, {_type(values, indent) if isinstance(values, dict) else 'unknown'}>"
    required = schema.get("required", [])
    lines = [
        f"{indent}  {_key(name)}{'' if name in required else '?'}: {_type(one, indent + '  ')};"
        for name, one in properties.items()
    ]
    return "\n".join(["{", *lines, f"{indent}}}"])


def _name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)


def _comment(text: str, indent: str) -> str:
    first = text.strip().split("\n")[0].replace("*/", "* /")
    return f"{indent}/** {first} */\n" if first else ""


if __name__ == "__main__":
    sys.exit(main())
