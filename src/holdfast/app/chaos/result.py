"""What a chaos run found, for programs and for people.

Not here: how it came about (run).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

import msgspec

from holdfast.app.demo.audit import Finding


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds by nearest rank; None where nothing was measured."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


def spread_of(values_ms: Iterable[float]) -> Spread:
    """Of so many values."""
    ranked = sorted(values_ms)
    if not ranked:
        return Spread()

    def rank(share: float) -> float:
        return round(ranked[max(0, ceil(share * len(ranked)) - 1)], 1)

    return Spread(rank(0.5), rank(0.99), round(ranked[-1], 1))


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison with the exchange's ledger said, of all orders until then.

    Attributes:
        first, last: the rounds that it was the first to cover; it was made after the last one.
        unresolved_orders: while trading goes on: in doubt at that moment.
        findings: whatever is wrong, also what is neither doubled nor lost.
    """

    first: int
    last: int
    duplicate_orders: int
    lost_orders: int
    unresolved_orders: int
    findings: int

    @property
    def is_wrong(self) -> bool:
        """Whether anything is; what is in doubt may still be resolved."""
        return bool(self.duplicate_orders or self.lost_orders or self.findings)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One strike and what it cost. All milliseconds run from the strike.

    Attributes:
        gap_ms: to the first byte of the first order of another process; None where the leader
            stayed, or nobody went on.
        silence_ms: the longest time without any new order until all was well again.
        taken_ms: to the record by which the next one took the journal over.
        ready_ms: to the record that it has reconciled with the exchange.
        armed_ms: to the record of its first order.
        takeovers: how often the journal changed hands.
        account: whose leader was struck, and whose orders the milliseconds are of.
        to: the node that went on.
        number: of the round, from 1.
        aimed: at a leader that had journaled an order and not heard of it yet; else at any moment.
        refused: commits of deposed leaders that the journal refused until all was well again.
        checked: by what it was covered; None in the file of rounds, of a check that was put off:
            a later round's covers it, from `first` to `last`.
    """

    strike: str
    gap_ms: float | None
    silence_ms: float | None
    taken_ms: float | None = None
    ready_ms: float | None = None
    armed_ms: float | None = None
    takeovers: int = 0
    account: str = ""
    to: str = ""
    number: int = 0
    aimed: bool = False
    refused: int = 0
    checked: Checked | None = None


class OfStrike(msgspec.Struct, frozen=True):
    """The rounds with one kind of strike."""

    rounds: int
    gap_ms: Spread
    silence_ms: Spread


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a run.

    Attributes:
        quiet_hours: how long nothing was struck on a busy machine, to see whether anybody is taken
            for dead who is only slow.
        quiet_busy: how busy the processors were meanwhile, 0 to 1; None where nobody can say.
        quiet_stolen: the share of their time that a hypervisor gave to somebody else meanwhile: a
            host that stands still for longer than a lease changes its leader whoever runs there.
        gap_ms: over all rounds in which another process went on.
        phases_ms: where the gap goes: until the journal was taken over, reconciled, armed.
        unresolved_orders: attempts of which nobody knows what became, after waiting out doubts.
        ghosts: executions of what had been declared absent; they count as duplicates too.
        stale_epoch_writes_refused: commits of deposed leaders that the journal refused, each once.
        false_failovers: changes of the leader that no strike explains.
        ended_early: somebody asked it to end; it tells of what had been done by then.
        stuck: rounds in which no order came within the time to wait for one, and bots that sent
            none in the end.
        skipped: strikes that could not be made here.
        settled: everything agreed in the end, and nothing was under way.
    """

    rounds: int
    quiet_hours: float
    quiet_busy: float | None
    quiet_stolen: float | None
    gap_ms: Spread
    duplicate_orders: int
    lost_orders: int
    unresolved_orders: int
    ghosts: int
    stale_epoch_writes_refused: int
    false_failovers: int
    by_strike: dict[str, OfStrike]
    phases_ms: dict[str, Spread]
    takeovers: int
    ended_early: bool
    stuck: int
    orders: int
    fills: int
    doubts: int
    epoch: int
    store: str
    leases: str
    profile: str
    fault: str
    nodes: int
    accounts: int
    between_hosts: bool
    apart: bool
    seed: int
    seconds: float
    settled: bool
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...]
    each: tuple[Round, ...]

    @property
    def is_green(self) -> bool:
        """No order doubled, none lost, none unresolved; every amount was compared and agrees.

        On a busy machine without strikes, and where clocks jump, nobody was taken for dead either.
        """
        return self.settled and not bool(
            self.duplicate_orders
            or self.lost_orders
            or self.unresolved_orders
            or self.ghosts
            or self.findings
            or self.stuck
            or ((self.quiet_hours or self.fault == "clock") and self.false_failovers)
        )


