"""Who comes in, who is turned away, and whether a promise of the order path was touched.

Scans are no metric: they are run before a release, and `make verify` prints what they found. Not
here: single persons, who are in the audit journal, which is a record and this is not.
"""

from __future__ import annotations

from typing import Final

from holdfast.operations.dashboards import common
from holdfast.operations.dashboards import exporters as beside
from holdfast.operations.dashboards.board import Board, Given
from holdfast.operations.dashboards.common import EVERYWHERE as Q
from holdfast.operations.dashboards.panel import Drawn, Panel, Row, above, below, lines, stat
from holdfast.telemetry.catalogue import node, services, trading

SCANS: Final = """\
Scans and compliance are checked where something can still be done about them: before a release.

- **Dependencies, secrets, images, configuration**: `make verify` prints one line for each check and
  fails on any finding.
- **Who did what**: [the audit journal](${holdfast}/audit) is chained and complete; these pictures
  only count.
- **The order path**: "Broken assumptions" must stay at zero; anything else leads to its runbook.
"""


def board(given: Given) -> Board:
    """The dashboard; over a day at first."""
    return Board(
        uid="holdfast-security", title="Security Monitoring",
        told="Who comes in, who is turned away, what was touched?", span="24h", refresh="1m",
        rows=(_signs(), _access(), _state()), addresses=given.addresses,
    )  # fmt: skip


def _signs() -> Row:
    failed = Q.increase(
        services.AUTH_EVENTS, over="1h", where='event=~".*(failed|refused|locked|stolen|denied).*"'
    )
    return Row("Authentication", (
        stat(
            "Failed within an hour", failed.then("{} or vector(0)"),
            "Sign-ins and tokens that were not good.", steps=above(50, 10),
        ),
        stat(
            "Users now", Q.now(services.ACTIVE_USERS, how="sum"), "Who asked within five minutes.",
        ),
        lines(
            "Authentication events", Q.per_second(services.AUTH_EVENTS, "event"), width=16,
            told="As the API journaled them: sign-ins, tokens, refusals, changes of users.",
            link=("Audit journal", "${holdfast}/audit"),
        ),
    ))  # fmt: skip


def _access() -> Row:
    turned_away = Q.per_second(services.HTTP_REQUESTS, "status", where='status=~"401|403|429"')
    return Row("Access to the API", (
        lines(
            "Turned away", turned_away,
            told="401: not signed in. 403: not allowed to. 429: too often.",
        ),
        lines(
            "Routes most asked",
            Q.per_second(services.HTTP_REQUESTS, "endpoint").then("topk(10, {})"),
            told="An unusual one at the top is worth a look.",
        ),
        lines(
            "Requests that matched no route",
            Q.per_second(services.HTTP_REQUESTS, "status", where='endpoint="none"'),
            told="Somebody who tries doors.",
        ),
        lines(
            "Commands", Q.per_second(
                services.HTTP_REQUESTS, "endpoint", where='method=~"POST|PUT|PATCH|DELETE"'
            ),
            told="What changes something, by route.",
        ),
        Panel(
            title="Audit events as they are logged", drawn=Drawn.LOGS, width=16,
            logs='{service=~"api|node"} | action="audit_event"',
            told="Every one of them is in the audit journal too, which is complete.",
        ),
    ))  # fmt: skip


def _state() -> Row:
    return Row("Scans, compliance, and the order path", (
        Panel(title="Where scans are", drawn=Drawn.TEXT, width=8, height=8, text=SCANS),
        lines(
            "Broken assumptions", Q.grown(trading.GHOSTS, "account", over="1h"),
            Q.grown(node.FENCED, "account", over="1h").named("{{account}} refused by the fence"),
            Q.grown(trading.FOREIGN_ORDERS, "account", "origin", over="1h").named(
                "{{account}} unknown orders, {{origin}}"
            ),
            told="Orders that nobody of us made may be a key that somebody else has.", height=8,
            steps=above(1),
        ),
        Panel(
            title="Clock kept by a server", drawn=Drawn.STATES, steps=below(1), height=8,
            words=common.YES_NO, told="Signatures and one-time codes go by it.",
            queries=(Q.now(beside.CLOCK_SYNCED, "instance"),),
        ),
    ))  # fmt: skip
