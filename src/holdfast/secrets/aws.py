"""AWS Secrets Manager. Region, credentials and endpoint are the SDK's own settings.

Not here: what is remembered (source). `boto3` is the extra `aws`, loaded on first use.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from holdfast.errors import ConfigError, RetryableError
from holdfast.secrets.port import Stage
from holdfast.secrets.reference import Reference
from holdfast.secrets.value import Secret, Version

_STAGES: Final = {Stage.CURRENT: "AWSCURRENT", Stage.PREVIOUS: "AWSPREVIOUS"}
_ABSENT: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
_DENIED: Final = frozenset({
    "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
    "ExpiredTokenException", "IncompleteSignature", "DecryptionFailure",
    "InvalidParameterException", "ValidationException",
})  # fmt: skip


class SecretsManager:
    """See `Provider`. A name may be an ARN, which then says the region as well.

    Args:
        region: instead of the SDK's setting (AWS_REGION, a profile).
        endpoint: instead of the region's own.
    """

    def __init__(self, region: str = "", endpoint: str = "") -> None:
        self._region = region
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def fetch(self, reference: Reference, stage: Stage) -> Version:
        """See `Provider`."""
        asked = {"SecretId": reference.name}
        if not reference.version:
            asked["VersionStage"] = _STAGES[stage]  # always named: some servers guess another one
        elif reference.version.startswith("AWS"):
            asked["VersionStage"] = reference.version
        else:
            asked["VersionId"] = reference.version
        client = self._client(_region_in(reference.name) or self._region)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # an extra

        try:
            found = client.get_secret_value(**asked)
        except ClientError as error:
            raise _meaning(reference, error.response) from None
        except BotoCoreError as error:
            raise _broken(reference, error) from None
        text = found.get("SecretString")
        if text is None:
            raise ConfigError(
                f"seen: {reference} is binary; expected: text, or JSON; do: store it as a string"
            )
        return Version(Secret(text), found["VersionId"], found["CreatedDate"].timestamp())

    def _client(self, region: str) -> Any:
        with self._lock:  # making clients is not safe for threads, using them is
            if region not in self._clients:
                self._clients[region] = _made(region, self._endpoint)
            return self._clients[region]


def _made(region: str, endpoint: str) -> Any:
    try:
        import boto3  # noqa: PLC0415  # an extra
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "seen: a reference aws-sm:… without boto3; expected: the extra `aws`; do: pip install "
            "'holdfast[aws]'"
        ) from error
    # At its lowest level it logs answers whole, before anybody could mask what is in them.
    logging.getLogger("botocore").setLevel(logging.INFO)
    settings = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
    )
    try:
        return boto3.session.Session().client(
            "secretsmanager",
            region_name=region or None, endpoint_url=endpoint or None, config=settings,
        )  # fmt: skip
    except BotoCoreError as error:
        raise ConfigError(
            f"seen: AWS cannot be asked ({error}); expected: a region and credentials; do: export "
            "AWS_REGION=..., and give this host a role"
        ) from error


def _region_in(name: str) -> str:
    parts = name.split(":")
    return parts[3] if name.startswith("arn:") and len(parts) > 4 else ""


def _meaning(reference: Reference, response: Any) -> ConfigError | RetryableError:
    """What a refusal means; its words name the secret, and never what it is."""
    code = response.get("Error", {}).get("Code", "")
    if code in _ABSENT:
        return ConfigError(
            f"seen: {reference} is not in AWS Secrets Manager, or not that version of it ({code}); "
            "expected: a secret; do: correct the name and the region, or create it"
        )
    if code in _DENIED:
        return ConfigError(
            f"seen: AWS refuses {reference} ({code}); expected: a role that may call "
            "secretsmanager:GetSecretValue on it, and decrypt with its key; do: allow it"
        )
    return RetryableError(
        f"seen: AWS does not give {reference} now ({code}); expected: an answer; do: ask again"
    )


def _broken(reference: Reference, error: Exception) -> ConfigError | RetryableError:
    kind = type(error).__name__
    if kind in {"NoCredentialsError", "PartialCredentialsError", "NoRegionError"}:
        return ConfigError(
            f"seen: no way to ask AWS for {reference} ({kind}); expected: a role or credentials; "
            "do: give this host a role, or export AWS_PROFILE=..."
        )
    return RetryableError(
        f"seen: AWS does not answer about {reference} ({kind}); expected: an answer; do: check the "
        "network, then ask again"
    )
