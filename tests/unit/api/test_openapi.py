"""The description of the API: whole, exact, and good enough to generate a client from."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.build import description


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return description()


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for member in value.values() for each in _references(member)]
    if isinstance(value, list):
        return [each for member in value for each in _references(member)]
    return []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in set(_references(document)):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_every_operation_has_a_name_of_its_own_and_a_sentence(document: dict[str, Any]) -> None:
    operations = _operations(document)
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    assert [name for name, (_, _, op) in zip(names, operations, strict=True)
            if not op.get("description", "").strip()] == []  # fmt: skip


def test_whatever_changes_something_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    without = {
        operation["operationId"]
        for _, method, operation in _operations(document)
        if method != "get"
        and "Idempotency-Key" not in {each["name"] for each in operation.get("parameters", ())}
    }
    # Each of these can be used only once, or is the same when it is repeated.
    assert without == {
        "sign_in", "redeem_link", "accept_invitation", "refresh", "confirm", "sign_out",
        "deliver_signal",
    }  # fmt: skip


def test_what_goes_wrong_is_a_problem_document_everywhere(document: dict[str, Any]) -> None:
    for _, _, operation in _operations(document):
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")) and "$ref" not in response:
                assert status == "503", operation["operationId"]  # health says how it is
    problem = document["components"]["responses"]["Problem422"]
    assert list(problem["content"]) == ["application/problem+json"]


def test_schemas_are_exact(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Halt"]["additionalProperties"] is False
    assert schemas["Order"]["required"] == sorted(schemas["Order"]["properties"])
    assert "pattern" in schemas["Order"]["properties"]["quantity"]
    assert schemas["HaltLevel"]["enum"] == ["cancel", "entries", "flatten"]
