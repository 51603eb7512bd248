"""Azure Key Vault. Credentials are the SDK's own (a managed identity, workload identity, …).

Not here: what is remembered (source). The libraries are the extra `azure`, loaded on first use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from holdfast.errors import ConfigError, RetryableError
from holdfast.secrets.port import Stage
from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Secret, Version


class KeyVault:
    """See `Provider`. A name is VAULT/NAME: of the vault, or its host, and of the secret in it.

    Args:
        make: a client for the address of a vault.
    """

    def __init__(self, make: Callable[[str], Any] | None = None) -> None:
        self._make = make or _made
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """See `Provider`."""
        vault, _, name = reference.name.partition("/")
        if not (vault and name) or "/" in name:
            raise ConfigError(
                f"seen: {reference}; expected: azure-kv:VAULT/NAME (names have letters, digits and "
                "dashes: prod-trading-binance-api-key); do: correct it"
            )
        host = vault if "." in vault or ":" in vault else f"{vault}.vault.azure.net"
        with self._lock:
            if host not in self._clients:
                self._clients[host] = self._make(f"https://{host}")
            client = self._clients[host]
        version = reference.version
        if stage is Stage.PREVIOUS and not version:
            version = _asked(reference, _before_latest, client, reference, name)
        found = _asked(reference, client.get_secret, name, version or None)
        created = found.properties.created_on
        return Version(
            Secret(found.value), found.properties.version, created.timestamp() if created else None
        )


def _before_latest(client: Any, reference: Reference, name: str) -> str:
    versions = [one for one in client.list_properties_of_secret_versions(name) if one.enabled]
    versions.sort(key=lambda one: one.created_on, reverse=True)
    if len(versions) < 2:
        raise _absent(reference)
    return str(versions[1].version)


def _asked(reference: Reference, question: Callable[..., Any], *arguments: Any) -> Any:
    from azure.core import exceptions as refused  # noqa: PLC0415  # an extra

    try:
        return question(*arguments)
    except refused.ResourceNotFoundError:
        raise _absent(reference) from None
    except refused.ClientAuthenticationError as error:
        raise _denied(reference, type(error).__name__) from None
    except refused.HttpResponseError as error:
        if error.status_code in {400, 401, 403}:
            raise _denied(reference, f"HTTP {error.status_code}") from None
        raise _silent(reference, f"HTTP {error.status_code}") from None
    except refused.AzureError as error:
        raise _silent(reference, type(error).__name__) from None


def _made(url: str) -> Any:
    try:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # an extra
        from azure.keyvault.secrets import SecretClient  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "seen: a reference azure-kv:… without its libraries; expected: the extra `azure`; do: "
            "pip install 'holdfast[azure]'"
        ) from error
    return SecretClient(
        url, DefaultAzureCredential(), connection_timeout=2, read_timeout=5, retry_total=1
    )


def _absent(reference: Reference) -> ConfigError:
    return ConfigError(
        f"seen: {reference} is not in Azure Key Vault, or not that version of it; expected: a "
        "secret; do: correct vault and name, or create it"
    )


def _denied(reference: Reference, why: str) -> ConfigError:
    return ConfigError(
        f"seen: Azure refuses {reference} ({why}); expected: an identity with the role Key Vault "
        "Secrets User; do: grant it"
    )


def _silent(reference: Reference, why: str) -> RetryableError:
    return RetryableError(
        f"seen: Azure Key Vault does not answer about {reference} ({why}); expected: an answer; "
        "do: check the network, then ask again"
    )
