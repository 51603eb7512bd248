"""A database of its own for each test that asks for one, and a session of somebody else there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.postgres import database


@pytest.fixture
def url() -> Iterator[str]:
    with database() as address:
        yield address


@pytest.fixture
def beside(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
