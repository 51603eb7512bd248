"""A database of its own for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import database


@pytest.fixture
def url() -> Iterator[str]:
    with database() as address:
        yield address
