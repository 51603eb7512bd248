"""Locked packages come from the public registries, whichever mirror a developer has before them.

Not here: whether they are sound (the audit in table).
"""

from __future__ import annotations

import re
from typing import Final

PUBLIC_HOSTS: Final = frozenset({"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"})


def foreign_hosts(text: str) -> set[str]:
    """Hosts in a lock file that are not the public registries'."""
    return set(re.findall(r"[a-z+]+://([^/\"'\s]+)", text)) - PUBLIC_HOSTS
