"""The dashboard's client against the API that it calls: written from it, and never behind it.

Not here: the dashboard itself (tests/integration/dashboard).
"""

from __future__ import annotations

from typing import Any

from scripts.client_types import WRITTEN, document, typescript


def test_the_dashboards_types_are_those_of_the_api() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == typescript(document()), (
        "seen: types of another API; expected: those of this one; "
        "do: python -m scripts.client_types, then make dashboard, which says what no longer fits"
    )


def of(schema: dict[str, Any]) -> str:
    """One declared type, without the head."""
    text = typescript({"components": {"schemas": {"Thing": schema}}, "paths": {}})
    return text.split("\n", 2)[2].split("export interface Routes")[0].strip()


def test_what_may_be_null_or_left_out_says_so() -> None:
    schema = {
        "type": "object",
        "description": "A thing.\n\nWith more.",
        "properties": {
            "sure": {"type": "string"},
            "perhaps": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "not-a-name": {"type": "array", "items": {"enum": ["a", "b"]}},
        },
        "required": ["sure", "not-a-name"],
    }
    assert of(schema) == (
        "/** A thing. */\nexport interface Thing {\n  sure: string;\n"
        '  perhaps?: number | null;\n  "not-a-name": ("a" | "b")[];\n}'
    )


def test_maps_and_things_of_no_shape_are_records() -> None:
    of_numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    assert of(of_numbers) == "export type Thing = Record<string, number>;"
    assert of({"type": "object"}) == "export type Thing = Record<string, unknown>;"


def test_a_route_has_what_it_takes_and_all_that_a_success_answers() -> None:
    def ok(name: str) -> dict[str, Any]:
        schema = {"$ref": f"#/components/schemas/{name}"}
        return {"content": {"application/json": {"schema": schema}}}

    operation = {
        "description": "Do it.",
        "parameters": [
            {"in": "path", "name": "account", "required": True, "schema": {"type": "string"}},
            {"in": "query", "name": "wait_s", "schema": {"type": "number"}},
            {"in": "header", "name": "Idempotency-Key", "required": True},
        ],
        "requestBody": {"required": True, **ok("Halt")},
        "responses": {"200": ok("Done"), "202": ok("Waits"), "404": ok("Problem")},
    }
    text = typescript({"paths": {"/halt/{account}": {"post": operation}}})
    assert text.partition("export interface Routes ")[2] == (
        '{\n  /** Do it. */\n  "POST /halt/{account}": {\n'
        "    path: {\n      account: string;\n    };\n"
        "    query?: {\n      wait_s?: number;\n    };\n    body: Halt;\n"
        "    answer: Done | Waits;\n  };\n}\n"
    )
