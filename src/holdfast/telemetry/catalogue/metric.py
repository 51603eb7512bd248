"""What a metric is: a name that stays, its labels with their bounds, and who emits it.

Not here: the metrics (the modules beside this one), counting (telemetry.emit).
"""

from __future__ import annotations

from enum import StrEnum
from math import prod
from typing import Final

import msgspec


class Kind(StrEnum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Unit(StrEnum):
    """Base units; what only counts things has none."""

    NONE = ""
    SECONDS = "seconds"
    BYTES = "bytes"
    RATIO = "ratio"  # from 0 to 1
    TIMESTAMP = "timestamp"  # seconds since 1970
    MONEY = "money"  # of the currency that its label says
    BASE = "base"  # units of a symbol's base asset


class Emitter(StrEnum):
    """Which process has it at its metrics port."""

    LEADER = "leader"  # a node, for the accounts that it leads
    NODE = "node"  # a node, for all of its accounts
    API = "api"
    WORKER = "worker"


class Label(msgspec.Struct, frozen=True):
    """A dimension of a metric.

    Attributes:
        most: distinct values that may occur for one set of the others; what keeps series few.
        told: its values, for people.
    """

    name: str
    most: int
    told: str


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One name of the catalogue.

    Attributes:
        name: as it is exposed; of a histogram without `_bucket`, `_sum` and `_count`.
        told: one sentence, which is its HELP as well.
        emitters: processes that have it.
        buckets: upper bounds of a histogram, ascending, without infinity.
        optional: only where an optional part is used (a server, a driver); says which.
    """

    name: str
    kind: Kind
    told: str
    emitters: tuple[Emitter, ...]
    unit: Unit = Unit.NONE
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    optional: str = ""

    @property
    def label_names(self) -> tuple[str, ...]:
        """In the order in which values are given."""
        return tuple(label.name for label in self.labels)

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names that a rule or a panel may ask for."""
        if self.kind is Kind.HISTOGRAM:
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)

    @property
    def series(self) -> int:
        """How many one process has at most."""
        each = len(self.buckets) + 3 if self.kind is Kind.HISTOGRAM else 1
        return each * prod(label.most for label in self.labels)


class Alias(msgspec.Struct, frozen=True):
    """A name that others know, recorded by a rule from metrics that are named as they should be.

    Attributes:
        expr: PromQL over metrics of the catalogue.
        why: what keeps it from being emitted under this name.
    """

    name: str
    expr: str
    why: str


NODES: Final = 2
APIS: Final = 3
WORKERS: Final = 4
"""Processes that the cardinality budget counts with."""

INSTANCES: Final = {
    Emitter.LEADER: NODES,  # after a takeover the old leader's counters stay with it
    Emitter.NODE: NODES,
    Emitter.API: APIS,
    Emitter.WORKER: WORKERS,
}

BUDGET: Final = 100_000
"""Series of one deployment at every bound at once; one Prometheus holds ten times as many."""
