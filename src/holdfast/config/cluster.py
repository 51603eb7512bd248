"""How several nodes share the accounts: names, and the times of their leases.

Not here: what the times are for (cluster.timing).
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from holdfast.cluster.timing import PROFILES, Timing

NodeName = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[cluster]`.

    Attributes:
        profile: `standard` goes on within six seconds, `fast` within one, at more renewals.
        node: name of this node, another one for each; made of host and process unless told.
        lease_url: where leases are kept; beside the journal unless told.
        times: instead of the profile's.
    """

    profile: str = "standard"
    node: NodeName = ""
    lease_url: str = ""
    times: Timing | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(
                f"`cluster.profile` is {self.profile!r}, expected {' or '.join(sorted(PROFILES))}"
            )
        scheme = urlsplit(self.lease_url).scheme
        if self.lease_url and scheme not in {"sqlite", "postgresql", "postgres", "redis", "rediss"}:
            raise ValueError(
                f"`cluster.lease_url` has the scheme {scheme!r}, expected sqlite, postgresql or "
                "redis"
            )

    @property
    def timing(self) -> Timing:
        """The times that hold."""
        return self.times or PROFILES[self.profile]
