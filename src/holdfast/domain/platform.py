"""Facts of the platform: who signed in, who may do what, who asked for what.

They are in a stream of their own, `PLATFORM`, chained like an account's; nothing is traded by them.
None carries a secret. Not here: the facts of accounts (domain.fact).
"""

from __future__ import annotations

from typing import Final

from holdfast.domain.fact_base import Fact

PLATFORM: Final = "@platform"
"""The name of the stream; no account can be called so."""


class PlatformFact(Fact, frozen=True, kw_only=True):
    """Base of them.

    Attributes:
        by: who did it: `user:NAME`, `token:NAME/ID`, `cli:USER@HOST`, or what part of the program.
        user_id: whom it is about; empty when nobody is.
    """

    by: str
    user_id: str = ""


class UserCreated(PlatformFact, frozen=True, tag="user_created"):
    """Somebody may use the platform."""

    name: str
    role: str


class UserChanged(PlatformFact, frozen=True, tag="user_changed"):
    """What a user may do, or how he proves who he is, is another from here on.

    Attributes:
        what: `role`, `grants`, `disabled`, `password`, `totp`, `oidc` or `invited`.
        to: the new value, for people; never a secret.
    """

    what: str
    to: str = ""


class SignedIn(PlatformFact, frozen=True, tag="signed_in"):
    """A session began.

    Attributes:
        method: `password`, `totp` (a password and a code), `oidc`, `link` or `invitation`.
    """

    session_id: str
    method: str
    address: str


class SignInFailed(PlatformFact, frozen=True, tag="sign_in_failed"):
    """Somebody could not prove who he is; the name that he gave is kept only if it is a user's.

    Attributes:
        why: `password`, `totp`, `disabled`, `link`, `invitation`, `oidc` or `confirmation`.
    """

    why: str
    address: str


class SessionEnded(PlatformFact, frozen=True, tag="session_ended"):
    """A session, with all tokens that came of it, is worth nothing any more.

    Attributes:
        why: `signed_out`, `revoked`, `reuse` (a refresh token was used twice), `password`
            (it changed) or `disabled`.
    """

    session_id: str
    why: str


class StepUpConfirmed(PlatformFact, frozen=True, tag="step_up"):
    """A session may do for some minutes what adds risk."""

    session_id: str
    method: str
    address: str


class TokenCreated(PlatformFact, frozen=True, tag="token_created"):
    """A program may act for a user.

    Attributes:
        expires_ns: UTC; 0 never.
    """

    token_id: str
    name: str
    scopes: tuple[str, ...]
    expires_ns: int = 0


class TokenRevoked(PlatformFact, frozen=True, tag="token_revoked"):
    """A token is worth nothing any more."""

    token_id: str


class KeyCreated(PlatformFact, frozen=True, tag="key_created"):
    """Access tokens are signed with another key from here on."""

    kid: str


class CommandGiven(PlatformFact, frozen=True, tag="command_given"):
    """A user asked an account's leader for something; it takes effect in the account's stream.

    Attributes:
        command_id: under which the account's stream has it as `CommandTaken`.
        arguments: canonical JSON, empty when there are none.
        request_id: of the HTTP request; empty elsewhere.
    """

    command_id: str
    account: str
    name: str
    arguments: str = ""
    request_id: str = ""


class Requested(PlatformFact, frozen=True, tag="requested"):
    """A request that changes something, and is no command, was let through; to a job, for one.

    Attributes:
        action: what the route is called.
        target: what it is about.
        detail: canonical JSON, empty without.
    """

    action: str
    target: str = ""
    detail: str = ""
    request_id: str = ""


class AccountAdded(PlatformFact, frozen=True, tag="account_added"):
    """Nodes trade one more exchange account from here on.

    Attributes:
        like: an account of their configuration, on the same exchange.
        api_key, api_secret: references, never the values.
    """

    account: str
    like: str
    api_key: str
    api_secret: str


class AccountDropped(PlatformFact, frozen=True, tag="account_dropped"):
    """Nodes do not trade an account any more; its journal stays."""

    account: str


AnyPlatformFact = (
    UserCreated
    | UserChanged
    | SignedIn
    | SignInFailed
    | SessionEnded
    | StepUpConfirmed
    | TokenCreated
    | TokenRevoked
    | KeyCreated
    | CommandGiven
    | Requested
    | AccountAdded
    | AccountDropped
)
