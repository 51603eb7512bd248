"""Striking the node that leads, for the demo.

Not here: who may (api.routes.demo), what the others do then (cluster).
"""

from __future__ import annotations

import os
import signal

from holdfast.api.ports import Reads
from holdfast.errors import RejectedError
from holdfast.platform.identity.values import Principal


class NodeStriker:
    """Kills nodes of this machine; each has a process group of its own there."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def kill_leader(self, who: Principal) -> str:
        """See `api.ports.Striker`."""
        nodes = (await self._reads.cluster(who)).nodes
        leader = next((node for node in nodes if node.is_live and node.leads), None)
        if leader is None:
            raise RejectedError("no_leader", "seen: nobody who leads; do: try again in a moment")
        try:
            os.killpg(leader.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError) as error:
            raise RejectedError(
                "no_leader", f"seen: {leader.name} is gone already, or not on this machine"
            ) from error
        return f"Killed {leader.name} (kill -9). Another one goes on."
