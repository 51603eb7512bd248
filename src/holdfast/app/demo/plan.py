"""What runs in a folder: which market, which account, which bots. Kept there, so that it goes on.

Lives here: the shape of it, and the demo's own. Not here: the folder (home), starting it (site),
the plan of a paper run (app.paper).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar

import msgspec

from holdfast.app.demo.admin import Admin

DEFAULT_SEED = 7
# Enough bars of a second for every indicator of the demo's bots; more would only take longer.
WARM_UP_S = 300
_GRID_HALF_WIDTH = Decimal("0.0035")
_CENT = Decimal("0.01")


class Plan(msgspec.Struct, kw_only=True):
    """What a folder keeps of itself.

    Attributes:
        verb: of the command line that runs it; its file and its node are called so as well.
        kind: what a run of it is called.
        format: of its file.
        port: where the exchange listened last.
        runs: how often it was started.
        nodes: how many share its account.
    """

    verb: ClassVar[str]
    kind: ClassVar[str]
    nodes: ClassVar[int] = 1

    format: int = 1
    port: int = 0
    runs: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the account exists at the exchange and its keys are in the folder."""
        raise NotImplementedError

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded, `BASE/QUOTE`."""
        raise NotImplementedError

    @property
    def market(self) -> str:
        """The market, for people."""
        raise NotImplementedError

    @property
    def opening(self) -> dict[str, str]:
        """The account's first balances, by asset."""
        raise NotImplementedError

    @property
    def assumption(self) -> str:
        """What is assumed of that market, for people; empty when nothing is."""
        return ""

    async def check(self) -> None:
        """Look, before anything starts, whether what it needs from elsewhere is there.

        Raises:
            ConfigError, UnreachableError: it is not; with what to do.
        """

    def exchange_words(self) -> list[str]:
        """The options that `holdfast exchange serve` gets for this market."""
        raise NotImplementedError

    async def settle_in(self, admin: Admin) -> None:
        """Choose what depends on the market; the plan is complete afterwards."""
        raise NotImplementedError

    def bots(self) -> str:
        """The bots, as TOML of the node's configuration."""
        raise NotImplementedError


class DemoPlan(Plan, kw_only=True):
    """Two bots on an invented market, and two nodes of which one goes on when the other is gone.

    Attributes:
        seed: of the market; it begins anew at each start, the money does not.
        grid_low, grid_high: prices between which the grid trades, text; empty until the account
            exists.
    """

    verb = "demo"
    kind = "demo"
    nodes = 2

    seed: int = DEFAULT_SEED
    grid_low: str = ""
    grid_high: str = ""

    @property
    def is_complete(self) -> bool:
        """See `Plan`."""
        return bool(self.grid_low)

    @property
    def symbols(self) -> tuple[str, ...]:
        """One for each bot."""
        return "BTC/USDT", "ETH/USDT"

    @property
    def market(self) -> str:
        """See `Plan`."""
        return f"invented market, seed {self.seed}"

    @property
    def opening(self) -> dict[str, str]:
        """Besides the cash a little of each coin: fees are taken in it, a sell must be covered."""
        return {"USDT": "10000", "BTC": "0.01", "ETH": "0.2"}

    def exchange_words(self) -> list[str]:
        """See `Plan`."""
        return ["--synthetic", "--seed", str(self.seed), "--warm-up", str(WARM_UP_S)]

    async def settle_in(self, admin: Admin) -> None:
        """Choose the grid's prices around the present one."""
        price = await admin.price("ETHUSDT")
        low, high = (price * (1 + side * _GRID_HALF_WIDTH) for side in (-1, 1))
        self.grid_low = str(low.quantize(_CENT, ROUND_HALF_UP))
        self.grid_high = str(high.quantize(_CENT, ROUND_HALF_UP))

    def bots(self) -> str:
        """See `Plan`."""
        return f"""\
[account.limits]
max_orders_per_minute = 240

[[bots]]
name = "trend"
strategy = "sma_cross"
symbols = ["BTC/USDT"]
timeframe = "1s"
params = {{ fast = 2, slow = 3, quantity = "0.003" }}
limits = {{ max_orders_per_minute = 120, max_position_notional = "2500" }}

[[bots]]
name = "grid"
strategy = "grid"
symbols = ["ETH/USDT"]
timeframe = "1s"
limits = {{ max_orders_per_minute = 120, max_position_notional = "2500" }}

[bots.params]
low = "{self.grid_low}"
high = "{self.grid_high}"
cells = 16
unit = "0.04"
"""


def demo_plan(kept: DemoPlan | None, seed: int | None) -> DemoPlan:
    """The plan to go on with.

    Args:
        kept: what the folder keeps, None for a new one.
        seed: of the market from now on; None keeps the folder's.
    """
    plan = kept or DemoPlan()
    if seed is not None:
        plan.seed = seed
    return plan
