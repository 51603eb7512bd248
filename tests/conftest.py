"""What holds for every test: examples are the same in every run, a slow machine fails nothing, and
who sets logging up does so for one test.

Not here: fixtures of single rooms, which live with their tests.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# `HYPOTHESIS_PROFILE=explore make test` looks for new examples instead of repeating the known ones.
settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Verbs configure it when they begin; the next test of the process hears what it asks for."""
    root = logging.getLogger()
    level, handlers = root.level, set(root.handlers)
    yield
    root.setLevel(level)
    for added in set(root.handlers) - handlers:
        root.removeHandler(added)
