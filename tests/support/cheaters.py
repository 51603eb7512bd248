"""Strategies that break a law each: what is planted, the law by number, and what is said."""

from __future__ import annotations

CHEATERS = {
    "a counter of the file": (
        """
COUNT = 0
class Mine(Strategy):
    def decide(self, now):
        global COUNT
        COUNT += 1
        return Target(quantity=Decimal(1)) if COUNT % 7 == 0 else FLAT
""",
        (0, 3),
        "asked once more",
    ),
    "the future, kept by the file from the first run": (
        """
CLOSES = {}
class Mine(Strategy):
    def decide(self, now):
        CLOSES[now.time_ns] = now.bar.close
        later = CLOSES.get(now.time_ns + 60 * 10**9, now.bar.close)
        return Target(quantity=Decimal(1)) if later > now.bar.close else FLAT
""",
        (0,),
        "asked once more",
    ),
    "the clock": (
        """
from time import time
class Mine(Strategy):
    def decide(self, now):
        return FLAT if time() > 0 else KEEP
""",
        (0,),
        "asks the clock (time.time)",
    ),
    "the date": (
        """
from datetime import datetime
class Mine(Strategy):
    def decide(self, now):
        return FLAT if datetime.now().year > 2000 else KEEP
""",
        (0,),
        "asks the clock (datetime.now)",
    ),
    "dice": (
        """
import random
class Mine(Strategy):
    def decide(self, now):
        return FLAT if random.uniform(0, 1) >= 0 else KEEP
""",
        (0,),
        "throws dice",
    ),
    "a file, when asked": (
        """
from pathlib import Path
class Mine(Strategy):
    def decide(self, now):
        return FLAT if Path(__file__).read_text() else KEEP
""",
        (1,),
        "opens a file",
    ),
    "a file, in setup": (
        """
class Mine(Strategy):
    def setup(self, on):
        with open(__file__) as file:
            self.text = file.read()
    def decide(self, now):
        return FLAT
""",
        (1,),
        "opens a file",
    ),
    "a table, read by a library": (
        """
import polars as pl
class Mine(Strategy):
    def decide(self, now):
        try:
            pl.read_parquet("/no/such/prices.parquet")
        except OSError:
            pass
        return FLAT
""",
        (1,),
        "polars/io",
    ),
    "an indicator that looks ahead where it sees whole columns": (
        """
class Ahead:
    outputs, warmup, ready, value = ("value",), 1, True, 0.0
    def update(self, bar):
        self.value = float(bar.close)
    def over(self, columns):
        return ([*columns.close[1:], 0.0],)
class Mine(Strategy):
    def setup(self, on):
        self.ahead = on.bars().add(Ahead())
    def decide(self, now):
        return Target(quantity=Decimal(1)) if self.ahead.value > 30000 else FLAT
""",
        (1,),
        "over columns",
    ),
    "an average since the beginning": (
        """
class Ever:
    warmup, ready, value, bars = 1, True, 0.0, 0
    def update(self, bar):
        self.bars += 1
        self.value += (float(bar.close) - self.value) / self.bars
class Mine(Strategy):
    def setup(self, on):
        self.ever = on.bars().add(Ever())
    def decide(self, now):
        return Target(quantity=Decimal(repr(self.ever.value)))
""",
        (2,),
        "started 1 bars later",
    ),
    "the parity of the bar": (
        """
class Parity:
    warmup, ready, value = 1, True, 0.0
    def update(self, bar):
        self.value = 1.0 - self.value
class Mine(Strategy):
    def setup(self, on):
        self.parity = on.bars().add(Parity())
    def decide(self, now):
        return Target(quantity=Decimal(1)) if self.parity.value else FLAT
""",
        (2,),
        "started 1 bars later",
    ),
    "a list on self": (
        """
class Mine(Strategy):
    def setup(self, on):
        self.seen = []
    def decide(self, now):
        self.seen.append(now.bar.close)
        return Target(quantity=Decimal(1)) if now.bar.close == max(self.seen[-50:]) else FLAT
""",
        (3,),
        "a new process wished",
    ),
    "a list of the class": (
        """
class Mine(Strategy):
    def setup(self, on):
        type(self).seen.clear()
    def decide(self, now):
        self.seen.append(now.bar.close)
        return Target(quantity=Decimal(len(self.seen)))
Mine.seen = []
""",
        (3,),
        "a new process wished",
    ),
}
