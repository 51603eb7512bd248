"""Whatever is sent, the answer is one that the description promises (schemathesis over all of it).

Requests are made from the OpenAPI document, those that it allows and those that it does not, and go
to the real server over a socket. Bounded: a fixed number per operation. What is no HTTP at all is
nothing that the document could promise anything of: the server refuses it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from holdfast.api.shapes.commands import Command
from holdfast.app.web.commands import JournalCommands
from holdfast.config import Config
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.values import Scope
from tests.support.hosted_api import Hosted, hosted

EXAMPLES = 5
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance, negative_data_rejection,
]  # fmt: skip
# A stream does not end; the others would take the session or the machine that the next need.
LEFT_OUT = {"get_events", "sign_out"}


class Unled(JournalCommands):
    """Nobody leads here, so nobody is waited for."""

    async def give(self, *args: Any) -> tuple[Command, ...]:
        who, given_, request_id, _ = args
        return await super().give(who, given_, request_id, 0.0)

    async def hand_over(self, *args: Any) -> Command:
        who, account, node, request_id, _ = args
        return await super().hand_over(who, account, node, request_id, 0.0)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = tmp_path_factory.mktemp("api")
    database = SqliteDatabase(folder / "journal.db")
    database.upgrade()
    store = database.platform()
    commands = Unled(database, store, Config(state_dir=str(folder)))
    with hosted(folder, commands=commands) as found:
        yield found
    store.close()


@pytest.fixture(scope="module")
def bearer(api: Hosted) -> str:
    """A token that may do everything."""
    made = Console(api.world.store, "test@here").create_token("ada", "all", tuple(Scope), None)
    return made.secret


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_description_promises(
    api: Hosted, bearer: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    wrong: list[str] = []
    asked = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.definition.raw["operationId"] in LEFT_OUT:
            continue

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(mode))
        def ask(case: Any) -> None:
            nonlocal asked
            assume(is_http(case.headers))
            asked += 1
            case.call_and_validate(
                headers={"Authorization": f"Bearer {bearer}"}, checks=CHECKS, timeout=20
            )

        try:
            ask()
        except Unsatisfiable:
            continue  # nothing about it can be wrong
        except (FailureGroup, AssertionError) as error:  # all are asked before it is told
            wrong.append(f"{operation.label}: {_told(error)}")
    assert not wrong, "\n\n".join(wrong)
    assert asked > 200


@pytest.mark.parametrize("odd", [b"\x00", b"\x1b[0m", b"a\x7f", b"a\x08b"])
def test_a_header_with_control_characters_is_refused_before_anybody_reads_it(
    api: Hosted, bearer: str, odd: bytes
) -> None:
    url = urlsplit(api.url)
    assert url.hostname
    assert url.port
    with socket.create_connection((url.hostname, url.port), timeout=20) as line:
        line.sendall(
            b"POST /api/v1/accounts/main/bots/trend/stop HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Authorization: Bearer " + bearer.encode() + b"\r\nIdempotency-Key: " + odd
            + b"\r\nContent-Length: 0\r\n\r\n"
        )  # fmt: skip
        status, _, rest = line.makefile("rb").read().partition(b"\r\n")
    assert status == b"HTTP/1.1 400 Bad Request"
    assert b"connection: close" in rest
    assert rest.endswith(b"\r\n\r\n"), "and says nothing more"
    assert httpx.get(f"{api.url}/openapi.json", timeout=20).status_code == 200


def is_http(headers: Mapping[str, Any] | None) -> bool:
    """Whether a request with these can be sent: a control character ends what a server reads."""
    texts = "".join(str(value) for value in (headers or {}).values())
    return not any((char < " " and char != "\t") or char == "\x7f" for char in texts)


def _told(error: BaseException) -> str:
    found = error.exceptions if isinstance(error, FailureGroup) else (error,)
    return "; ".join(str(each) for each in found)
