"""What several dashboards show alike: variables, firing alerts, shares of good and bad.

Not here: the dashboards (the modules beside).
"""

from __future__ import annotations

from typing import Final

from holdfast.operations.dashboards import exporters as beside
from holdfast.operations.dashboards.board import Variable
from holdfast.operations.dashboards.panel import Drawn, Panel
from holdfast.operations.dashboards.promql import Query, Scope, ratio
from holdfast.telemetry.catalogue import node, services, trading
from holdfast.telemetry.catalogue.aliases import ALIASES

ACCOUNT: Final = Variable("account", "account", node.LEADER)
BOT: Final = Variable("bot", "bot", node.DATA_AGE)
NODE: Final = Variable("node", "instance", node.LEADER)

EVERYWHERE: Final = Scope({})
BY_ACCOUNT: Final = Scope({"account": "account"})
BY_BOT: Final = Scope({"account": "account", "bot": "bot"})

LEVELS: Final = {
    0: ("trading", "green"), 1: ("no entries", "orange"), 2: ("only exits", "orange"),
    3: ("selling out", "red"),
}  # fmt: skip
BREAKERS: Final = {0: ("closed", "green"), 1: ("half open", "orange"), 2: ("open", "red")}
YES_NO: Final = {0: ("no", "red"), 1: ("yes", "green")}
UP_DOWN: Final = {0: ("down", "red"), 1: ("up", "green")}

# Where a click leads: Holdfast's own pages, with the order's whole story, and the runbooks.
DOUBTFUL_ORDERS: Final = ("Orders in doubt", "${holdfast}/orders?condition=in_doubt")
ORDERS: Final = ("Orders of the account", "${holdfast}/orders?account=${__field.labels.account}")
BOTS: Final = ("Bots", "${holdfast}/bots")
CLUSTER: Final = ("Nodes and takeovers", "${holdfast}/cluster")
RISK: Final = ("Limits and halts", "${holdfast}/risk")
RUNBOOK: Final = ("Runbook", "${runbooks}/${__data.fields.alertname}.md")


def firing(where: str = "", *, width: int = 8, height: int = 8) -> Panel:
    """Alerts that fire now, each with the way to its runbook."""
    matchers = ",".join(['alertstate="firing"', *([where] if where else [])])
    return Panel(
        title="Firing alerts",
        told="Empty is good. A click on an alert opens its runbook.",
        queries=(EVERYWHERE.of(beside.ALERTS, matchers),),
        drawn=Drawn.TABLE, width=width, height=height, link=RUNBOOK,
    )  # fmt: skip


def fill_ratio(scope: Scope, *by: str, over: str = "1h") -> Query:
    """Orders that were filled, of those that the exchange took."""
    return ratio(
        scope.increase(trading.ORDERS, *by, over=over, where='status="filled"'),
        scope.increase(trading.ORDERS, *by, over=over, where='status="acknowledged"'),
    )


def exchange_errors(scope: Scope, *by: str) -> Query:
    """Requests to the exchange without a usable answer."""
    return ratio(
        scope.per_second(node.API_ERRORS, *by), scope.per_second(node.API_REQUESTS, *by)
    )


def http_errors(*by: str) -> Query:
    """Answers of the API that are 5xx; 0 while there are none."""
    # Without `or`, an API that never failed would have no line at all.
    failed = EVERYWHERE.per_second(services.HTTP_REQUESTS, *by, where='status=~"5.."')
    answered = EVERYWHERE.per_second(services.HTTP_REQUESTS, *by)
    return ratio(failed.then(f"({{}} or 0 * {answered.expr})"), answered)


def alias(name: str, unit: str) -> Query:
    """A series that a recording rule makes under a name that others know.

    Raises:
        StopIteration: no such alias.
    """
    return Query(expr=next(one.name for one in ALIASES if one.name == name), unit=unit)
