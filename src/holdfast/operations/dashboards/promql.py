"""Queries over metrics of the catalogue: names and labels are checked, units follow by themselves.

Not here: how a query is drawn (panel).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from holdfast.operations.alerts.promql import grown
from holdfast.telemetry.catalogue import Emitter, Kind, Metric, Unit
from holdfast.telemetry.catalogue.node import LEADER

SHOWN: Final = {
    Unit.NONE: "short",
    Unit.SECONDS: "s",
    Unit.BYTES: "bytes",
    Unit.RATIO: "percentunit",
    Unit.TIMESTAMP: "dateTimeAsIso",
    Unit.MONEY: "locale",
    Unit.BASE: "none",
}
"""Grafana's name of a unit. Of money only the legend knows the currency: it is a label."""

PER_SECOND: Final = {
    Unit.NONE: "ops",
    Unit.SECONDS: "percentunit",  # seconds per second: a share of the time
    Unit.BYTES: "binBps",
    Unit.MONEY: "locale",
}

TARGET_LABELS: Final = frozenset({"instance", "job"})
"""Labels that Prometheus gives every series."""

LED: Final = f"and on (account, instance) {LEADER.name} == 1"

_MATCHED_LABEL: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a panel asks Prometheus.

    Attributes:
        expr: PromQL; may hold variables of the dashboard.
        unit: Grafana's name of what comes out.
        legend: what a series is called, with `{{label}}`.
    """

    expr: str
    unit: str
    legend: str = ""

    def named(self, legend: str) -> Query:
        """The same, with that legend."""
        return msgspec.structs.replace(self, legend=legend)

    def then(self, template: str, unit: str = "") -> Query:
        """The same within another expression: `{}` of `template` stands for it."""
        return msgspec.structs.replace(
            self, expr=template.replace("{}", self.expr), unit=unit or self.unit
        )


class Scope(msgspec.Struct, frozen=True):
    """The variables of a dashboard that narrow its queries.

    Attributes:
        variables: variable by label, `{"account": "account"}`; a metric without that label is not
            narrowed by it.
    """

    variables: dict[str, str]

    def of(self, metric: Metric, where: str = "") -> Query:
        """A metric's series as they are, each with its own labels.

        Args:
            where: further matchers, `status="filled"`.

        Raises:
            ValueError: the metric has no such label.
        """
        return Query(
            expr=self._selector(metric, where), unit=SHOWN[metric.unit], legend=_legend(metric)
        )

    def now(self, metric: Metric, *by: str, how: str = "max", where: str = "") -> Query:
        """A gauge, brought together over all labels but `by`.

        Of what only a leader has, only the present leader's counts: one that was deposed may show
        its last values for another scrape, and money would be counted twice.
        """
        found = self._selector(metric, where)
        if metric.kind is Kind.GAUGE and metric.emitters == (Emitter.LEADER,):
            found = f"{found} {LED}"
        return Query(
            expr=_grouped(how, metric, by, found),
            unit=SHOWN[metric.unit], legend=_named(by),
        )  # fmt: skip

    def age(self, metric: Metric, *by: str, where: str = "") -> Query:
        """How long ago a moment was, the oldest of each group, in seconds."""
        first = _grouped("min", metric, by, self._selector(metric, where))
        return Query(expr=f"time() - {first}", unit="s", legend=_named(by))

    def per_second(self, counter: Metric, *by: str, where: str = "") -> Query:
        """How fast a counter counts, as far back as the panel's resolution asks."""
        rate = f"rate({self._selector(counter, where)}[$__rate_interval])"
        return Query(
            expr=_grouped("sum", counter, by, rate), unit=PER_SECOND[counter.unit],
            legend=_named(by),
        )  # fmt: skip

    def increase(
        self, counter: Metric, *by: str, over: str = "$__range", where: str = ""
    ) -> Query:
        """How much a counter counted within `over`."""
        counted = f"increase({self._selector(counter, where)}[{over}])"
        return Query(
            expr=_grouped("sum", counter, by, counted), unit=SHOWN[counter.unit],
            legend=_named(by),
        )  # fmt: skip

    def grown(self, counter: Metric, *by: str, over: str, where: str = "") -> Query:
        """The same for what is rare: a series that begins within `over` began at zero."""
        _check(counter, by)
        counted = grown(self._selector(counter, where), over, ", ".join(by))
        return Query(expr=counted, unit=SHOWN[counter.unit], legend=_named(by))

    def quantile(
        self, share: float, histogram: Metric, *by: str, where: str = "",
        over: str = "$__rate_interval",
    ) -> Query:  # fmt: skip
        """The value that `share` of the observations within `over` stay under.

        Args:
            share: from 0 to 1.
        """
        if histogram.kind is not Kind.HISTOGRAM:
            raise ValueError(f"{histogram.name} is a {histogram.kind}, expected a histogram")
        rate = f"rate({self._selector(histogram, where, '_bucket')}[{over}])"
        summed = _grouped("sum", histogram, ("le", *by), rate)
        return Query(
            expr=f"histogram_quantile({share:g}, {summed})", unit=SHOWN[histogram.unit],
            legend=" ".join([f"p{100 * share:g}", *([_named(by)] if by else [])]),
        )  # fmt: skip

    def observed(self, histogram: Metric, *by: str, where: str = "") -> Query:
        """How often a histogram was observed into, per second."""
        rate = f"rate({self._selector(histogram, where, '_count')}[$__rate_interval])"
        return Query(
            expr=_grouped("sum", histogram, by, rate), unit="ops", legend=_named(by)
        )

    def _selector(self, metric: Metric, where: str, suffix: str = "") -> str:
        known = {*metric.label_names, *TARGET_LABELS}
        if unknown := set(_MATCHED_LABEL.findall(where)) - known:
            raise ValueError(f"{metric.name} has no label {sorted(unknown)}, only {sorted(known)}")
        matchers = [
            f'{label}=~"${variable}"'
            for label, variable in self.variables.items()
            if label in known
        ]
        inner = ",".join([*matchers, *([where] if where else [])])
        return f"{metric.name}{suffix}" + (f"{{{inner}}}" if inner else "")


def ratio(part: Query, whole: Query) -> Query:
    """The share that `part` has in `whole`; both are grouped alike. Nothing where `whole` is 0."""
    return Query(
        expr=f"({part.expr}) / ({whole.expr} > 0)", unit="percentunit", legend=whole.legend
    )


def _check(metric: Metric, by: tuple[str, ...]) -> None:
    known = {*metric.label_names, *TARGET_LABELS, "le"}
    if unknown := set(by) - known:
        raise ValueError(f"{metric.name} has no label {sorted(unknown)}, only {sorted(known)}")


def _grouped(how: str, metric: Metric, by: tuple[str, ...], inner: str) -> str:
    _check(metric, by)
    return f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"


def _named(by: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)


def _legend(metric: Metric) -> str:
    return _named(metric.label_names) or "{{instance}}"
