"""Who takes what, and when: each rule by itself (the whole of them: tests/property)."""

from __future__ import annotations

import msgspec

from holdfast.cluster.election import FORGET_TTLS, UNDER_WAY_S, Election, Take
from holdfast.cluster.port import Claim, Member, Seen, View
from holdfast.cluster.timing import PROFILES
from tests.support.leases import member

TIMING = PROFILES["fast"]
POLL_NS, TTL_NS = round(TIMING.poll_s * 1e9), round(TIMING.ttl_s * 1e9)
LATE_NS = round(UNDER_WAY_S * 1e9)
STILL_MOVES = ((8, 0), (8, LATE_NS), (8, LATE_NS + POLL_NS), (9, LATE_NS + 2 * POLL_NS))
"""Renewals, and when after the first look: what makes a twin."""
HINT_NS = round(TIMING.hint_s * 1e9)
SIGHT_NS = round((TIMING.renew_s + TIMING.poll_s) * 1e9)
"""At most so long from one look to the next."""
T0 = 10**12

ME, A, B = member("me"), member("a", host="there"), member("b", host="there")


def runs(_member: Member) -> bool:
    return False


def ended(_member: Member) -> bool:
    return True


def of(*members: Member, renewals: int = 1, held_by: str = "", **claim: object) -> View:
    held = Claim("main", held_by, 3, **claim)  # type: ignore[arg-type]
    return View(tuple(Seen(one, renewals) for one in members), (held,))


def look_on(election: Election, view: View, since_ns: int, until_ns: int) -> list[Take]:
    """What it takes last of all, of one that looks as often as it should."""
    for at_ns in range(since_ns + POLL_NS, until_ns, POLL_NS):
        assert election.look(view, at_ns, runs) == []
    return election.look(view, until_ns, runs)


def first(*members: Member) -> str:
    """Boot id of the one whom the hash prefers for `main`."""
    def takes(me: Member) -> bool:
        election = Election(me, TIMING)
        election.look(of(*members, renewals=1), T0, runs)
        return bool(election.look(of(*members, renewals=2), T0, runs))

    (chosen,) = [one.boot_id for one in members if takes(one)]
    return chosen


def test_what_is_nobodys_is_taken_at_once_by_who_is_alone() -> None:
    view = of(ME)
    assert Election(ME, TIMING).look(view, T0, runs) == [Take(view.claims, None)]


def test_a_member_that_is_not_in_the_store_takes_nothing() -> None:
    assert Election(ME, TIMING).look(of(A), T0, runs) == []


def test_what_this_member_may_not_lead_is_left_alone() -> None:
    other = member("me", accounts=("other",))
    assert Election(other, TIMING).look(of(other), T0, runs) == []


def test_own_claims_are_never_taken() -> None:
    election = Election(ME, TIMING)
    assert election.look(of(ME, held_by="me"), T0, ended) == []
    assert election.look(of(ME, held_by="me"), T0 + 10 * TTL_NS, ended) == []


def test_a_member_that_stood_still_for_its_ttl_is_followed_and_not_before() -> None:
    election = Election(ME, TIMING)
    view = of(ME, A, held_by="a")
    assert election.look(view, T0, runs) == []
    assert look_on(election, view, T0, T0 + TTL_NS - 1) == []
    assert election.look(view, T0 + TTL_NS, runs) == [Take(view.claims, view.members[1])]


def test_time_in_which_nobody_could_look_is_not_silence() -> None:
    election, view = Election(ME, TIMING), of(ME, A, held_by="a")
    election.look(view, T0, runs)
    stalled_ns = T0 + 5 * TTL_NS  # this host without a processor, or the store without an answer
    assert election.look(view, stalled_ns, runs) == []
    left_ns = TTL_NS - SIGHT_NS
    assert look_on(election, view, stalled_ns, stalled_ns + left_ns - 1) == []
    assert election.look(view, stalled_ns + left_ns, runs) == [Take(view.claims, view.members[1])]


