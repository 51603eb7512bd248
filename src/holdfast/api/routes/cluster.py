"""Nodes, leadership and how it moved.

Not here: moving an account (routes.accounts).
"""

from __future__ import annotations

from litestar import get

from holdfast.api.ask import Ask
from holdfast.api.paging import DEFAULT_ITEMS, Cursor, Limit, cursor, mark
from holdfast.api.routes.params import AccountQuery
from holdfast.api.rules import look
from holdfast.api.shapes.cluster import Cluster, Failovers

TAGS = ["cluster"]


@get("/cluster", opt=look(), tags=TAGS)
async def get_cluster(request: Ask) -> Cluster:
    """Show the nodes, who leads which account, and the newest failovers."""
    return await request.ports.reads.cluster(request.who)


@get("/failovers", opt=look(), tags=TAGS)
async def list_failovers(
    request: Ask,
    account: AccountQuery = None,
    cursor_: Cursor = None,
    limit: Limit = DEFAULT_ITEMS,
) -> Failovers:
    """List how leadership moved, newest first."""
    part = await request.ports.reads.failovers(
        request.who, account, mark(cursor_, account), limit
    )
    return Failovers(items=part.items, next_cursor=cursor(part.end, account))


ROUTES = [get_cluster, list_failovers]
