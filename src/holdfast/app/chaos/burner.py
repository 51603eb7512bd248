"""A neighbour that keeps a core busy for four fifths of the time, until its leash is let go.

Called as `python -m holdfast.app.chaos.burner FD` by the leader of a new session. Not here: how
many there are (run).
"""

from __future__ import annotations

import sys
import time
from threading import Thread
from typing import Final

from holdfast.app.demo.leash import hold

BUSY_S: Final = 0.08
IDLE_S: Final = 0.02


def main() -> None:
    """Burn."""
    Thread(target=hold, args=(int(sys.argv[1]),), name="leash", daemon=True).start()
    while True:
        until_s = time.monotonic() + BUSY_S
        while time.monotonic() < until_s:
            pass
        time.sleep(IDLE_S)


if __name__ == "__main__":
    main()