def test_who_can_look_only_now_and_then_follows_later_but_follows() -> None:
    election, view = Election(ME, TIMING), of(ME, A, held_by="a")
    looks = range(T0, T0 + 20 * TTL_NS, TTL_NS)
    took = [bool(election.look(view, at_ns, runs)) for at_ns in looks]
    assert took.index(True) == -(-TTL_NS // SIGHT_NS)


def test_a_session_lost_while_nobody_could_look_is_no_hint_yet() -> None:
    election, alive = Election(ME, TIMING), of(ME, A, held_by="a")
    lost = View((Seen(ME, 1), Seen(A, 1, is_connected=False)), alive.claims)
    election.look(alive, T0, runs)
    stalled_ns = T0 + TTL_NS
    assert election.look(lost, stalled_ns, runs) == []
    left_ns = HINT_NS - SIGHT_NS
    assert look_on(election, lost, stalled_ns, stalled_ns + left_ns - 1) == []
    assert election.look(lost, stalled_ns + left_ns, runs) == [Take(lost.claims, lost.members[1])]


def test_every_renewal_starts_the_wait_anew_also_one_that_goes_back() -> None:
    election = Election(ME, TIMING)
    election.look(of(ME, A, held_by="a", renewals=5), T0, runs)
    back = of(ME, A, held_by="a", renewals=4)
    assert election.look(back, T0 + TTL_NS, runs) == []
    assert look_on(election, back, T0 + TTL_NS, T0 + 2 * TTL_NS - 1) == []
    assert election.look(back, T0 + 2 * TTL_NS, runs)


def test_a_process_proven_gone_on_this_host_is_followed_at_once() -> None:
    here = member("a")
    view = of(ME, here, held_by="a")
    assert Election(ME, TIMING).look(view, T0, ended) == [Take(view.claims, view.members[1])]


def test_process_ids_of_another_host_prove_nothing() -> None:
    assert Election(ME, TIMING).look(of(ME, A, held_by="a"), T0, ended) == []


def test_a_lost_session_counts_only_with_renewals_that_stand_still() -> None:
    election = Election(ME, TIMING)
    gone = View(
        (Seen(ME, 1), Seen(A, 1, is_connected=False)), of(ME, A, held_by="a").claims
    )  # fmt: skip
    assert election.look(gone, T0, runs) == []
    assert look_on(election, gone, T0, T0 + HINT_NS - 1) == []
    assert election.look(gone, T0 + HINT_NS, runs) == [Take(gone.claims, gone.members[1])]


def test_a_claim_of_nobody_who_is_there_is_taken_after_a_ttl_of_standing_so() -> None:
    election = Election(ME, TIMING)
    view = of(ME, held_by="written by hand")
    assert election.look(view, T0, runs) == []
    assert look_on(election, view, T0, T0 + TTL_NS - 1) == []
    assert election.look(view, T0 + TTL_NS, runs) == [Take(view.claims, None)]


def test_such_a_claim_that_changes_is_waited_for_again() -> None:
    election = Election(ME, TIMING)
    election.look(of(ME, held_by="by hand"), T0, runs)
    assert election.look(of(ME, held_by="by another hand"), T0 + TTL_NS, runs) == []


def test_of_two_that_live_one_takes_at_once_and_the_other_at_its_next_look() -> None:
    here = member("a")
    chosen = first(ME, here)
    for me in (ME, here):
        election = Election(me, TIMING)
        election.look(of(ME, here, renewals=1, held_by="a"), T0, runs)
        view = of(ME, here, renewals=2)
        assert bool(election.look(view, T0 + POLL_NS, runs)) is (me.boot_id == chosen)
        assert election.look(view, T0 + 2 * POLL_NS, runs)


def test_nobody_waits_for_a_member_that_was_never_seen_to_move() -> None:
    for me in (ME, A):
        assert Election(me, TIMING).look(of(ME, A), T0, runs)


def test_nobody_waits_for_the_dead() -> None:
    others = [member(f"n{number}", host="there") for number in range(8)]
    election = Election(ME, TIMING)
    election.look(of(ME, *others, renewals=1, held_by="n0"), T0, runs)
    election.look(of(ME, *others, renewals=2, held_by="n0"), T0 + POLL_NS, runs)
    held = of(ME, *others, renewals=2, held_by="n0")
    assert look_on(election, held, T0 + POLL_NS, T0 + POLL_NS + TTL_NS)


def test_a_planned_successor_comes_first() -> None:
    for wanted in ("me", "a"):
        election = Election(ME, TIMING)
        election.look(of(ME, A, renewals=1, held_by="a"), T0, runs)
        view = of(ME, A, renewals=2, wanted=wanted)
        assert bool(election.look(view, T0 + POLL_NS, runs)) is (wanted == "me")


def test_accounts_spread_over_members() -> None:
    accounts = tuple(f"account{number}" for number in range(60))
    members = [member(f"n{number}", accounts=accounts) for number in range(3)]
    claims = tuple(Claim(account, "", 0) for account in accounts)
    shares = []
    for me in members:
        election = Election(me, TIMING)
        held = tuple(msgspec.structs.replace(claim, boot_id="n0") for claim in claims)
        election.look(View(tuple(Seen(one, 1) for one in members), held), T0, runs)
        view = View(tuple(Seen(one, 2) for one in members), claims)
        shares.append({c.account for take in election.look(view, T0, runs) for c in take.claims})
    assert sorted(account for share in shares for account in share) == sorted(accounts)
    assert min(map(len, shares)) >= 10


def test_what_several_dead_members_held_is_asked_for_by_holder() -> None:
    accounts = ("one", "two", "three")
    me = member("me", accounts=accounts)
    members = (Seen(me, 1), Seen(A, 1), Seen(B, 1))
    claims = (Claim("one", "a", 1), Claim("three", "b", 1), Claim("two", "a", 1))
    election = Election(me, TIMING)
    election.look(View(members, claims), T0, runs)
    takes = look_on(election, View(members, claims), T0, T0 + TTL_NS)
    assert takes == [Take((claims[0], claims[2]), members[1]), Take((claims[1],), members[2])]


def test_a_twin_is_another_member_of_this_name_that_was_here_before_and_still_renews() -> None:
    other = member("old", node="me", pid=2)
    younger, older = Election(ME, TIMING), Election(other, TIMING)

    def at(old: int, new: int) -> View:
        return View((Seen(ME, new), Seen(other, old)), ())

    for election in (younger, older):
        election.look(at(old=8, new=0), T0, runs)
        assert election.twin(at(old=8, new=0), runs) is None  # what a killed node left behind?
        for later_ns in (LATE_NS, LATE_NS + POLL_NS):
            election.look(at(old=8, new=0), T0 + later_ns, runs)
        election.look(at(old=9, new=1), T0 + LATE_NS + 2 * POLL_NS, runs)
    assert younger.twin(at(old=9, new=1), runs) == other
    assert older.twin(at(old=9, new=1), runs) is None


def test_renewals_of_a_host_that_lost_its_power_make_no_twin_of_what_it_runs_now() -> None:
    """The store may carry them out after the next node has looked, and nothing proves them gone."""
    before = member("old", node="me", pid=2, host="the same machine, another boot")
    election = Election(ME, TIMING)
    for renewals, later_ns in ((86, 0), (87, POLL_NS), (88, LATE_NS - 1), (88, 2 * LATE_NS)):
        view = View((Seen(ME, 0), Seen(before, renewals)), ())
        election.look(view, T0 + later_ns, runs)
        assert election.twin(view, runs) is None


def test_a_renewal_that_came_while_nobody_looked_makes_no_twin() -> None:
    """The store was away, or this process stood still: it may have come right after a look."""
    other = member("old", node="me", pid=2, host="elsewhere")
    gap_ns = LATE_NS + POLL_NS
    looks = [
        (86, 0, None), (87, gap_ns, None), (88, 2 * gap_ns, None),
        (88, 2 * gap_ns + POLL_NS, None), (89, 2 * gap_ns + 2 * POLL_NS, other),
    ]  # fmt: skip
    election = Election(ME, TIMING)
    for renewals, later_ns, twin in looks:
        view = View((Seen(ME, 0), Seen(other, renewals)), ())
        election.look(view, T0 + later_ns, runs)
        assert election.twin(view, runs) == twin, later_ns


def test_what_an_earlier_keeper_of_this_process_left_on_its_way_makes_it_no_twin() -> None:
    election = Election(ME, TIMING)
    for renewals, later_ns in STILL_MOVES:  # the last one came after that keeper had ended
        view = View((Seen(ME, 0), Seen(member("old", node="me"), renewals)), ())
        election.look(view, T0 + later_ns, runs)
    assert election.twin(view, runs) is None


def test_only_of_this_host_is_it_known_that_a_namesake_has_ended() -> None:
    killed = member("old", node="me", pid=2, host=ME.host)
    elsewhere = member("other", node="me", pid=3, host="elsewhere")
    for other, twin in ((killed, None), (elsewhere, elsewhere)):
        election = Election(ME, TIMING)
        for renewals, later_ns in STILL_MOVES:
            view = View((Seen(ME, 0), Seen(other, renewals)), ())
            election.look(view, T0 + later_ns, ended)
        assert election.twin(view, ended) == twin


def test_a_member_of_another_name_is_no_twin() -> None:
    election = Election(ME, TIMING)
    for renewals, later_ns in STILL_MOVES:
        election.look(of(ME, A, renewals=renewals), T0 + later_ns, runs)
    assert election.twin(of(ME, A, renewals=9), runs) is None


def test_dead_members_that_hold_nothing_are_to_be_forgotten_after_a_while() -> None:
    election = Election(ME, TIMING)
    view = of(ME, A, B, held_by="a")
    election.look(view, T0, runs)
    late_ns = T0 + FORGET_TTLS * TTL_NS
    assert election.forgettable(view, late_ns - 1, runs) == []
    assert [seen.member for seen in election.forgettable(view, late_ns, runs)] == [B]


def test_who_is_proven_gone_and_holds_nothing_is_forgotten_at_once() -> None:
    election = Election(ME, TIMING)
    here = member("here")
    view = of(ME, here, A, held_by="a")
    election.look(view, T0, ended)
    assert [seen.member for seen in election.forgettable(view, T0, ended)] == [here]


def test_who_lives_is_who_moved_and_did_not_stop_again() -> None:
    election = Election(ME, TIMING)
    election.look(of(ME, A, renewals=1), T0, runs)
    assert election.live(of(ME, A, renewals=1), T0, runs) == {"me"}
    moved = of(ME, A, renewals=2)
    election.look(moved, T0, runs)
    assert election.live(moved, T0 + TTL_NS - 1, runs) == {"me", "a"}
    assert election.live(moved, T0 + TTL_NS, runs) == {"me"}
