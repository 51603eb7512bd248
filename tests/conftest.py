"""What holds for every test: examples are the same in every run, a slow machine fails nothing, and
who sets logging up does so for one test. Several processes begin with what needs this machine for
itself, and then with what takes longest.

Not here: fixtures of single rooms, which live with their tests.
"""

from __future__ import annotations

import logging
import os
import time
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
PROCESS = "PYTEST_XDIST_WORKER"  # gw0, gw1, ... where there are several
BEGINS_WITH = pytest.StashKey[pytest.Item]()
ALONE_S = 240.0  # at most, until the test that is alone has ended; then the others go on beside it


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
    longest_first = sorted(modules, key=_rank)
    dealt: list[pytest.Item] = []
    for process in range(processes):
        for path in longest_first[process::processes]:
            dealt += modules[path]
        share = max(0, len(items) * (process + 1) // processes - len(dealt))
        dealt += short[:share]
        del short[:share]
    items[:] = dealt + short


def _rank(path: Path) -> int:
    return LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember what this process begins with: shares are dealt as processes become ready."""
    item.session.stash.setdefault(BEGINS_WITH, item)


@pytest.fixture(scope="session", autouse=True)
def _after_the_one_alone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Have the other processes wait for the very first test, if that wants to be alone."""
    first = request.session.items[0]
    if (
        PROCESS in os.environ
        and first.get_closest_marker("alone")
        and request.session.stash[BEGINS_WITH] is not first
    ):
        ended = _alone_ended(tmp_path_factory)
        give_up_s = time.monotonic() + ALONE_S
        while not ended.exists() and time.monotonic() < give_up_s:
            time.sleep(0.1)


@pytest.fixture(autouse=True)
def _is_alone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    yield
    if PROCESS in os.environ and request.node.get_closest_marker("alone"):
        _alone_ended(tmp_path_factory).touch()


def _alone_ended(folders: pytest.TempPathFactory) -> Path:
    """A file that all processes of this run know: theirs are below one folder."""
    return folders.getbasetemp().parent / "alone-ended"


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
