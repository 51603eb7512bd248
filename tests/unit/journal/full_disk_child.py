"""Arms orders until files may not grow any more, then says what was acknowledged and what not."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from holdfast.errors import RetryableError
from holdfast.journal.port import CommitUnknownError
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.writer import JournalWriter

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.support.journal_facts import armed

LIMIT_BYTES = 400_000
ATTEMPTS = 40


async def main(path: Path) -> None:
    store = SqliteStore(path)
    writer = JournalWriter(store, await store.acquire("main", "child"))
    acknowledged: list[int] = []
    failures: list[str] = []
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
    number = 0
    while len(failures) < ATTEMPTS:
        number += 1
        try:
            await writer.append(armed(number))
            acknowledged.append(number)
        except RetryableError:
            failures.append("RetryableError")
        except CommitUnknownError as error:
            failures.append("in" if error.committed else "not in")
            if error.committed:
                acknowledged.append(number)
        if number == 2000:
            raise AssertionError("the limit was never met")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    number += 1
    await writer.append(armed(number))  # room again: it goes on
    acknowledged.append(number)
    await store.close()
    print(json.dumps({
        "acknowledged": acknowledged, "failures": failures, "failed": len(failures),
    }))  # fmt: skip


asyncio.run(main(Path(sys.argv[1])))
