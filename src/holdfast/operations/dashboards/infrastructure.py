"""Machines, containers and Redis, as their exporters see them, and what they cost.

Not here: our processes within (technical), PostgreSQL (database).
"""

from __future__ import annotations

from typing import Final

from holdfast.operations.alerts.settings import Thresholds
from holdfast.operations.dashboards import common
from holdfast.operations.dashboards import exporters as beside
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import EVERYWHERE as Q
from holdfast.operations.dashboards.panel import PLAIN, Row, above, below, lines, stat
from holdfast.operations.dashboards.promql import Query
from holdfast.telemetry.catalogue import node

# What is no disk: it has no room by nature.
_DISKS: Final = 'fstype!~"tmpfs|overlay|squashfs|ramfs|nsfs"'


def board(given: Given) -> Board:
    """The dashboard."""
    return Board(
        uid="holdfast-infrastructure", title="Infrastructure",
        told="Is there room, is there power, does everything answer?",
        rows=(
            _now(given.limits), _machines(given.limits), _containers(given.limits), _redis(),
            _cost(given.limits),
        ),
        addresses=given.addresses,
    )  # fmt: skip


def _busy() -> Query:
    idle = Q.per_second(beside.CPU, "instance", where='mode="idle"')
    cores = Q.now(beside.CPU, "instance", how="count", where='mode="idle"')
    return idle.then(f"1 - {{}} / {cores.expr}")


def _free_disk(*by: str) -> Query:
    free = Q.now(beside.DISK_FREE, *by, how="min", where=_DISKS)
    size = Q.now(beside.DISK, *by, how="min", where=_DISKS)
    return free.then(f"{{}} / {size.expr}", "percentunit")


def _used_memory() -> Query:
    free = Q.now(beside.MEMORY_FREE, "instance")
    return free.then(f"1 - {{}} / {Q.now(beside.MEMORY, 'instance').expr}", "percentunit")


def _now(limits: Thresholds) -> Row:
    return Row("Now", (
        stat(
            "Targets that do not answer",
            Q.now(beside.UP, how="count").then("{} - sum(up)"),
            "Of all that Prometheus watches.", steps=above(1),
        ),
        stat("Processor", _busy(), "Busy, of all cores.", steps=above(0.9, 0.7)),
        stat("Memory", _used_memory(), "In use.", steps=above(0.9, limits.memory_ratio)),
        stat(
            "Room on the fullest disk", _free_disk("instance", "mountpoint").then("bottomk(1, {})"),
            "Left of it. A journal without room arms nothing.",
            steps=below(limits.disk_free_ratio, 2 * limits.disk_free_ratio),
        ),
        stat(
            "Clock", Q.now(node.CLOCK_OFFSET, "instance").then("abs({})"),
            "How far it is off the exchange's. Orders are signed by that; logs go by this.",
            steps=above(limits.clock_offset_s, limits.clock_offset_s / 2),
        ),
        stat(
            "Redis", Q.now(beside.REDIS_UP, "instance", how="min"),
            "Without it trading goes on; jobs and shared rate limits wait.", steps=below(1),
            words=common.UP_DOWN,
        ),
    ))  # fmt: skip


def _machines(limits: Thresholds) -> Row:
    return Row("Machines", (
        lines("Processors", _busy(), told="Busy, of all cores.", steps=above(0.9), most=1.0),
        lines(
            "Memory in use", _used_memory(), told="Without what can be had at once.",
            steps=above(limits.memory_ratio), most=1.0,
        ),
        lines(
            "Room on disks", _free_disk("instance", "mountpoint"), told="Left.",
            steps=below(limits.disk_free_ratio), most=1.0,
        ),
        lines(
            "Network", Q.per_second(beside.RECEIVED, "instance", "device", where='device!="lo"'),
            Q.per_second(beside.SENT, "instance", "device", where='device!="lo"').named(
                "{{instance}} {{device}} sent"
            ),
            told="Received and sent.",
        ),
        lines(
            "Disks", Q.per_second(beside.DISK_BUSY, "instance", "device"),
            told="Share of the time in which a disk was busy.", most=1.0,
        ),
        lines(
            "Load", Q.now(beside.LOAD, "instance"), told="Tasks that run or wait.", steps=PLAIN,
        ),
    ))  # fmt: skip


def _containers(limits: Thresholds) -> Row:
    return Row("Containers", (
        lines(
            "Processor of containers",
            Q.per_second(beside.CONTAINER_CPU, "name", where='name!=""'),
            told="Of one core. By cAdvisor, which is optional.",
        ),
        lines(
            "Memory of containers", Q.now(beside.CONTAINER_MEMORY, "name", where='name!=""'),
            told="What cannot be given back.",
        ),
        lines(
            "Memory, of the limit",
            Q.now(beside.CONTAINER_MEMORY, "name", where='name!=""').then(
                f"{{}} / ({Q.now(beside.CONTAINER_LIMIT, 'name').expr} > 0)", "percentunit"
            ),
            told="Of containers that have a limit.", steps=above(limits.memory_ratio), most=1.0,
        ),
        lines(
            "Age of containers", Q.age(beside.CONTAINER_STARTED, "name", where='name!=""'),
            told="A saw-tooth is one that is begun again and again.",
        ),
    ))  # fmt: skip


def _redis() -> Row:
    return Row("Redis", (
        lines("Commands", Q.per_second(beside.REDIS_COMMANDS, "instance"), told="All of them."),
        lines("Memory of Redis", Q.now(beside.REDIS_MEMORY, "instance"), told="Used."),
        lines(
            "Clients", Q.now(beside.REDIS_CLIENTS, "instance"),
            told="A line that only rises is a leak.",
        ),
        lines(
            "Keys that had to make room", Q.per_second(beside.REDIS_EVICTED, "instance"),
            told="Any of them is a setting to look at: leases must not be evicted.",
        ),
    ))  # fmt: skip


def _cost(limits: Thresholds) -> Row:
    budget = Q.now(beside.COST_BUDGET, "provider").expr
    return Row("Cost", (
        lines(
            "Cost of the month, of its budget",
            Q.now(beside.COST, "provider").then(f"{{}} / ({budget} > 0)", "percentunit"),
            told="As the providers' bills say, which somebody tells Prometheus once a day.",
            steps=above(limits.cost_ratio),
        ),
    ))  # fmt: skip
