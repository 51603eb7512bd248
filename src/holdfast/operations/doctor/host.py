"""What one host tells without asking anybody: disks, ports, processors, versions, times.

Not here: what others answer (app.doctor).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from holdfast import __version__
from holdfast.config import Config
from holdfast.config.environment import without_effect
from holdfast.config.variables import misnamed
from holdfast.operations.cpu import Meter, longest_pause_s
from holdfast.operations.doctor.finding import Finding, fail, ok, warn

LEAST_BYTES: Final = 512 * 1024**2
FEW_BYTES: Final = 4 * 1024**3
LEAST_SHARE: Final = 0.01
FEW_SHARE: Final = 0.05
"""Below the least of both kinds nothing should trade; below a few somebody should know."""

ASK_S: Final = 1.0
PAUSES_S: Final = 2.0
FEW_STOLEN: Final = 0.01


def configuration(
    config: Config, environ: Mapping[str, str] = os.environ, named: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """That it holds together is known, or nothing here would run; what it leaves open is told.

    Args:
        named: variables that the configuration refers to.
    """
    accounts = ", ".join(account.name for account in config.all_accounts)
    bots = ", ".join(bot.name for bot in config.bots)
    seen = f"accounts: {accounts}; bots: {bots or 'none'}"
    if bots:
        yield ok("configuration", seen)
    else:
        yield warn("configuration", seen, "add a bot to holdfast.toml")
    for name, instead in without_effect(environ):
        yield warn("environment", f"{name} is set and has no effect", f"unset it: {instead}")
    for name, known in misnamed(environ, named):
        yield warn(
            "environment", f"{name} is set, which nothing reads", f"call it {known}, or unset it"
        )


def programs(config: Config) -> Iterator[Finding]:
    """Which program this is."""
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    yield ok("versions", f"holdfast {__version__} as {config.deployment!r}, on {implementation}")


def timing(config: Config) -> Iterator[Finding]:
    """The times of leases; their inequalities held when the configuration was read."""
    times = config.cluster.timing
    spare_s = times.lease_s - times.renew_s - 2 * times.call_s
    yield ok(
        "timing",
        f"{config.cluster.profile}: renewed each {times.renew_s:g} s, a lease of {times.ttl_s:g} s "
        f"with {spare_s:.2f} s to spare after a renewal that failed once",
    )


def pauses(config: Config, watch: Callable[[float], float] = longest_pause_s) -> Iterator[Finding]:
    """Whether the host lets a node run in time: while it stands still nothing is renewed.

    Args:
        watch: the longest pause in so many seconds from now on.
    """
    meter = Meter()
    longest_s = watch(PAUSES_S)
    load = meter.load()
    seen = f"this process waited at most {longest_s * 1e3:.0f} ms for a processor in {PAUSES_S:g} s"
    if load is not None and load.stolen >= FEW_STOLEN:
        seen += f", and the host gave {load.stolen:.0%} of them to others"
    # A call of the store that takes so long has failed, and two of them cost the lease.
    if longest_s < config.cluster.timing.call_s / 2:
        yield ok("pauses", seen)
    else:
        other = ", or take profile standard" if config.cluster.profile == "fast" else ""
        yield warn("pauses", seen, f"give the nodes processors of their own{other}")


def disks(config: Config) -> Iterator[Finding]:
    """Room where this installation writes, once per file system."""
    seen: dict[int, list[str]] = {}
    where: dict[int, Path] = {}
    for purpose, folder in _folders(config):
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        device = there.stat().st_dev
        seen.setdefault(device, []).append(purpose)
        where.setdefault(device, there)
    for device, purposes in seen.items():
        yield disk(f"disk {', '.join(purposes)}", *shutil.disk_usage(where[device]))


def disk(check: str, total: int, _used: int, free: int) -> Finding:
    """Whether so much room will do, in bytes."""
    share = free / total if total else 0.0
    seen = f"{_gib(free)} of {_gib(total)} GiB free ({share:.0%})"
    if free < LEAST_BYTES or share < LEAST_SHARE:
        return fail(check, seen, "free space now: a full disk stops every new order")
    if free < FEW_BYTES or share < FEW_SHARE:
        return warn(check, seen, "free space, or move what grows to a larger disk")
    return ok(check, seen)


def ports(config: Config) -> Iterator[Finding]:
    """Whether what is to listen can, or does already."""
    api = config.api
    yield port("port api", api.host, api.port, "another with PORT")
    yield port("port metrics", api.host, api.metrics_port, "another with METRICS_PORT")
    if any(signal.secret for signal in config.signals):
        hooks = config.webhooks
        yield port("port webhooks", hooks.host, hooks.port, "another in [webhooks]")


def port(check: str, host: str, number: int, other: str) -> Finding:
    """Whether a port is free, or one of ours listens there."""
    if number == 0:
        return ok(check, "left to the system")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except PermissionError:
            return fail(check, f"{host}:{number} may not be listened on by this user", other)
        except OSError as error:
            if _is_ours(host, number):
                return ok(check, f"holdfast listens at {host}:{number}")
            what = f"{host}:{number} cannot be had ({error.strerror})"
            return warn(check, what, f"end what listens there, or name {other}")
    return ok(check, f"{host}:{number} is free")


def _folders(config: Config) -> Iterator[tuple[str, Path]]:
    yield "state", Path(config.state_dir)
    if config.database_url.startswith("sqlite:///"):
        yield "journal", Path(config.database_url.removeprefix("sqlite:///")).parent
    yield "results", Path(config.jobs.results_dir or config.state_dir)
    yield "data", Path(config.jobs.data_dir)


def _gib(count: int) -> str:
    return f"{count / 1024**3:.1f}"


def _is_ours(host: str, number: int) -> bool:
    """Whether what listens there says that it lives, as each of our processes does."""
    at = f"[{host}]" if ":" in host else host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    try:
        with urllib.request.urlopen(f"http://{at}:{number}/livez", timeout=ASK_S) as answer:
            return bool(json.load(answer).get("alive") is True)
    except (OSError, urllib.error.URLError, ValueError, AttributeError):
        return False

