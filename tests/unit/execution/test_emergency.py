"""The file of an emergency, and what the journal makes of it when it is back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import EmergencyMerged, Filled, Halted, Liquidated
from holdfast.domain.order import IdKind, OrderState, Side, client_order_id
from holdfast.errors import CorruptionError
from holdfast.execution.emergency import EmergencyFile, Line
from holdfast.venues.port import Balance
from tests.support.exchange import on_loop
from tests.support.execution_world import TAG, fill, report, world

SOLD = client_order_id(
    tag=TAG, account="main", generation=0, intent_id="x", n=1, kind=IdKind.EMERGENCY
)


def test_what_was_cut_off_in_the_midst_of_a_line_was_never_sent_and_is_cut_away(
    tmp_path: Path,
) -> None:
    file = EmergencyFile(tmp_path / "deep" / "main.emergency")
    assert file.lines() == []
    file.append(Line(what="sell", cid="a", by="ana"))
    with file.path.open("ab") as torn:
        torn.write(b'{"what":"sell","cid":"b"')
    assert [line.cid for line in file.lines()] == ["a"]
    file.append(Line(what="told", cid="a"))
    assert [line.what for line in file.lines()] == ["sell", "told"]


def test_a_damaged_line_is_told_and_not_passed_over(tmp_path: Path) -> None:
    file = EmergencyFile(tmp_path / "main.emergency")
    file.append(Line(what="sell", cid="a"))
    file.path.write_bytes(b"?" + file.path.read_bytes())
    file.path.write_bytes(file.path.read_bytes() + b'{"what":"told"}\n')
    with pytest.raises(CorruptionError, match="cannot be read"):
        file.lines()


def test_it_is_merged_once_with_a_halt_and_a_later_emergency_again(tmp_path: Path) -> None:
    file = EmergencyFile(tmp_path / "main.emergency")
    assert file.merge_facts() == ()
    file.append(Line(what="cancel", cid="c", target="t", by="ana"))
    file.append(Line(what="sell", cid="a", by="ana"))
    file.append(Line(what="told", cid="a"))
    merged, halted = file.merge_facts()
    assert merged == EmergencyMerged(by="ana", cids=("c", "a"))
    assert isinstance(halted, Halted)
    assert "by ana" in halted.reason
    file.append(Line(what="merged"))
    assert file.merge_facts() == ()
    file.append(Line(what="sell", cid="b", by="bob"))
    assert file.merge_facts()[0] == EmergencyMerged(by="bob", cids=("b",))


@pytest.mark.parametrize("policy", list(ReconcilePolicy))
@on_loop
async def test_a_sale_of_an_emergency_is_booked_off_its_bot_and_halts_whatever_the_policy(
    policy: ReconcilePolicy,
) -> None:
    """Also without the file: the exchange's word is the evidence."""
    at = await world(policy)
    bought = await at.arm(1)
    await at.books.report(report(bought, fills=(fill(5, cid=bought.cid),)), "reply")
    sale = msgspec.structs.replace(fill(6, "8", side=Side.SELL), price=Decimal(97))
    at.venue.trades = [fill(5), sale]
    told = report(at.attempt(2, side=Side.SELL), OrderState.FILLED, order_id="8")
    at.venue.owners["BTC/USDT", "8"] = msgspec.structs.replace(told, cid=SOLD)
    at.venue.held = {"USDT": Balance("USDT", Decimal(997), Decimal(0))}
    await at.reborn().reconciler.at_start()
    position = at.account.bots["bot"].positions["BTC/USDT"]
    assert position.quantity == 0
    assert position.pnl(Decimal(1)) == -3, "bought at 100, sold at 97"
    assert at.account.holdings == {"BTC": Decimal(0), "USDT": Decimal(997)}
    assert [f.bot for f in at.of_kind(Filled)] == ["bot", ""]
    assert [f.bot for f in at.of_kind(Liquidated)] == ["bot"]
    assert at.account.halted.startswith(f"emergency sale {SOLD}")
    await at.reborn().reconciler.at_start()
    assert len(at.of_kind(Liquidated)) == 1, "once, however often it is seen"
