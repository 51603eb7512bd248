"""Google Cloud Secret Manager. Credentials are the SDK's own (a service account, for one).

Over REST: gRPC keeps threads that do not survive a fork, and accounts are processes of their own.
Not here: what is remembered (source). The library is the extra `gcp`, loaded on first use.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from holdfast.errors import ConfigError, RetryableError
from holdfast.secrets.port import Stage
from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Secret, Version

TIMEOUT_S: Final = 5.0


class GoogleSecretManager:
    """See `Provider`. A name is PROJECT/NAME, or NAME with GOOGLE_CLOUD_PROJECT.

    Args:
        make: the client, once it is needed.
    """

    def __init__(
        self, environ: Mapping[str, str] = os.environ, make: Callable[[], Any] | None = None
    ) -> None:
        self._environ = environ
        self._make = make or _made
        self._client: Any = None
        self._lock = threading.Lock()

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """See `Provider`."""
        path = self._path(reference)
        with self._lock:
            if self._client is None:
                self._client = self._make()
        number = reference.version or "latest"
        if stage is Stage.PREVIOUS and not reference.version:
            number = self._before_latest(reference, path)
        name = f"{path}/versions/{number}"
        known = self._asked(reference, self._client.get_secret_version, name=name)
        payload = self._asked(reference, self._client.access_secret_version, name=known.name)
        try:
            text = payload.payload.data.decode()
        except UnicodeDecodeError:
            del payload  # reports of errors may show variables
            raise ConfigError(
                f"seen: {reference} is binary; expected: text, or JSON; do: store it as text"
            ) from None
        version = known.name.rpartition("/")[2]
        return Version(Secret(text), version, known.create_time.timestamp())

    def _path(self, reference: Reference) -> str:
        parts = reference.name.removeprefix("projects/").replace("/secrets/", "/").split("/")
        if len(parts) == 1:
            parts.insert(0, self._environ.get("GOOGLE_CLOUD_PROJECT", ""))
        if len(parts) != 2 or not all(parts):
            raise ConfigError(
                f"seen: {reference}; expected: gcp-sm:PROJECT/NAME, or gcp-sm:NAME with "
                "GOOGLE_CLOUD_PROJECT (names have no slash: prod-trading-binance-api_key); do: "
                "correct it"
            )
        return f"projects/{parts[0]}/secrets/{parts[1]}"

    def _before_latest(self, reference: Reference, path: str) -> str:
        """The newest version that can be read, but one; the newest comes first."""
        listed = self._asked(
            reference, self._client.list_secret_versions,
            request={"parent": path, "filter": "state:ENABLED", "page_size": 2},
        )  # fmt: skip
        names = [one.name for one, _ in zip(listed, range(2), strict=False)]
        if len(names) < 2:
            raise _absent(reference)
        return str(names[1].rpartition("/")[2])

    def _asked(self, reference: Reference, question: Callable[..., Any], **arguments: Any) -> Any:
        from google.api_core import exceptions as refused  # noqa: PLC0415  # an extra
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

        try:
            return question(timeout=TIMEOUT_S, **arguments)
        except (refused.NotFound, refused.FailedPrecondition):  # the latter: destroyed, disabled
            raise _absent(reference) from None
        except (refused.Forbidden, refused.Unauthorized, refused.BadRequest) as error:
            raise ConfigError(
                f"seen: Google Cloud refuses {reference} ({type(error).__name__}); expected: a "
                "service account with roles/secretmanager.secretAccessor, and viewer for the "
                "version before; do: grant them"
            ) from None
        except (refused.GoogleAPIError, GoogleAuthError, OSError) as error:
            raise RetryableError(
                f"seen: Google Cloud does not answer about {reference} ({type(error).__name__}); "
                "expected: an answer; do: check the network, then ask again"
            ) from None


def _made() -> Any:
    try:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415  # an extra
        from google.cloud.secretmanager_v1 import SecretManagerServiceClient  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "seen: a reference gcp-sm:… without its library; expected: the extra `gcp`; do: pip "
            "install 'holdfast[gcp]'"
        ) from error
    try:
        return SecretManagerServiceClient(transport="rest")
    except GoogleAuthError as error:
        raise ConfigError(
            f"seen: no credentials for Google Cloud ({type(error).__name__}); expected: a service "
            "account of this host, or GOOGLE_APPLICATION_CREDENTIALS; do: give it one"
        ) from None


def _absent(reference: Reference) -> ConfigError:
    return ConfigError(
        f"seen: {reference} is not in Google Cloud Secret Manager, or not that version of it; "
        "expected: a secret; do: correct project and name, or create it"
    )
