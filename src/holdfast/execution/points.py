"""Named points on the path of an order, at which a test may end the process.

Lives here: their names, in the order in which an order passes them. Production passes a function
that does nothing; the proof that none of them loses an order runs over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

DECIDED: Final = "decided"  # the engine handed it out, nothing is written
ARMED: Final = "armed"  # the attempt is durable, nothing is sent
SENDING: Final = "sending"  # just before the first byte may leave
IN_FLIGHT: Final = "in_flight"  # the request has left, the reply has not come
REPLIED: Final = "replied"  # the reply is here, nothing of it is written
ACKED: Final = "acked"  # the reply is durable
CANCEL_ARMED: Final = "cancel_armed"
CANCEL_REPLIED: Final = "cancel_replied"

ORDER_POINTS: Final = (DECIDED, ARMED, SENDING, IN_FLIGHT, REPLIED, ACKED)
CANCEL_POINTS: Final = (CANCEL_ARMED, CANCEL_REPLIED)

Reach = Callable[[str], None]


def pass_by(_point: str) -> None:
    """Do nothing, as production does."""
