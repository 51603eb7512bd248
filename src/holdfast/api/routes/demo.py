"""What only the demo has: somebody to strike down.

Not here: who is struck, and how (app.web.strike).
"""

from __future__ import annotations

from litestar import get, post

from holdfast.api.ask import Ask
from holdfast.api.problem import ProblemError
from holdfast.api.rules import change, look
from holdfast.api.shapes.cluster import Demo, Struck
from holdfast.platform.identity.values import Scope

TAGS = ["demo"]


@get("/demo", opt=look(), tags=TAGS)
async def get_demo(request: Ask) -> Demo:
    """Tell whether this is the demo."""
    return Demo(is_demo=request.ports.striker is not None)


@post("/demo/kill-leader", status_code=200, tags=TAGS, opt=change(Scope.ADMIN))
async def kill_leader(request: Ask) -> Struck:
    """Kill the node that leads, as `kill -9` does; another one goes on. In the demo only."""
    striker = request.ports.striker
    if striker is None:
        raise ProblemError(
            404, "not_demo", "seen: an installation that trades; expected: `holdfast demo`"
        )
    return Struck(told=await striker.kill_leader(request.who))


ROUTES = [get_demo, kill_leader]
