"""No secret is committed: detect-secrets, on what its own expressions say is worth a look.

Not here: secrets in logs and dumps (tests).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from detect_secrets.core.plugins.util import Plugin
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import get_plugins, transient_settings

_OF_A_FORM: Final = (
    "AWSKeyDetector", "AzureStorageKeyDetector", "DiscordBotTokenDetector", "GitHubTokenDetector",
    "GitLabTokenDetector", "JwtTokenDetector", "MailchimpDetector", "NpmDetector",
    "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector",
    "SlackDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
)  # fmt: skip
"""Detectors of secrets that have a form of their own: looked for in every file."""

_OF_ANY_FORM: Final = ("BasicAuthDetector", "KeywordDetector", "HexHighEntropyString",
                       "Base64HighEntropyString")  # fmt: skip
"""Detectors that guess: in what is deployed a guess is worth a look, in code it is noise."""

_WHERE_ONE_IS: Final = re.compile(r"^\$\{|^(env|file|aws-sm|gcp-sm|azure-kv|vault):|^/run/secrets/")
"""Where a secret is, which is none itself."""


def secrets_in(files: list[Path], *, guess: bool) -> Iterator[str]:
    """Where something looks like a secret: file, line and kind, never the value.

    Args:
        guess: use the detectors that guess as well.
    """
    names = (*_OF_A_FORM, *_OF_ANY_FORM) if guess else _OF_A_FORM
    with transient_settings({"plugins_used": [{"name": name} for name in names]}):
        plugins = list(get_plugins())
        found = SecretsCollection()
        for path in files:
            if guess or _may_have_one(path, plugins):
                found.scan_file(str(path))
        for path_name, secret in sorted(found, key=lambda each: (each[0], each[1].line_number)):
            if secret.secret_value and _WHERE_ONE_IS.search(secret.secret_value):
                continue
            yield f"{path_name}:{secret.line_number}: {secret.type}"


def _may_have_one(path: Path, plugins: list[Plugin]) -> bool:
    """Line by line it takes twenty times as long, and hardly any file has a match at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False  # a picture
    forms = (form for plugin in plugins for form in getattr(plugin, "denylist", ()))
    return any(form.search(text) for form in forms)
