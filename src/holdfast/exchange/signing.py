"""Who signed a request, and whether its deadline holds: the exchange's side of the fence.

Not here: the order in which the checks come (`gateway`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from holdfast.exchange import errors
from holdfast.exchange.accounts import Account
from holdfast.exchange.params import INTEGER

DEFAULT_WINDOW_MS = Decimal(5000)
MOST_WINDOW_MS = Decimal(60000)
AHEAD_MS = 1000
_KEY_FORM = re.compile(r"[A-Za-z0-9]{10,128}")
_WINDOW_FORM = re.compile(r"[0-9]{1,10}(\.[0-9]{1,3})?")
# Stamps in microseconds are told from milliseconds by their size, as the real exchange does.
_MICROSECONDS_FROM = 10**14


class Deadline(msgspec.Struct, frozen=True):
    """Until when a signed request may be forwarded.

    Attributes:
        stamp_ms: the client's timestamp.
        window_ms: recvWindow, up to three decimals.
    """

    stamp_ms: Decimal
    window_ms: Decimal

    def check_not_ahead(self, server_ns: int) -> None:
        """RefusedError when the stamp lies a second or more ahead of the server."""
        if self.stamp_ms >= Decimal(server_ns) / 1_000_000 + AHEAD_MS:
            raise errors.ahead_of_server()

    def check(self, server_ns: int) -> None:
        """RefusedError when the window has closed."""
        if Decimal(server_ns) / 1_000_000 - self.stamp_ms > self.window_ms:
            raise errors.outside_window()


def signature_of(secret: str, signed_text: str) -> str:
    """HMAC-SHA256 of the exact text, lower-case hex."""
    return hmac.new(secret.encode(), signed_text.encode(), hashlib.sha256).hexdigest()


def authenticate(
    accounts: Mapping[str, Account], api_key: str, signed_text: str, signature: str
) -> Account:
    """The account that signed; RefusedError when the key or the signature is not right."""
    account = identify(accounts, api_key)
    expected = signature_of(account.secret, signed_text)
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise errors.bad_signature()
    return account


def identify(accounts: Mapping[str, Account], api_key: str) -> Account:
    """The account of a key; RefusedError when it is malformed, unknown or revoked."""
    if not _KEY_FORM.fullmatch(api_key):
        raise errors.bad_key_format()
    account = accounts.get(api_key)
    if account is None or account.is_revoked:
        raise errors.bad_key()
    return account


def read_deadline(values: Mapping[str, str]) -> Deadline:
    """The deadline that a request carries; RefusedError when it has none or a malformed one."""
    stamp = values.get("timestamp", "")
    if not stamp:
        raise errors.missing_parameter("timestamp")
    if not INTEGER.fullmatch(stamp):
        raise errors.illegal_characters("timestamp", f"^{INTEGER.pattern}$")
    stamp_ms = Decimal(stamp)
    if stamp_ms >= _MICROSECONDS_FROM:
        stamp_ms /= 1000
    window = values.get("recvWindow", "")
    if not window:
        return Deadline(stamp_ms, DEFAULT_WINDOW_MS)
    if not _WINDOW_FORM.fullmatch(window):
        raise errors.illegal_characters("recvWindow", f"^{_WINDOW_FORM.pattern}$")
    window_ms = Decimal(window)
    if window_ms > MOST_WINDOW_MS:
        raise errors.window_too_large()
    return Deadline(stamp_ms, window_ms)
