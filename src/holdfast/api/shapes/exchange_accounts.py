"""Exchange accounts as they are configured: where they are, and by whose keys, by reference.

Not here: what is in them (shapes.accounts).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from holdfast.api.shapes.base import In, Name, Out
from holdfast.config import ReconcilePolicy
from holdfast.secrets import PATTERN

Reference = Annotated[
    str,
    msgspec.Meta(
        pattern=PATTERN,
        max_length=512,
        description="Where each node finds the secret; never the secret.",
        examples=["env:SECOND_API_KEY"],
    ),
]


class NewExchangeAccount(In, frozen=True, kw_only=True):
    """An account for nodes to trade, on the exchange of an account that they have in their file."""

    name: Name
    like: Name
    api_key: Reference
    api_secret: Reference
    reconcile: ReconcilePolicy = ReconcilePolicy.HALT


class ExchangeAccount(Out, frozen=True, kw_only=True):
    """An exchange account as it is configured.

    Attributes:
        venue: whose protocol is spoken, and `rest_url` where; null of what is left out.
        in_file: it stands in the configuration; only what does not can be dropped here.
        like: the account of the file on whose exchange it is; null of that itself.
        nodes: that have it, and live.
        leader: the node that trades it; null while none does.
        left_out: why nodes cannot have it; empty when they can.
    """

    name: str
    venue: str | None = None
    rest_url: str | None = None
    api_key: str
    api_secret: str
    reconcile: ReconcilePolicy
    in_file: bool
    like: str | None = None
    added_by: str | None = None
    added_at: datetime | None = None
    nodes: tuple[str, ...]
    leader: str | None = None
    left_out: str = ""


class ExchangeAccounts(Out, frozen=True, kw_only=True):
    """Those of the file, and then those that were added."""

    items: tuple[ExchangeAccount, ...]
