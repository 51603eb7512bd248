"""Identity as one thing: all parts over one store, for one event loop.

Not here: which database that is (app).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from holdfast.config.identity import IdentitySettings
from holdfast.platform.identity.access import Access, Trail
from holdfast.platform.identity.core import Core
from holdfast.platform.identity.elsewhere import SignInsElsewhere
from holdfast.platform.identity.oidc import Provider
from holdfast.platform.identity.people import People
from holdfast.platform.identity.sign_ins import SignIns
from holdfast.platform.port import PlatformStore


class IdentityService(SignIns, SignInsElsewhere, People, Access):
    """An `Identity`, which each part of adds its own to.

    Attributes:
        audit: the platform's stream.

    Args:
        store: the caller's, who closes it.
    """

    def __init__(
        self,
        store: PlatformStore,
        settings: IdentitySettings,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        core = Core(store, settings, now_ns)
        provider = Provider(settings.oidc) if settings.oidc is not None else None
        SignIns.__init__(self, core)
        SignInsElsewhere.__init__(self, core, provider)
        People.__init__(self, core, self)
        Access.__init__(self, core)
        self.audit = Trail(core)

    async def news(self) -> None:
        """Hear at once what other processes changed; else it takes a second."""
        await self._core.known.look_now()
