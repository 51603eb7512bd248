"""Examining an installation: host, store, nodes, accounts, and with `live` the exchange.

Nothing is changed and no order is sent. Not here: what a finding is (operations.doctor), how it is
shown (cli).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from holdfast.app.doctor.account import account, journaled_uid
from holdfast.app.doctor.cluster import cluster, redis
from holdfast.app.doctor.exchange import exchange
from holdfast.app.doctor.processes import NOBODY, Asking, processes
from holdfast.app.doctor.secrets import secrets
from holdfast.app.doctor.store import store
from holdfast.app.secrets import references_of
from holdfast.config import Config
from holdfast.operations.doctor import host
from holdfast.operations.doctor.finding import Finding, Grade, exit_code

__all__ = ["Asking", "Finding", "Grade", "examine", "exit_code"]


def examine(
    config: Config, *, live: bool = False, accounts: Sequence[str] = (), asking: Asking = NOBODY
) -> Iterator[Finding]:
    """Look at everything, one thing after the other; what cannot be looked at is a finding, too.

    Blocks, for some seconds at most wherever something does not answer.

    Args:
        live: ask the exchange as well, with the keys of the accounts.
        accounts: only these, by name; all of them when empty.
        asking: which processes to ask over HTTP.
    """
    referred = tuple(to.removeprefix("env:") for _, to in references_of(config))
    yield from host.configuration(config, named=referred)
    yield from host.programs(config)
    yield from host.timing(config)
    yield from host.pauses(config)
    yield from secrets(config)
    yield from host.disks(config)
    yield from host.ports(config)
    yield from store(config)
    yield from redis(config)
    yield from cluster(config)
    yield from processes(asking)
    for name in accounts or [one.name for one in config.all_accounts]:
        of_it = config.for_account(name)
        yield from (found.of(name) for found in account(of_it))
        if live:
            asked = asyncio.run(exchange(of_it, journaled_uid(of_it)))
            yield from (found.of(name) for found in asked)
