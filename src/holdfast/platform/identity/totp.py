"""Second factors: codes of an authenticator that count by time (RFC 6238).

Not here: whose they are, and that none is taken twice (users).
"""

from __future__ import annotations

import hmac
from typing import Final

import pyotp

from holdfast.platform.identity.values import TotpOffer

ISSUER: Final = "Holdfast"
STEP_S: Final = 30
_AROUND: Final = (0, -1, 1)
"""Steps beside the present one whose codes are taken: clocks differ."""


def offered(name: str) -> TotpOffer:
    """A new one for a user."""
    secret = pyotp.random_base32()
    return TotpOffer(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER))


def step_of(secret: str, code: str, now_ns: int) -> int | None:
    """The step of time that a code is of, if it is one of about now; None for all others."""
    given = code.replace(" ", "")
    if not (given.isascii() and given.isdigit()):
        return None
    totp, present = pyotp.TOTP(secret), now_ns // (STEP_S * 1_000_000_000)
    for offset in _AROUND:
        if hmac.compare_digest(totp.generate_otp(present + offset), given):
            return present + offset
    return None
