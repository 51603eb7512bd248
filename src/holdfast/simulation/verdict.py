"""The verdict at the end of a run: everything the journal says against everything that happened.

Not here: what is checked while it happens (checker).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from holdfast.app.demo.audit import Finding, Kind, audit
from holdfast.app.demo.evidence import Ledger, SignedRequest
from holdfast.app.demo.told import Told
from holdfast.errors import CorruptionError
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.simulation.checker import Checker
from holdfast.simulation.clock import FIRST_S, WORLD
from holdfast.simulation.exchange import SimExchange
from holdfast.simulation.node import SimNode
from holdfast.simulation.sharing import PRICES
from holdfast.simulation.store import Backend

LIVELY_S = 15.0
"""So long after the last fault somebody must have armed something again: a doubt of the last moment
may hold a symbol for 14 s."""

_INVARIANT = {
    Kind.DUPLICATE: "I1", Kind.LOST: "I6", Kind.RESENT: "I4", Kind.DIFFERENCE: "I6",
}


def judge(
    checker: Checker, exchange: SimExchange, nodes: list[SimNode], backend: Backend,
    settle_s: float, *, is_restless: bool = True,
) -> None:
    """Compare, and note what is wrong. Everything must have come to rest.

    Args:
        is_restless: bots wish something else all the time; the others need not order anything.
    """
    # One who was replaced and has not written since does not know it yet, and does no harm.
    leaders = [
        node
        for node in nodes
        if node.trader is not None and node.trader.stream.writer.head.epoch == checker.epoch
    ]
    if len(leaders) != 1:
        checker.violate("I9", f"{len(leaders)} nodes trade when all is well")
    state = leaders[0].trader.account if leaders and leaders[0].trader else None
    told = checker.told
    found = audit(
        msgspec.convert(exchange.ledger(), Ledger),
        told,
        api_key=exchange.account.api_key,
        requests=[_signed(record) for record in exchange.requests],
        state=state,
    )
    wrong = _unexcused(checker, found.findings) if checker.breaks else found.findings
    for finding in wrong:
        checker.violate(_INVARIANT[finding.kind], f"{finding.what}: {finding.detail}", finding.what)
    for cid in found.unresolved:
        checker.violate("I6", f"nobody knows what became of it after {settle_s:g} s of calm", cid)
    _folds_agree(checker, state, backend)
    _lively(checker, settle_s if is_restless else None)
    _protected(checker, exchange)
    if not checker.breaks:
        for what in checker.shared.misattributed(checker.fold, is_meddled=checker.is_meddled):
            checker.violate("I6", what)


def _unexcused(checker: Checker, findings: Iterable[Finding]) -> Iterator[Finding]:
    """What no broken assumption explains; I13: it may do harm, but never in silence.

    Each double has to have an alarm of its own. What is lost is excused of these orders only, and
    balances that differ where people know of it; no assumption sends a request twice.
    """
    told = checker.told
    alarmed = {_intent(told, cid) for cid in told.ghosts}
    doubled = {each.what: None for each in findings if each.kind is Kind.DUPLICATE}
    broken = {_intent(told, cid) for cid in doubled}
    for cid in doubled:
        if _intent(told, cid) not in alarmed:
            checker.violate("I13", "doubled, and nobody was told", cid)
    if doubled and not checker.fold.halted:
        checker.violate("I13", f"{len(doubled)} orders doubled, and trading goes on")
    is_known = checker.has_disagreed and bool(checker.fold.halted)
    for finding in findings:
        of_money = finding.kind is Kind.DIFFERENCE and finding.what.startswith("balance of ")
        is_theirs = finding.kind is Kind.LOST and _intent(told, finding.what) in broken
        if finding.kind is not Kind.DUPLICATE and not (is_known and (of_money or is_theirs)):
            yield finding


def _intent(told: Told, cid: str) -> str:
    attempt = told.attempts.get(cid)
    return attempt.armed.intent_id if attempt is not None else cid


def _folds_agree(checker: Checker, state: AccountState | None, backend: Backend) -> None:
    """I11: a fold that was begun again and again is the one that never was."""
    anew = AccountState()
    try:
        for record in backend.store.read(checker.fold.account or "main"):
            apply(anew, record.seq, record.epoch, record.at_ns, record.fact)
    except CorruptionError as error:
        checker.violate("I11", f"the stored stream cannot be folded: {error}")
        return
    if anew != checker.fold:
        checker.violate("I11", "the stored stream folds to something else than what was committed")
    if state is not None and state != anew:
        differing = [
            name
            for name in AccountState.__struct_fields__
            if getattr(state, name) != getattr(anew, name)
        ]
        checker.violate("I11", f"the leader's fold differs in {', '.join(differing)}")


def _lively(checker: Checker, settle_s: float | None) -> None:
    """I9: when all is well again, each bot arms orders again, unless its limits or want of money
    hold it up."""
    stopped = [name for name, bot in checker.fold.bots.items() if not bot.running]
    for name in stopped:
        failed = checker.fold.bots[name].failed
        checker.violate("I9", f"bot {name} does not run: {failed or 'nobody said why'}")
    if checker.fold.halted and not checker.breaks:
        checker.violate("I9", f"still halted: {checker.fold.halted}")
    if checker.fold.halted or stopped or settle_s is None:
        return
    since_s = WORLD.now_s - settle_s + LIVELY_S
    for name in checker.fold.bots:
        armed_s = checker.armed_s.get(name, FIRST_S)
        if armed_s < since_s and not checker.waits(name):
            checker.violate("I9", f"{name} armed nothing for {WORLD.now_s - armed_s:.1f} s of calm")


def _protected(checker: Checker, exchange: SimExchange) -> None:
    """I14: what is wished is held, and where that has a stop, it is at the exchange."""
    fold = checker.fold
    if checker.breaks or fold.halted or fold.quarantine:
        return
    smallest = {
        each.symbol: 2 * each.smallest_order(exchange.price(each.symbol))
        for each in exchange.desk.exchange.instruments
    }
    for what in checker.wishes.unprotected(exchange.account.open_orders.values(), smallest):
        checker.violate("I14", what)
    for bot, leg, what in checker.wishes.unmet(smallest):
        price = exchange.last_price(leg.symbol) * PRICES
        if not (checker.waits(bot) or checker.is_beyond(bot, leg, price)):
            checker.violate("I14", what)


def _signed(record: object) -> SignedRequest:
    return msgspec.convert(
        {
            "method": record.method,  # type: ignore[attr-defined]
            "path": record.path,  # type: ignore[attr-defined]
            "params": dict(record.params),  # type: ignore[attr-defined]
            "apiKey": record.api_key,  # type: ignore[attr-defined]
            "copy": record.copy,  # type: ignore[attr-defined]
        },
        SignedRequest,
    )
