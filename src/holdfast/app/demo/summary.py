"""What the demo says at its end, for programs and for people.

Not here: how it came about (run).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import ceil

import msgspec

from holdfast.app.demo.audit import Finding
from holdfast.domain.money import plain


class Gaps(msgspec.Struct, frozen=True):
    """Milliseconds from faults to what followed; None without a failover."""

    p50: int | None = None
    p99: int | None = None
    max: int | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a demo.

    Orders and fills are all that the exchange's ledger has of this folder's bots, also of earlier
    runs, because all of them were checked; failovers are this run's.

    Attributes:
        failover_gap_ms: from the fault to the first new order, which waits for a bot to want one.
        failover_ready_ms: from the fault to the moment from which orders could be made.
        unresolved_orders: attempts of which nobody knows what became, after waiting out doubts.
        final_equity: reporting units; None when a price was missing.
        first_order_ms: from the start of the demo to its first order; None without one.
        assumption: what was assumed of the market, for people; may be empty.
        positions: base units that the bots hold, by symbol.
        settled: everything agreed, amounts included, and nothing was under way.
    """

    orders: int
    fills: int
    failovers: int
    duplicate_orders: int
    lost_orders: int
    unresolved_orders: int
    final_equity: Decimal | None
    failover_gap_ms: Gaps
    failover_ready_ms: Gaps
    first_order_ms: int | None
    doubts: int
    ghosts: int
    records: int
    epoch: int
    run: int
    seconds: float
    reporting: str
    settled: bool
    findings: tuple[Finding, ...]
    directory: str
    market: str
    assumption: str
    positions: dict[str, Decimal]

    @property
    def is_green(self) -> bool:
        """No order doubled, none lost, none unresolved; every amount was compared and agrees."""
        return self.settled and not (
            self.duplicate_orders or self.lost_orders or self.unresolved_orders or self.findings
        )


def gaps_of(gaps_ms: Iterable[int | None]) -> Gaps:
    """Percentiles by nearest rank of those that have ended."""
    ranked = sorted(gap for gap in gaps_ms if gap is not None)
    if not ranked:
        return Gaps()

    def rank(share: float) -> int:
        return ranked[max(0, ceil(share * len(ranked)) - 1)]

    return Gaps(rank(0.5), rank(0.99), ranked[-1])


def sentences(summary: Summary) -> list[str]:
    """The summary for people, a line each."""
    equity = "unknown" if summary.final_equity is None else f"{summary.final_equity:,.2f}"
    lines = [
        f"doubled {summary.duplicate_orders}   lost {summary.lost_orders}   "
        f"unresolved {summary.unresolved_orders}",
        f"  by the exchange's own ledger: {summary.orders:,} orders, {summary.fills:,} fills",
        f"  equity {equity} {summary.reporting} after {summary.seconds:.0f} s",
        f"  journal {summary.records:,} records, epoch {summary.epoch}, run {summary.run}",
    ]
    if summary.positions:
        held = (f"{plain(amount)} {symbol}" for symbol, amount in summary.positions.items())
        lines.append(f"  position {', '.join(held)}")
    if summary.failovers:
        ready, gap = summary.failover_ready_ms, summary.failover_gap_ms
        lines.append(
            f"  failovers {summary.failovers}: trading again after {_ms(ready.p50)} "
            f"(max {_ms(ready.max)}), next order after {_ms(gap.p50)} (max {_ms(gap.max)})"
        )
    if not summary.settled and not summary.findings:
        lines.append("  not everything could be compared: something was still under way")
    lines += [f"  {one.kind.value}: {one.what}: {one.detail}" for one in summary.findings]
    if summary.assumption:
        lines.append(f"  {summary.assumption}")
    lines.append(f"  all of it is in {summary.directory}; the next start goes on from there")
    return lines


def _ms(elapsed_ms: int | None) -> str:
    return "…" if elapsed_ms is None else f"{elapsed_ms:,} ms"
