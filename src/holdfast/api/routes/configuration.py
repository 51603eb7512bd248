"""The configuration of the API's own process, for administrators.

Not here: where each setting comes from (app.settings).
"""

from __future__ import annotations

from litestar import get

from holdfast.api.ask import Ask
from holdfast.api.rules import look
from holdfast.api.shapes.configuration import Configuration
from holdfast.platform.identity.values import Scope

TAGS = ["cluster"]


@get("/configuration", opt=look(Scope.ADMIN), tags=TAGS)
async def get_configuration(request: Ask) -> Configuration:
    """Show the effective configuration with its origins, and what has not taken effect yet."""
    return await request.ports.settings.configuration()


ROUTES = [get_configuration]
