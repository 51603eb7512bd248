"""How often somebody may fail to prove who he is, counted in the database for all processes.

Failures are counted for a name from one address, for an address, and for a name from anywhere, each
with a number that is free; after that each one doubles the wait. What others tried under a name
holds up neither a sign-in from where he was let in lately nor who is in already: else anybody could
shut him out for as long as he likes. Not here: limits on requests of any kind (api).
"""

from __future__ import annotations

from typing import Final

from holdfast.platform.identity.values import ThrottledError
from holdfast.platform.port import Change, Look

LONGEST_WAIT_S: Final = 900
FORGOTTEN_AFTER_S: Final = 3600
"""Without a failure for so long, counting begins anew."""

_S: Final = 1_000_000_000
_FREE_PAIR: Final = 5
_FREE_ADDRESS: Final = 30
_FREE_NAME: Final = 100
_FREE_WITHIN: Final = 30


def require_free(
    look: Look, name: str, address: str, now_ns: int, *, within: str = "", is_usual: bool = False
) -> None:
    """Let a try pass, or not yet.

    Args:
        within: what he is in already, such as a session; counted instead of the name, so that a
            thief of it cannot guess from ever new addresses.
        is_usual: he was let in from this address lately, so the name is not looked at.

    Raises:
        ThrottledError
    """
    waits_ns = [0]
    for who in _counted(name, address, within):
        if is_usual and who == _anywhere(name):
            continue
        row = look.row("SELECT until_ns FROM sign_in_throttle WHERE who = ?", who)
        # A clock that was ahead when it failed must not shut anybody out for longer.
        waits_ns.append(min(row[0] - now_ns, LONGEST_WAIT_S * _S) if row else 0)
    wait_ns = max(waits_ns)
    if wait_ns > 0:
        wait_s = -(-wait_ns // _S)
        raise ThrottledError(
            "throttled",
            f"seen: too many tries that failed; expected: none for {wait_s} s; do: wait",
            wait_s,
        )


def failed(change: Change, name: str, address: str, now_ns: int, *, within: str = "") -> None:
    """Count a failure; `within` as in `require_free`."""
    for who, free in _counted(name, address, within).items():
        row = change.row("SELECT failures, last_ns FROM sign_in_throttle WHERE who = ?", who)
        stands = row is not None and now_ns - row[1] < FORGOTTEN_AFTER_S * _S
        failures = (row[0] if row is not None and stands else 0) + 1
        wait_s = min(2 ** min(failures - free, 20), LONGEST_WAIT_S) if failures >= free else 0
        change.run(
            "INSERT INTO sign_in_throttle (who, failures, last_ns, until_ns) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (who) DO UPDATE SET failures = excluded.failures, "
            "last_ns = excluded.last_ns, until_ns = excluded.until_ns",
            who, failures, now_ns, now_ns + wait_s * _S if wait_s else 0,
        )  # fmt: skip


def succeeded(change: Change, name: str, address: str, *, within: str = "") -> None:
    """Forget his failures from there and within; what others tried goes on being counted."""
    for who in (_pair(name, address), *([_within(within)] if within else [])):
        change.run("DELETE FROM sign_in_throttle WHERE who = ?", who)


def forget_old(change: Change, now_ns: int) -> None:
    """Drop what counts no more."""
    change.run(
        "DELETE FROM sign_in_throttle WHERE last_ns < ?", now_ns - 2 * FORGOTTEN_AFTER_S * _S
    )


def _counted(name: str, address: str, within: str) -> dict[str, int]:
    """What is counted, with how many failures are free; without a name the address alone."""
    counted = {f"address {address}": _FREE_ADDRESS}
    if name:
        counted[_pair(name, address)] = _FREE_PAIR
    if within:
        counted[_within(within)] = _FREE_WITHIN
    elif name:
        counted[_anywhere(name)] = _FREE_NAME
    return counted


def _anywhere(name: str) -> str:
    return f"name {name}"


def _within(within: str) -> str:
    return f"within {within}"


def _pair(name: str, address: str) -> str:
    return f"pair {name} {address}"
