"""What a reply to a new order or a cancel proves: an allow-list, and *unknown* for all the rest.

Lives here: the table of definite refusals and the two digests, pure functions of (status, body).
Not here: sending and replies that never came (client), what to do in doubt (execution). The reasons
stand in `docs/adr/0006-native-binance.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.venues.binance import decode
from holdfast.venues.port import Answer, Verdict

# Refusals of a new order that the exchange documents as such. The value says whether the refusal is
# final: whether it would have been given to *every* copy of the same signed bytes, so that no copy
# duplicated on the way can have executed. True only where the bytes and the key alone decide;
# anything that can differ between two copies (balance, book, filters, clock, key, load) is False.
REFUSALS: Final[dict[int, bool]] = {
    -1002: False,  # not authorised
    -1003: False,  # too much request weight, or banned: refused at the gate
    -1010: False,  # the engine's refusal, in words
    -1013: False,  # a filter; filters and the prices they look at change
    -1014: False,  # this kind of order is not offered, for now
    -1015: False,  # too many orders
    -1020: False,  # operation not supported, for now
    -1021: False,  # this copy came late (or early); another may have come in time
    -1022: True,  # signature
    -1100: True,  # illegal characters
    -1101: True,  # too many parameters
    -1102: True,  # mandatory parameter missing
    -1103: True,  # unknown parameter
    -1104: True,  # not all parameters were read
    -1105: True,  # parameter empty
    -1106: True,  # parameter not required
    -1108: True,  # parameter overflows
    -1111: False,  # too much precision, by the asset's settings
    -1112: False,  # no orders on the book
    -1114: True,  # timeInForce not required
    -1115: True,  # invalid timeInForce
    -1116: True,  # invalid orderType
    -1117: True,  # invalid side
    -1118: True,  # client order id empty
    -1121: False,  # invalid symbol: listings change
    -1128: True,  # invalid combination of optional parameters
    -1130: True,  # invalid data for a parameter
    -1131: True,  # recvWindow too large
    -1158: True,  # this order type is not offered in a list
    -1165: True,  # a list that buys: its limit belongs below
    -1166: True,  # a list that sells: its limit belongs above
    -1168: True,  # a list of two limits
    -1196: True,  # a list that buys: its stop belongs above
    -1197: True,  # a list that sells: its stop belongs below
    -1198: True,  # a list that buys: its take-profit belongs below
    -1199: True,  # a list that sells: its take-profit belongs above
    -2010: False,  # refused by the engine: balance, book, account
    -2014: True,  # key of a wrong format
    -2015: False,  # key, address or permission: a key can be revoked between two copies
    -2016: False,  # no trading window
}

# Statuses under which the body's code is believed. 403 (firewall), 409 and all 5xx are not among
# them: there the exchange itself says that the outcome is unknown, or somebody else is speaking.
_SPEAKING: Final = frozenset({400, 401, 418, 429})

# The key is none, is worth nothing (any more) from here, or its secret belongs to another one.
KEY_REFUSED: Final = frozenset({"-2014", "-2015", "-1022"})

THROTTLED: Final = frozenset({418, 429})
CLOSED: Final = -1016  # "This service is no longer available."

# Codes under which the engine's words arrive.
_FROM_THE_ENGINE: Final = frozenset({-1010, -2010})

_NO_SUCH_ORDER: Final = "unknown order sent"
_DUPLICATE: Final = "duplicate order sent"


def held_back(wait_s: float) -> Verdict:
    """What the rate budget kept here, for so long."""
    return Verdict(
        answer=Answer.NOT_SENT,
        code="rate_budget",
        is_throttled=True,
        evidence=f"the rate budget has room again in {wait_s:.3f} s",
    )


def digest_placement(
    status: int, body: bytes, *, cid: str, symbol: str, names: Mapping[str, str]
) -> Verdict:
    """What the reply to the new order `cid` proves.

    Args:
        symbol: the unified symbol that was asked for.
        names: venue symbol to unified symbol.
    """
    return digest_list(status, body, cids=(cid,), symbol=symbol, names=names)


def digest_list(
    status: int, body: bytes, *, cids: tuple[str, ...], symbol: str, names: Mapping[str, str]
) -> Verdict:
    """What the reply to a new order list proves of all of its orders: a list is taken whole.

    Args:
        cids: of its orders, each of which an acceptance must name.
        symbol, names: as `digest_placement`.
    """
    if 200 <= status < 300:
        return _accepted(status, body, cids, symbol, names)
    refusal = decode.refusal(body)
    if status not in _SPEAKING or refusal is None:
        return _unknown(status, body, refusal)
    if refusal.code in _FROM_THE_ENGINE and _says(refusal, _DUPLICATE):
        return Verdict(answer=Answer.EXISTS, code=str(refusal.code), evidence=refusal.msg)
    final = REFUSALS.get(refusal.code)
    if final is None:
        return _unknown(status, body, refusal)
    return _rejected(status, refusal, final=final)


def digest_cancel(
    status: int, body: bytes, *, target: str, symbol: str, names: Mapping[str, str]
) -> Verdict:
    """What the reply to the cancel of the order `target` proves, and of the others of its list."""
    if 200 <= status < 300:
        return _accepted(status, body, (target,), symbol, names)
    refusal = decode.refusal(body)
    if status not in _SPEAKING or refusal is None:
        return _unknown(status, body, refusal)
    if refusal.code == -2011:
        if _says(refusal, _NO_SUCH_ORDER):
            return Verdict(answer=Answer.ABSENT, code="-2011", evidence=refusal.msg)
        return _rejected(status, refusal, final=False)
    if refusal.code not in REFUSALS:
        return _unknown(status, body, refusal)
    return _rejected(status, refusal, final=REFUSALS[refusal.code])


def _accepted(
    status: int, body: bytes, cids: tuple[str, ...], symbol: str, names: Mapping[str, str]
) -> Verdict:
    """ACKED when the reply tells of each of `cids`; with what it tells of others beside them."""
    try:
        reports = decode.reports(body, names)
    except decode.GarbledError as error:
        return Verdict(answer=Answer.UNKNOWN, code=str(status), evidence=str(error))
    named = {report.cid: report for report in reports if report.symbol == symbol}
    if not named.keys() >= set(cids):
        told = ", ".join(f"{report.symbol} {report.cid!r}" for report in reports) or "no order"
        asked = ", ".join(repr(cid) for cid in cids)
        return Verdict(
            answer=Answer.UNKNOWN,
            code=str(status),
            evidence=f"the reply names {told}, asked was {symbol} {asked}",
        )
    first, *others = [named.pop(cid) for cid in cids]
    return Verdict(
        answer=Answer.ACKED,
        code=str(status),
        evidence=", ".join(report.state for report in (first, *others)),
        report=first,
        others=(*others, *named.values()),
    )


def _rejected(status: int, refusal: decode.Refusal, *, final: bool) -> Verdict:
    return Verdict(
        is_throttled=status in THROTTLED,
        answer=Answer.REJECTED,
        code=str(refusal.code),
        evidence=f"HTTP {status}: {refusal.msg}",
        final=final,
    )


def _unknown(status: int, body: bytes, refusal: decode.Refusal | None) -> Verdict:
    if refusal is not None:
        return Verdict(
            answer=Answer.UNKNOWN,
            code=str(refusal.code),
            evidence=f"HTTP {status}: {refusal.msg}",
            in_maintenance=refusal.code == CLOSED,
        )
    return Verdict(
        answer=Answer.UNKNOWN, code=str(status), evidence=f"HTTP {status}: {body[:200]!r}"
    )


def _says(refusal: decode.Refusal, words: str) -> bool:
    return refusal.msg.strip().rstrip(".").casefold() == words
