"""What a session calls itself, by which a successor ends those of one process and of no other.

Not here: displacing (tests/integration/journal/test_displace), the lock itself (test_postgres).
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from holdfast.journal import postgres_owner
from holdfast.journal.postgres_owner import writer_name

CUT_AFTER = 63  # by the server, silently


def named(monkeypatch: pytest.MonkeyPatch, host: str, host_id: str, pid: int = 7) -> str:
    """What the writing session of that process calls itself."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename=host))
    monkeypatch.setattr(os, "getpid", lambda: pid)
    monkeypatch.setattr(postgres_owner, "host_id", lambda: host_id)
    return writer_name()


def test_processes_of_two_hosts_have_two_names_whatever_their_hosts_and_pids_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = "trading-production-eu-central-1-strategies"
    hosts = [(f"{long}-0", "a"), (f"{long}-1", "a"), ("vm", "a"), ("vm", "b")]
    assert len({named(monkeypatch, *host) for host in hosts}) == len(hosts)


def test_a_process_has_one_name_which_the_server_does_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = named(monkeypatch, "h" * 64, "a", pid=4_194_304)
    assert len(name) <= CUT_AFTER
    assert name.startswith("holdfast writer hhhh")
    assert name.endswith(":4194304")
    assert name == writer_name()
