"""Differences from the exchange, and what an operator says of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    UNKNOWN,
    CashFlow,
)
from holdfast.execution.drift import LATE_S, Review
from holdfast.venues.port import Balance, OrderReport, Purpose
from tests.support.execution_world import ExecutionWorld, fill, report, world

QUARANTINE = ReconcilePolicy.QUARANTINE
_ids = itertools.count(1)


async def twice(at: ExecutionWorld) -> list[str]:
    await at.reconciler.in_passing()
    return await at.reconciler.in_passing()


async def holding(policy: ReconcilePolicy = QUARANTINE) -> ExecutionWorld:
    """An account whose bot bought one BTC for 100 USDT."""
    at = await world(policy)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(5)]
    at.venue.holds(BTC="1", USDT="900")
    await asyncio.sleep(LATE_S + 1)  # until then balances may be told as they were before
    return at


def review(*assets: str, **more: str) -> Review:
    return Review(command_id=f"c{next(_ids)}", by="ana", assets=frozenset(assets), **more)


def of_somebody(told: OrderReport) -> OrderReport:
    return msgspec.structs.replace(told, cid="web_1")


def accepted(at: ExecutionWorld) -> list[CashFlow]:
    return [flow for flow in at.of_kind(CashFlow) if flow.reason == UNKNOWN]


def worth(at: ExecutionWorld) -> Decimal:
    """Of a unit of the account."""
    equity = at.account.equity(at.rates)
    assert equity is not None
    return at.account.units.price(equity)


def shows(at: ExecutionWorld, looks: Iterable[str]) -> None:
    """What the exchange says of USDT, one look after the other."""
    amounts = iter(looks)

    async def look(_purpose: Purpose) -> dict[str, Balance]:
        return {"USDT": Balance("USDT", Decimal(next(amounts)), Decimal(0))}

    at.venue.balances = look  # type: ignore[method-assign]
