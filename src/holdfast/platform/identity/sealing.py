"""Secrets of second factors as the database has them: encrypted, by a key that is elsewhere.

AES-256-GCM with the user's id bound in, so that a row cannot be given to somebody else. Not here:
where the key comes from (config.identity), whose secrets they are (users).
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.errors import ConfigError
from holdfast.secrets import Secret

_MARK: Final = "s1"
"""Begins what is sealed; no secret of an authenticator has a colon in it."""

_LABEL: Final = b"holdfast identity key 1"
_NONCE_BYTES: Final = 12


class Sealer:
    """Seals with the first key, opens with any.

    Args:
        keys: the current one, and the one before it; none at all leaves secrets as they are.
    """

    def __init__(self, keys: Sequence[Secret] = ()) -> None:
        derived = [hmac.digest(key.reveal().encode(), _LABEL, "sha256") for key in keys]
        self._keys = {sha256(key).hexdigest()[:8]: AESGCM(key) for key in derived}
        self._newest = next(iter(self._keys), "")

    def sealed(self, secret: str, user_id: str) -> str:
        """What the database is to have of a secret."""
        if not self._newest:
            return secret
        nonce = os.urandom(_NONCE_BYTES)
        body = self._keys[self._newest].encrypt(nonce, secret.encode(), user_id.encode())
        return f"{_MARK}:{self._newest}:{base64.b64encode(nonce + body).decode()}"

    def opened(self, kept: str, user_id: str) -> str:
        """The secret that the database has; one from before there was a key is as it was.

        Raises:
            ConfigError: it was sealed by a key that is not here, or for another user.
        """
        mark, _, rest = kept.partition(":")
        if mark != _MARK:
            return kept
        name, _, body = rest.partition(":")
        key = self._keys.get(name)
        if key is None:
            raise ConfigError(
                f"seen: a second factor sealed by the key {name}; expected: that one as "
                "IDENTITY_KEY, or as the version before it; do: give it back, then holdfast user "
                "seal, or let the user begin again with --reset-totp"
            )
        whole = base64.b64decode(body)
        try:
            nonce, text = whole[:_NONCE_BYTES], whole[_NONCE_BYTES:]
            return key.decrypt(nonce, text, user_id.encode()).decode()
        except InvalidTag:
            raise ConfigError(
                "seen: a second factor that was changed in the database, or is another user's; "
                "expected: what was sealed; do: find out who can write there, and use --reset-totp"
            ) from None

    def is_current(self, kept: str) -> bool:
        """Whether it is as it would be kept now."""
        return not kept or not self._newest or kept.startswith(f"{_MARK}:{self._newest}:")
