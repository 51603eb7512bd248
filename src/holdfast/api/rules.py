"""Who may ask for what: one rule per route, declared where the route is.

A route without a rule cannot be started (api.build). Not here: enforcing them (api.gate).
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from holdfast.platform.identity.values import Scope

OPTION: Final = "rule"
"""Under which a route's options have its rule."""

Whose = Literal["", "account", "bot", "order", "job", "session", "token", "user", "command",
                "subscription"]  # fmt: skip


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller needs for a route.

    Attributes:
        scope: that he must have; None: nobody has to say who he is.
        whose: of what kind the object is that the path names, which must be his; of accounts and
            bots the gate sees to it, of others the port.
        is_confirmed: it adds risk, so a session must have confirmed it lately. Where that depends
            on what is asked for, the handler asks.
        is_change: it changes something: done once per `Idempotency-Key`, and audited.
        audited: by whom: `command` and `identity` write facts of their own, the gate the others.
        has_key: whether the change needs an `Idempotency-Key`. Not where the request itself can be
            used only once, as a code or a refresh token.
        shown_once: members of the answer that are not kept for a repetition.
        is_stream: it goes on until the client leaves, so no time limit holds.
        is_probe: asked by machines: no rate limit.
        is_urgent: it stops what loses money: how often its caller asks for it is counted apart, so
            that a dashboard which asked too much cannot use it up.
        has_any_query: another server makes its query, and puts more into it than it is asked for.
    """

    scope: Scope | None
    whose: Whose = ""
    is_confirmed: bool = False
    is_change: bool = False
    audited: Literal["gate", "command", "identity"] = "gate"
    has_key: bool = True
    shown_once: tuple[str, ...] = ()
    is_stream: bool = False
    is_probe: bool = False
    is_urgent: bool = False
    has_any_query: bool = False


def public(**more: Any) -> dict[str, Any]:
    """For everybody."""
    return {OPTION: Rule(scope=None, **more)}


def probe() -> dict[str, Any]:
    """For everybody, as often as they like."""
    return {OPTION: Rule(scope=None, is_probe=True)}


def look(scope: Scope = Scope.READ, **more: Any) -> dict[str, Any]:
    """Changes nothing."""
    return {OPTION: Rule(scope=scope, **more)}


def command(whose: Whose, **more: Any) -> dict[str, Any]:
    """Asks an account's leader for something."""
    return {
        OPTION: Rule(
            scope=more.pop("scope", Scope.TRADE), whose=whose, is_change=True, audited="command",
            **more,
        )
    }  # fmt: skip


def change(scope: Scope, **more: Any) -> dict[str, Any]:
    """Changes something else."""
    return {OPTION: Rule(scope=scope, is_change=True, **more)}


def rule_of(options: Any) -> Rule | None:
    """The rule in a route's options; None where the framework made the route (OPTIONS)."""
    found = options.get(OPTION)
    return found if isinstance(found, Rule) else None
