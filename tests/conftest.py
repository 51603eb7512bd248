"""What holds for every test: examples are the same in every run, a slow machine fails nothing, and
who sets logging up does so for one test. Several processes begin with what takes longest.

Not here: fixtures of single rooms, which live with their tests.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from holdfast.telemetry import context

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

# Of the whole system, what waits or computes for minutes.
LONGEST = ("test_simulation", "test_dashboard", "test_faults", "test_list_faults", "test_exits")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each process an equal share of the tests of the whole system, to be begun first.

    As they are found one process would get all of them, and the others idle at the end. A module
    stays together: what its tests share is made once.
    """
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes == 1:
        return
    modules: dict[Path, list[pytest.Item]] = {}
    short: list[pytest.Item] = []
    for item in items:
        is_long = "acceptance" in item.path.parts
        (modules.setdefault(item.path, []) if is_long else short).append(item)
    longest_first = sorted(modules, key=lambda path: path.stem not in LONGEST)
    dealt: list[pytest.Item] = []
    for process in range(processes):
        for path in longest_first[process::processes]:
            dealt += modules[path]
        share = max(0, len(items) * (process + 1) // processes - len(dealt))
        dealt += short[:share]
        del short[:share]
    items[:] = dealt + short


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Verbs configure it when they begin; the next test of the process hears what it asks for."""
    root = logging.getLogger()
    level, handlers = root.level, set(root.handlers)
    ids = dict(context._process)
    yield
    context._process.clear()
    context._process.update(ids)
    root.setLevel(level)
    for added in set(root.handlers) - handlers:
        root.removeHandler(added)
