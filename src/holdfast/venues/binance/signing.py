"""Signing requests with an HMAC key, and the exact text that is signed.

Lives here: the key pair, query text, both signature dialects (REST and WebSocket API). Not here:
timestamps, which the caller fixes, and sending (client, stream).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import quote, urlencode


class Key:
    """One API key with its secret; the secret leaves this object only inside signatures."""

    __slots__ = ("_secret", "api_key")

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key = api_key
        self._secret = secret.encode()

    def __repr__(self) -> str:
        """The key without its secret, and only as much of it as tells keys apart."""
        return f"Key({self.api_key[:4]}…)"

    def is_same(self, other: Key) -> bool:
        """Whether both halves are equal; in the same time whatever they are."""
        return hmac.compare_digest(self.api_key.encode(), other.api_key.encode()) and (
            hmac.compare_digest(self._secret, other._secret)
        )

    def sign(self, text: str) -> str:
        """The HMAC-SHA256 of exactly this text, as hex."""
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def signed(self, query: str) -> str:
        """`query` with its signature as the last parameter: what goes on the wire, unchanged."""
        return f"{query}&signature={self.sign(query)}"

    def signed_params(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """`params` of a WebSocket API request with `apiKey` and the signature over sorted names."""
        named = {"apiKey": self.api_key, **params}
        payload = "&".join(f"{name}={named[name]}" for name in sorted(named))
        return {**named, "signature": self.sign(payload)}


def query_text(params: Mapping[str, str | int]) -> str:
    """`params` percent-encoded in their own order; the text that is signed and then sent."""
    return urlencode(params, quote_via=quote)
