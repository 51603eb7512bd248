"""The configuration over HTTP: with its origins, without secrets, and what waits for a start.

Not here: where settings come from (tests/unit/app/test_settings).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from holdfast.app.web.told_settings import ToldSettings
from holdfast.config import load
from tests.support.api_world import world


def test_an_administrator_sees_what_holds_and_what_has_not_taken_effect(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('deployment = "home"\ndatabase_replica_url = "postgresql://me:hunter2@db/x"\n')

    ours = {"key": "deployment", "value": '"home"', "origin": f"{file}:1"}

    async def work() -> None:
        async with world(tmp_path, settings=ToldSettings(load(file, {}), file)) as made:
            assert (await made.ask("GET", "/api/v1/configuration", "tom")).status_code == 403
            response = await made.ask("GET", "/api/v1/configuration", "ada")
            told = response.raise_for_status().json()
            assert ours in told["settings"]
            assert "hunter2" not in response.text
            file.write_text('deployment = "other"\n')
            told = (await made.ask("GET", "/api/v1/configuration", "ada")).json()
            assert [(one["key"], one["written"]) for one in told["pending"]] == [
                ("deployment", '"other"'), ("database_replica_url", '""'),
            ]  # fmt: skip
            assert ours in told["settings"]
            file.write_text("deploy = 1\n")
            told = (await made.ask("GET", "/api/v1/configuration", "ada")).json()
            assert (told["pending"], "unknown field `deploy`" in told["refused"]) == ([], True)

    asyncio.run(work())
