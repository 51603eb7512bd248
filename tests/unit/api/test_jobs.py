"""Jobs over HTTP.

Not here: who may see whose (test_who_may), doing them (tests/unit/platform).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.api_world import problem, world


def test_a_job_that_the_platform_asked_for_can_be_named(tmp_path: Path) -> None:
    """Its id has colons, which were taken for a mistake."""

    async def run() -> None:
        async with world(tmp_path) as made:
            response = await made.ask("GET", "/api/v1/jobs/upkeep:2026-11-21T22:00:00Z", "ada")
            assert (response.status_code, problem(response)["code"]) == (404, "job")

    asyncio.run(run())
