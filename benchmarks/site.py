"""A local exchange in a process of its own, an account at it, and a node's configuration.

Not here: any measuring, or the market (`holdfast exchange serve`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

FUNDS = "1000000"
SYMBOL = "BTC/USDT"
# Nothing that is measured is about the number of requests that an exchange allows.
LIMITS = (
    b'{"weight_per_minute": 6000000, "orders_per_10s": 1000000, "orders_per_day": 100000000,'
    b' "raw_requests_per_5m": 100000000, "connections_per_5m": 100000}'
)
STRATEGIES = '''
"""One strategy that wants something else at every bar, and one that never wants anything new."""

from decimal import Decimal

from holdfast.strategy import FLAT, KEEP, Strategy, Target, View, Wish


class Flip(Strategy):
    """Long and flat in turn."""

    quantity: Decimal = Decimal("0.0002")

    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity else Target(quantity=self.quantity)


class Hold(Strategy):
    """Whatever was decided stands."""

    def decide(self, now: View) -> Wish:
        return KEEP
'''


class Account(msgspec.Struct, frozen=True):
    """Keys of an account at the local exchange, by the names they have on the wire."""

    apiKey: str  # noqa: N815
    secret: str


class _Listening(msgspec.Struct):
    listening: str


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk of the working directory: a temporary one may be in memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as path:
        yield Path(path)


@contextmanager
def exchange(home: Path) -> Iterator[str]:
    """The address of an exchange with a quiet invented market; it ends with the context."""
    limits = home / "limits.json"
    limits.write_bytes(LIMITS)
    words = [
        "exchange", "serve", "--port", "0", "--synthetic", "--seed", "7", "--symbol", SYMBOL,
        "--rate", "20", "--warm-up", "300", "--limits", str(limits),
    ]  # fmt: skip
    with (
        (home / "exchange.log").open("ab") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words], stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield msgspec.json.decode(process.stdout.readline(), type=_Listening).listening
        finally:
            process.terminate()


def open_account(url: str) -> Account:
    """An account with a million USDT, which pays its fees in USDT: so no position leaves dust."""
    body = msgspec.json.encode({"balances": {"USDT": FUNDS}, "fees": {"asset": "quote"}})
    request = urllib.request.Request(f"{url}/admin/accounts", body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return msgspec.json.decode(answer.read(), type=Account)


def write_config(home: Path, url: str, strategy: str, count: int = 1) -> tuple[Path, Path]:
    """A node's configuration file with `count` equal bots, and the path of its journal.

    The keys are read from the environment, see `keys`.

    Args:
        url: of the exchange, or of what stands between.
        strategy: a class of `STRATEGIES`.
    """
    bots, config = home / "bots.py", home / f"holdfast-{count}.toml"
    journal = home / f"journal-{count}.db"
    bots.write_text(STRATEGIES)
    websocket = url.replace("http", "ws", 1)
    config.write_text(f"""\
deployment = "bench"
database_url = "sqlite:///{journal}"
log_level = "error"

[account]
name = "main"
api_key = "env:BENCH_KEY"
api_secret = "env:BENCH_SECRET"

[account.venue]
rest_url = "{url}"
stream_url = "{websocket}/stream"
ws_api_url = "{websocket}/ws-api/v3"

[account.limits]
max_orders_per_minute = 1000000

{"".join(_bot(number, bots, strategy) for number in range(count))}""")
    return config, journal


def _bot(number: int, file: Path, strategy: str) -> str:
    return f"""
[[bots]]
name = "bench-{number}"
strategy = "{file}:{strategy}"
symbols = ["{SYMBOL}"]
timeframe = "1s"

[bots.limits]
max_order_notional = "10000"
max_position_notional = "20000"
max_open_orders = 10
max_orders_per_minute = 1000000
max_daily_loss = "900000"
max_drawdown_pct = "90"
"""


def keys(account: Account) -> Mapping[str, str]:
    """Environment in which the configuration finds the account's keys."""
    return {"BENCH_KEY": account.apiKey, "BENCH_SECRET": account.secret}
