"""A leash whose `holdfast` believes to be on a host of its own: `HOLDFAST_CHAOS_HOST` names it.

So two nodes on one machine are to each other what two hosts are: nobody can look whether the
other's process still runs. Not here: the leash (app.demo.leash).
"""

from __future__ import annotations

import os

import holdfast.cluster.host
from holdfast.app.demo import leash

VARIABLE = "HOLDFAST_CHAOS_HOST"


def main() -> None:
    """Take the name and hold the leash."""
    name = os.environ[VARIABLE]
    holdfast.cluster.host.host_id = lambda: name
    leash.main()


if __name__ == "__main__":
    main()
