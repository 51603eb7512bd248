"""What anybody may ask an exchange without a key, and its clock.

Not here: what the answers mean (decode, listing), questions about an account (client).
"""

from __future__ import annotations

import time
from typing import Final

from holdfast.venues.binance import decode, gate
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.gate import Gate
from holdfast.venues.binance.line import Line
from holdfast.venues.binance.query import ask
from holdfast.venues.budget import Cost
from holdfast.venues.port import Purpose, TimeSample

_READ_S: Final = 10.0


class Questions:
    """Unsigned questions to one exchange, within its limits, and its clock."""

    def __init__(self, rest_url: str, gate: Gate | None = None) -> None:
        """Open nothing yet.

        Args:
            gate: the address's rate limits, where others ask from it too; else its own.

        Raises:
            ConfigError: the address cannot be used.
        """
        self.url = rest_url
        self._clock = ServerClock(time.monotonic_ns, time.time_ns)
        self.gate = gate or Gate(self._clock)
        self._line = Line(rest_url)

    def now_ms(self) -> int:
        """The exchange's time, estimated."""
        return self._clock.now_ms()

    async def learn_time(self) -> None:
        """Set the clock by the exchange's; RetryableError when it gave no usable answer."""
        sent_ns = self._clock.mono_ns()
        body = await self.ask("/api/v3/time", gate.TIME)
        sample = TimeSample(decode.server_time_ms(body), sent_ns, self._clock.mono_ns())
        self._clock.note(sample)

    async def ask(self, path_and_query: str, cost: Cost) -> bytes:
        """The body of a 2xx reply; RetryableError or RejectedError when there is none."""
        return await ask(
            self._line, self.gate, path_and_query, cost, Purpose.READ, timeout_s=_READ_S
        )

    async def close(self) -> None:
        """Let its connections go."""
        await self._line.close()
