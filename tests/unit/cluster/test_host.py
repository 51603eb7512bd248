"""Which host a process is on: where its id means something, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from holdfast.cluster.host import host_id, is_gone
from holdfast.cluster.port import Member

ASK = "from holdfast.cluster.host import host_id; print(host_id())"
# As a container: another process with the number of one outside, and none with most of them.
CONTAINED = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]


def member(**fields: object) -> Member:
    known = {
        "boot_id": "b", "node": "n", "host": host_id(), "pid": os.getpid(), "started": 0,
        "version": "1", "accounts": (), **fields,
    }  # fmt: skip
    return Member(**known)  # type: ignore[arg-type]


def test_processes_side_by_side_are_on_one_host() -> None:
    told = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == host_id()


def test_a_container_is_a_host_of_its_own_for_its_process_ids_mean_nothing_outside() -> None:
    tried = subprocess.run([*CONTAINED, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.decode().strip()}")
    told = subprocess.run(
        [*CONTAINED, sys.executable, "-c", ASK], capture_output=True, text=True, check=True
    )
    contained = told.stdout.strip()
    assert contained
    assert contained != host_id()
    assert not is_gone(member(host=contained, pid=2**22))


def test_a_process_of_this_host_that_has_ended_is_gone_and_a_live_one_is_not() -> None:
    assert not is_gone(member())
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pid = ended.pid
    assert is_gone(member(pid=pid))
    assert is_gone(member(started=1)), "another process has its number"
