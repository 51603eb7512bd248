"""Lines of a run's timeline, for people.

Not here: which lines there are, and how many are kept (checker).
"""

from __future__ import annotations

from typing import Any

from holdfast.domain.fact import AnyFact
from holdfast.exchange.traffic import Call


def cids_of(fact: AnyFact) -> tuple[str, ...]:
    """The client order ids that a fact is about."""
    found: list[str] = []
    for name in ("cid", "target", "list_cid"):
        value: Any = getattr(fact, name, "")
        if isinstance(value, str) and len(value) == 32:
            found.append(value)
    if (fill := getattr(fact, "fill", None)) is not None:
        found.append(fill.cid)
    return tuple(found)


def heard(call: Call) -> str:
    """A request, as the exchange reads it."""
    shown = " ".join(
        f"{name}={value}" for name, value in sorted(call.params.items()) if name != "signature"
    )
    return f"exchange hears {call.method} {call.path} {shown}"


def told_of(seq: int, fact: bytes) -> str:
    """A record."""
    return f"journal {seq} {shown_of(fact)}"


def shown_of(fact: bytes) -> str:
    """An encoded fact, cut short where it is long."""
    text = fact.decode()
    return text if len(text) < 400 else text[:400] + "…"
