"""Passwords: which are taken, and how they are kept (argon2id).

Not here: whose they are (users), how often one may be tried (throttle).
"""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from holdfast.platform.identity.values import UnsuitableError

SHORTEST: Final = 12
LONGEST: Final = 256
_FEWEST_SIGNS: Final = 5
_ANY: Final = "surrogatepass"  # JSON can carry halves of characters

# OWASP's first choice for a server that has other things to do: some 30 ms of one core, 19 MiB.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY: Final = _hasher.hash("no user has this password, and a try takes as long as any other")


def require_suitable(password: str, name: str) -> None:
    """Refuse what is guessed at once; no rules about kinds of characters, which make none better.

    Raises:
        UnsuitableError
    """
    if not SHORTEST <= len(password) <= LONGEST:
        reason = f"seen: {len(password)} characters; expected: {SHORTEST} to {LONGEST}"
    elif len(set(password)) < _FEWEST_SIGNS:
        reason = f"seen: fewer than {_FEWEST_SIGNS} different characters; expected: more of them"
    elif _has(password, name) or _has(password, name.partition("@")[0]):
        reason = "seen: the name within the password; expected: nothing that others know"
    else:
        return
    raise UnsuitableError("password", f"{reason}; do: take several words", "password")


def hashed(password: str) -> str:
    """What is kept of it. Takes some 30 ms, without Python's lock."""
    return _hasher.hash(password.encode(errors=_ANY))


def verified(kept: str, password: str) -> bool:
    """Whether it is the one; takes as long when none is kept."""
    try:
        return _hasher.verify(kept or _NOBODY, password.encode(errors=_ANY)) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether it is kept in a weaker way than is usual now."""
    return _hasher.check_needs_rehash(kept)


def _has(password: str, part: str) -> bool:
    return len(part) > 3 and part.lower() in password.lower()
