"""HashiCorp Vault (or OpenBao): secrets of a KV engine, version 2.

Lives here: signing in with a token or an AppRole, keeping the token alive, reading. Settings are
`VAULT_ADDR`, `VAULT_NAMESPACE`, `VAULT_CACERT`, and one of `VAULT_TOKEN` and `VAULT_ROLE_ID` with
`VAULT_SECRET_ID`; each of the last three also by a file, as `VAULT_TOKEN_FILE`. Not here: what is
remembered (source). `hvac` is the extra `vault`, loaded on first use.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from holdfast.errors import ConfigError, PlatformError, RetryableError
from holdfast.secrets.local import Files
from holdfast.secrets.port import Stage
from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Secret, Version
from holdfast.telemetry.log import hide

TIMEOUT_S: Final = 5.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Vault:
    """See `Provider`. A name is MOUNT/PATH, such as `secret/prod/trading/binance`.

    Args:
        mono_s: what the life of a token is measured with.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environ = environ
        self._mono_s = mono_s
        self._client: Any = None
        self._renew_at_s = 0.0
        self._lock = threading.RLock()

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """See `Provider`."""
        with self._lock:
            try:
                return self._read(reference, stage)
            except _ForbiddenError:
                self._client = None  # a token that ran out looks like one that may not
            try:
                return self._read(reference, stage)
            except _ForbiddenError:
                raise ConfigError(
                    f"seen: Vault refuses {reference}; expected: a token or role whose policy may "
                    "read it; do: allow `read` on its data and metadata paths"
                ) from None

    def _read(self, reference: Reference, stage: Stage) -> Version:
        mount, _, path = reference.name.partition("/")
        if not path:
            raise ConfigError(f"seen: {reference}; expected: vault:MOUNT/PATH; do: correct it")
        kv = self._signed_in(reference).secrets.kv.v2
        version = _number(reference)
        found = _asked(
            reference, kv.read_secret_version, path=path, mount_point=mount, version=version,
            raise_on_deleted_version=True,
        )  # fmt: skip
        if stage is Stage.PREVIOUS and version is None:
            before = int(found["data"]["metadata"]["version"]) - 1
            if before < 1:
                raise _absent(reference)
            found = _asked(
                reference, kv.read_secret_version, path=path, mount_point=mount, version=before,
                raise_on_deleted_version=True,
            )  # fmt: skip
        metadata = found["data"]["metadata"]
        created = datetime.fromisoformat(metadata["created_time"]).timestamp()
        text = msgspec.json.encode(found["data"]["data"]).decode()
        return Version(Secret(text), str(metadata["version"]), created)

    def _signed_in(self, reference: Reference) -> Any:
        """The client, with a token that will not run out in the next moment."""
        if self._client is not None and self._mono_s() >= self._renew_at_s:
            self._renew(reference)
        if self._client is None:
            self._client = self._sign_in(reference)
        return self._client

    def _renew(self, reference: Reference) -> None:
        try:
            answer = _asked(reference, self._client.auth.token.renew_self)
        except (_ForbiddenError, ConfigError):
            self._client = None
        else:
            self._note_lease(answer["auth"])

    def _sign_in(self, reference: Reference) -> Any:
        client = self._opened()
        token = self._setting("VAULT_TOKEN")
        if token is not None:
            client.token = token.reveal()
            answer = _asked(reference, client.auth.token.lookup_self)["data"]
            lease = {"lease_duration": answer.get("ttl"), "renewable": answer.get("renewable")}
            self._note_lease(lease)
            return client
        role, secret = self._setting("VAULT_ROLE_ID"), self._setting("VAULT_SECRET_ID")
        if role is None or secret is None:
            raise ConfigError(
                "seen: no way to sign in to Vault; expected: VAULT_TOKEN_FILE, or VAULT_ROLE_ID "
                "with VAULT_SECRET_ID_FILE; do: set them"
            )
        login = client.auth.approle.login
        # Called in there, so that no variable of ours has it: reports of errors may show those.
        answer = _asked(reference, lambda: login(role.reveal(), secret.reveal()))
        hide(client.token)
        self._note_lease(answer["auth"])
        return client

    def _note_lease(self, auth: Mapping[str, Any]) -> None:
        """A token is renewed when two thirds of its time are over; some have no end."""
        lease_s = auth.get("lease_duration") or 0
        can = lease_s and auth.get("renewable")
        self._renew_at_s = self._mono_s() + lease_s * 2 / 3 if can else float("inf")

    def _opened(self) -> Any:
        try:
            import hvac  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise ConfigError(
                "seen: a reference vault:… without hvac; expected: the extra `vault`; do: pip "
                "install 'holdfast[vault]'"
            ) from error
        address = self._environ.get("VAULT_ADDR", "").strip()
        parts = urlsplit(address)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or local):
            raise ConfigError(
                f"seen: VAULT_ADDR {address!r}; expected: https://host:8200; do: export it"
            )
        return hvac.Client(
            url=address, token="", timeout=TIMEOUT_S,
            namespace=self._environ.get("VAULT_NAMESPACE") or None,
            verify=self._environ.get("VAULT_CACERT") or True,
        )  # fmt: skip

    def _setting(self, name: str) -> Secret | None:
        """A variable, or the content of the file that it names with `_FILE`."""
        file = self._environ.get(f"{name}_FILE", "")
        if file:
            found = Files().fetch(Reference("file", file), Stage.CURRENT).secret
        else:
            found = Secret(self._environ.get(name, "").strip())
        hide(found.reveal())
        return found if found.reveal() else None


class _ForbiddenError(PlatformError):
    """403: the token may not, or is none any more."""


def _asked(reference: Reference, question: Callable[..., Any], **arguments: Any) -> Any:
    """The answer, or what its absence means. No text of Vault's own gets out: it may quote."""
    import requests  # noqa: PLC0415  # of hvac
    from hvac import exceptions as refused  # noqa: PLC0415

    try:
        return question(**arguments)
    except (refused.Forbidden, refused.Unauthorized):
        raise _ForbiddenError from None
    except refused.InvalidPath:
        raise _absent(reference) from None
    except refused.VaultDown as error:
        raise RetryableError(
            f"seen: Vault is sealed or has no leader, and does not give {reference}; expected: one "
            f"that is open; do: unseal it ({type(error).__name__})"
        ) from None
    except refused.InvalidRequest:
        raise ConfigError(
            f"seen: Vault does not understand the question for {reference}, or the role's id and "
            "secret are wrong; expected: a KV engine of version 2, a role; do: correct them"
        ) from None
    except (refused.VaultError, requests.RequestException) as error:
        raise RetryableError(
            f"seen: Vault does not answer about {reference} ({type(error).__name__}); expected: an "
            "answer; do: check VAULT_ADDR and the network, then ask again"
        ) from None


def _number(reference: Reference) -> int | None:
    if not reference.version:
        return None
    if not (reference.version.isascii() and reference.version.isdigit()):
        raise ConfigError(
            f"seen: the version of {reference}; expected: a number, as Vault counts; do: correct it"
        )
    return int(reference.version)


def _absent(reference: Reference) -> ConfigError:
    return ConfigError(
        f"seen: {reference} is not in Vault, or not that version of it; expected: a secret of a KV "
        "engine of version 2; do: correct mount and path, or write it"
    )