def by_strike(rounds: Sequence[Round]) -> dict[str, OfStrike]:
    """The rounds, by what was done in them."""
    kinds = dict.fromkeys(one.strike for one in rounds)
    return {
        kind: OfStrike(
            rounds=sum(one.strike == kind for one in rounds),
            gap_ms=spread_of(
                one.gap_ms for one in rounds if one.strike == kind and one.gap_ms is not None
            ),
            silence_ms=spread_of(
                one.silence_ms
                for one in rounds
                if one.strike == kind and one.silence_ms is not None
            ),
        )
        for kind in kinds
    }


def covered(rounds: Sequence[Round], end: Checked) -> tuple[Round, ...]:
    """The rounds, each with the check that covers it; the last ones with that of the end."""
    found, by = [], end
    for one in reversed(rounds):
        by = one.checked or by
        found.append(msgspec.structs.replace(one, checked=by))
    return tuple(reversed(found))


def phases(rounds: Sequence[Round]) -> dict[str, Spread]:
    """Where the gaps of those rounds go in which somebody went on."""
    moved = [one for one in rounds if one.gap_ms is not None]
    names = ("taken_ms", "ready_ms", "armed_ms", "gap_ms")
    return {
        name.removesuffix("_ms"): spread_of(
            value for one in moved if (value := getattr(one, name)) is not None
        )
        for name in names
    }


def sentences(result: Result) -> list[str]:
    """The result for a person, the most important first."""
    gap = result.gap_ms
    what = f"{result.quiet_hours:.3g} hours" if result.quiet_hours else f"{result.rounds} rounds"
    if result.quiet_busy is not None:
        what += f" at {result.quiet_busy:.0%} CPU"
    if result.quiet_stolen:
        what += f" ({result.quiet_stolen:.0%} taken by the host)"
    lines = [
        f"{what}: doubled {result.duplicate_orders}, lost {result.lost_orders}, "
        f"unresolved {result.unresolved_orders} of {result.orders} orders",
    ]
    if gap.p50 is not None:
        lines.append(f"gap p50 {gap.p50:.0f} ms, p99 {gap.p99:.0f} ms, max {gap.max:.0f} ms")
    for kind, one in result.by_strike.items():
        told = one.gap_ms if one.gap_ms.p50 is not None else one.silence_ms
        measure = "gap" if one.gap_ms.p50 is not None else "silence"
        if told.p50 is not None:
            lines.append(
                f"  {kind}: {one.rounds} times, {measure} p50 {told.p50:.0f} ms, "
                f"max {told.max:.0f} ms"
            )
    lines.append(
        f"{result.stale_epoch_writes_refused} commits of deposed leaders refused, "
        f"{result.false_failovers} false failovers"
    )
    lines += [f"skipped: {why}" for why in result.skipped]
    lines += [f"{one.kind.value}: {one.what}: {one.detail}" for one in result.findings]
    lines += _first_wrong(result.each)
    if not result.settled:
        lines.append("it did not come to rest: something was still under way in the end")
    return lines


def _first_wrong(rounds: Sequence[Round]) -> list[str]:
    """Which rounds to look into, where anything was wrong before the end."""
    checks = (one.checked for one in rounds if one.checked is not None)
    bad = next((check for check in checks if check.is_wrong), None)
    if bad is None:
        return []
    struck = ", ".join(one.strike for one in rounds if bad.first <= one.number <= bad.last)
    return [f"first seen by the check of rounds {bad.first} to {bad.last} ({struck})"]
