"""Which rounds of a chaos run a comparison with the exchange covers, and what it says of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from holdfast.app.chaos.checks import SHARE_OF_ROUNDS, Checks
from holdfast.app.chaos.result import Checked
from holdfast.app.demo.audit import Audit, Finding, Kind
from tests.support.exchange import on_loop

LOST = Finding(Kind.LOST, "7", "the journal has no row")


class Compared:
    """An account whose comparisons take as long, and find, what a test says."""

    def __init__(self) -> None:
        self.name = "main"
        self.replica = SimpleNamespace(is_whole=True)
        self.checker = self
        self.last: Audit | None = None
        self.wrong: dict[Finding, None] = {}
        self.now_s = 100.0
        self.takes_s = 0.01
        self.next: dict[str, Any] = {}

    async def check(self, _patience_ns: int) -> Audit:
        self.now_s += self.takes_s
        said = {"unresolved": (), "findings": (), **self.next}
        self.last = Audit(at_ns=1, orders=1, executions=0, late=0, compared_money=True, **said)
        return self.last


def checks_of(account: Any, early: int = 0) -> Checks:
    return Checks([account], lambda: early, lambda _: None, lambda: float(account.now_s))


def clean(first: int, last: int) -> Checked:
    return Checked(
        first=first, last=last, duplicate_orders=0, lost_orders=0, unresolved_orders=0, findings=0
    )


@on_loop
async def test_each_round_is_compared_while_that_costs_little() -> None:
    account = Compared()
    checks = checks_of(account)
    for number in (1, 2, 3):
        assert await checks.after(number) == clean(number, number)
        account.now_s += 5


@on_loop
async def test_one_that_was_put_off_is_covered_by_the_next_that_is_made() -> None:
    account = Compared()
    checks = checks_of(account)
    account.takes_s = 12 * SHARE_OF_ROUNDS
    assert await checks.after(1) == clean(1, 1)
    account.now_s += 5
    assert await checks.after(2) is None
    account.now_s += 5
    assert await checks.after(3) == clean(2, 3)


@on_loop
async def test_what_a_comparison_found_is_told_with_its_rounds_also_when_it_is_gone_later() -> None:
    account = Compared()
    checks = checks_of(account)
    account.next = {"findings": (LOST,), "unresolved": ("8", "9")}
    account.wrong[LOST] = None
    found = await checks.after(1)
    assert found is not None
    assert (found.lost_orders, found.unresolved_orders, found.findings) == (1, 2, 1)
    account.now_s, account.next = account.now_s + 5, {}
    found = await checks.after(2)
    assert found is not None
    assert (found.lost_orders, found.unresolved_orders, found.findings) == (1, 0, 1)


@on_loop
async def test_a_journal_that_was_not_read_to_its_end_gives_no_verdict() -> None:
    account = Compared()
    checks = checks_of(account)
    account.replica.is_whole, account.next = False, {"findings": (LOST,)}
    assert await checks.after(1) is None
    account.replica.is_whole, account.next = True, {}
    account.now_s += 5
    assert await checks.after(2) == clean(1, 2)


@on_loop
async def test_a_byte_that_left_before_its_row_is_a_finding_of_its_round() -> None:
    found = await checks_of(Compared(), early=1).after(1)
    assert found is not None
    assert found.findings == 1
