"""Who leads in a world of several machines, when nobody elects: chance does.

It moves leadership as roughly as any election may: while the old leader lives, is paused or cut
off, or is beginning again. Only the epoch in the journal keeps order. Not here: the election of
production (cluster), which decides when it is sensible to move.
"""

from __future__ import annotations

import random

from holdfast.simulation.checker import Checker
from holdfast.simulation.loop import VirtualLoop
from holdfast.simulation.node import SimNode


class Leadership:
    """Starts one node, and another when that has ended or chance wants it."""

    def __init__(
        self, loop: VirtualLoop, nodes: list[SimNode], checker: Checker, source: random.Random
    ) -> None:
        self._loop = loop
        self._nodes = nodes
        self._checker = checker
        self._random = source
        self.leader = nodes[0]
        for node in nodes:
            node.on_end = self._ended

    def begin(self) -> None:
        """The first node starts."""
        self.leader.start()

    def move(self) -> None:
        """Another node begins, whatever the old one does meanwhile; it may do so for a while."""
        others = [node for node in self._nodes if node is not self.leader and not node.is_alive]
        if not others:
            return
        self.leader = self._random.choice(others)
        self._checker.say(f"{self.leader.machine.name} is to lead")
        self.leader.start()

    def _ended(self, node: SimNode, after_s: float) -> None:
        if node is not self.leader:
            return
        if len(self._nodes) > 1 and self._random.random() < 0.5:
            self._loop.call_later(self._random.uniform(0.1, 1.5), self._replace, node)
        else:
            self._loop.call_later(after_s, self._restart, node)

    def _restart(self, node: SimNode) -> None:
        if node is self.leader and not node.is_alive:
            node.start()

    def _replace(self, node: SimNode) -> None:
        if node is self.leader and not node.is_alive:
            self.move()
            self._restart(node)  # where nobody else can
