"""Secrets of ours that are handed out once, and what is kept of them.

They are random and long, so a plain hash keeps them; a password would need more. Not here:
passwords.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

API_TOKEN: Final = "hf_"  # noqa: S105 - how each begins
REFRESH_TOKEN: Final = "hfr_"  # noqa: S105 - the same
CODE: Final = "hfc_"
LONGEST: Final = 4096
"""Characters of anything that may be a token."""

_BYTES: Final = 32


def new(prefix: str) -> str:
    """A secret that says what it is, so that scanners of leaked files know it."""
    return prefix + secrets.token_urlsafe(_BYTES)


def new_id() -> str:
    """An id that is nobody's yet; no secret."""
    return secrets.token_hex(8)


def kept(secret: str) -> bytes:
    """What the database has of it (32 bytes)."""
    return sha256(secret.encode(errors="surrogatepass")).digest()
