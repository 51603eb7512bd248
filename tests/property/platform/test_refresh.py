"""Refresh tokens under any order of uses by two who both have the first one."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal.platform_sqlite import SqlitePlatform
from holdfast.platform.identity import sessions, users
from holdfast.platform.identity.sessions import LOST_ANSWER_S, Method, Refusal, SessionRow
from holdfast.platform.identity.values import Caller, Role
from holdfast.platform.port import Change, PlatformStore
from tests.support.identity import S

HOLDERS = ("owner", "thief")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(HOLDERS),
        st.booleans(),  # whether the answer is lost on its way
        st.sampled_from((0, 1, LOST_ANSWER_S, LOST_ANSWER_S + 1, 290)),
    ),
    max_size=14,
)


def found(store: PlatformStore, session_id: str) -> SessionRow:
    session = store.look(lambda look: sessions.find(look, session_id))
    assert session is not None
    return session


@settings(max_examples=60)
@given(STEPS)
def test_two_never_go_on_with_one_session(steps: list[tuple[str, bool, int]]) -> None:
    """As long as it goes on, one token is good; and who brings a void one ends it for both."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqlitePlatform(Path(folder) / "journal.db")) as store,
    ):
        now_ns = 1_800_000_000 * S

        def begin(change: Change) -> tuple[str, str]:
            user = users.add(change, "ana", Role.VIEWER, (), by="test", now_ns=now_ns)
            caller = Caller("127.0.0.1")
            row, token = sessions.begin(change, user, Method.PASSWORD, caller, now_ns)
            return row.session_id, token

        session_id, first = store.change(begin)
        held = dict.fromkeys(HOLDERS, first)
        for holder, is_lost, wait_s in steps:
            now_ns += wait_s * S
            rotated = store.change(lambda change: sessions.rotate(change, held[holder], now_ns))  # noqa: B023
            unused = store.look(
                lambda look: look.rows("SELECT hash FROM refresh_token WHERE used_ns = 0")
            )
            if isinstance(rotated, Refusal):
                assert rotated is Refusal.REUSE
                assert found(store, session_id).ended_ns
                break
            assert len(unused) == 1
            if not is_lost:
                held[holder] = rotated[1]
        goes_on = not found(store, session_id).ended_ns
        if goes_on and held["owner"] != held["thief"]:  # only one of them can use his
            now_ns += (LOST_ANSWER_S + 1) * S
            answers = [
                store.change(lambda change, h=h: sessions.rotate(change, held[h], now_ns))  # type: ignore[misc]
                for h in HOLDERS
            ]
            assert any(isinstance(answer, Refusal) for answer in answers)
            assert found(store, session_id).ended_ns
