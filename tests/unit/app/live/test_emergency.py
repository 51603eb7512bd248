"""What an emergency looks at: also what commands have made, which a journal that is gone knew.

Not here: what is sent (execution), the whole of it with a real node (acceptance).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from holdfast.app.live import emergency
from holdfast.app.live.emergency import (
    emergency_file,
    flatten_without_journal,
    keep_symbols,
    symbols_to_flatten,
)
from holdfast.app.live.opening import open_stream
from holdfast.config import Bot, Config
from holdfast.domain.fact import AnyFact, Halted, Opened
from holdfast.domain.instrument import Instrument
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.venues.port import (
    Answer,
    Balance,
    Placement,
    Purpose,
    ThrottledError,
    TimeSample,
    Verdict,
)
from tests.support.exchange import BTC_USDT, on_virtual_loop
from tests.support.journal_facts import TAG, armed, decided
from tests.support.postgres import database
from tests.support.scripted_venue import START_MS, ScriptedVenue

BTC, ETH = "BTC/USDT", "ETH/USDT"


def configured(folder: Path, *symbols: str) -> Config:
    bots = tuple(Bot(name=f"bot{n}", strategy="sma_cross", symbols=(one,), timeframe="1h")
                 for n, one in enumerate(symbols))  # fmt: skip
    return Config(bots=bots, state_dir=str(folder / "state"))


def test_symbols_of_the_file_and_of_what_commands_made_are_looked_at(tmp_path: Path) -> None:
    config = configured(tmp_path, BTC)
    keep_symbols(config, AccountState(), (ETH,))
    assert symbols_to_flatten(config, ()) == (BTC, ETH)
    assert symbols_to_flatten(config, ("SOL/USDT",)) == (BTC, ETH, "SOL/USDT")
    keep_symbols(config, AccountState(), (BTC,))
    assert symbols_to_flatten(config, ()) == (BTC,)


def test_symbols_where_a_bot_that_runs_no_more_left_something_are_kept_too(tmp_path: Path) -> None:
    account = AccountState()
    opened = Opened(account="main", deployment=TAG, generation=1, reporting="USDT")
    facts: tuple[AnyFact, ...] = (opened, decided(1), armed(1))
    for seq, fact in enumerate(facts, start=1):
        apply(account, seq, 1, 1, fact)
    config = configured(tmp_path)
    keep_symbols(config, account, (ETH,))
    assert symbols_to_flatten(config, ()) == (BTC, ETH)


def test_where_no_node_ran_the_symbols_have_to_be_named(tmp_path: Path) -> None:
    config = configured(tmp_path, BTC)
    with pytest.raises(ConfigError, match="--symbol"):
        symbols_to_flatten(config, ())
    assert symbols_to_flatten(config, (ETH,)) == (BTC, ETH)


def test_without_a_symbol_there_is_nothing_to_succeed_at(tmp_path: Path) -> None:
    config = configured(tmp_path)
    keep_symbols(config, AccountState(), ())
    with pytest.raises(ConfigError, match="no bot of main"):
        symbols_to_flatten(config, ())


def test_an_account_waits_for_the_place_where_its_symbols_are_kept(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(RetryableError, match=r"main\.symbols"):
        keep_symbols(config, AccountState(), (BTC,))


class Exchange(ScriptedVenue):
    """Lists one market, and takes what is sold there."""

    async def instruments(self, _symbols: Collection[str] = ()) -> tuple[Instrument, ...]:
        return (BTC_USDT,)

    async def time(self) -> TimeSample:
        return TimeSample(START_MS, 0, 0)

    async def place(self, placement: Placement, on_first_byte: Callable[[], None]) -> Verdict:
        self.held = {}
        await super().place(placement, on_first_byte)
        return Verdict(answer=Answer.ACKED)


async def price(_venue: object, _symbol: str) -> Decimal:
    return Decimal(50_000)


@on_virtual_loop
async def test_what_was_not_looked_at_is_not_told_as_sold_and_the_reason_goes_to_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = Exchange()
    venue.holds(BTC="1")
    monkeypatch.setattr(emergency, "venue_of", lambda _config: venue)
    monkeypatch.setattr(emergency, "last_price", price)
    config = configured(tmp_path)
    left = await flatten_without_journal(
        config, (BTC, "GONE/USDT"), by="ana", why="the site is lost", cap_pct=Decimal(3),
        tell=lambda _text: None,
    )  # fmt: skip
    assert left == {BTC: Decimal(0), "GONE/USDT": None}
    assert len(venue.placed) == 1
    halted = emergency_file(config).merge_facts()[1]
    assert isinstance(halted, Halted)
    assert halted.reason == "emergency flatten by ana, without the journal: the site is lost"


class Banning(Exchange):
    """Says in the midst of it that it wants nothing for so long.

    Attributes:
        away_s: what it says.
    """

    def __init__(self, away_s: float) -> None:
        super().__init__()
        self.away_s = away_s
        self.asked = 0

    def delay_s(self, _purpose: Purpose, count: int = 1) -> float:
        return self.away_s * count if self.asked else 0.0

    async def balances(self, _purpose: Purpose) -> dict[str, Balance]:
        self.asked += 1
        raise ThrottledError("seen: HTTP 418 to GET /api/v3/account; do: ask again")


@on_virtual_loop
async def test_a_ban_in_the_midst_of_it_is_told_with_how_long_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = Banning(2 * 3600 + 90)
    monkeypatch.setattr(emergency, "venue_of", lambda _config: venue)
    config = configured(tmp_path)
    with pytest.raises(ThrottledError, match=r"another 2 h 2 min .*not before.*\.ban"):
        await flatten_without_journal(
            config, (BTC,), by="ana", why="", cap_pct=Decimal(3), tell=lambda _text: None
        )
    assert venue.asked == 1


# -- whether a node trades -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("the address", "a node trades main"),
        ("nothing", "of a PostgreSQL"),
        ("no such role", "role \"nobody\" does not exist"),
        ("a role without rights", "a node trades main"),
        ("a role that is full", "too many connections for role"),
    ],
)
def test_beside_a_node_nothing_is_sold_however_the_shell_names_its_journal(
    shown: str, text: str, tmp_path: Path
) -> None:
    """A journal that this shell cannot look at is not one that is gone."""
    state = tmp_path / "state"

    async def looked(url: str) -> None:
        stream = await open_stream(
            PostgresDatabase(url, state), account="main", deployment="test", reporting="USDT"
        )
        addresses = {
            "the address": url,
            "nothing": f"sqlite:///{tmp_path}/journal.db",
            "no such role": as_role(url, "nobody"),
            "a role without rights": as_role(url, "poor"),
            "a role that is full": as_role(url, "full"),
        }
        config = Config(database_url=addresses[shown], state_dir=str(state))
        try:
            with pytest.raises(ConfigError, match=text):
                await flatten_without_journal(
                    config, (BTC,), by="ana", why="", cap_pct=Decimal(3), tell=print
                )
        finally:
            await stream.store.close()
            stream.owner.release()

    def as_role(url: str, role: str) -> str:
        return url.replace("user=postgres", f"user={role}")

    with database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for role, more in (("poor", ""), ("full", "CONNECTION LIMIT 0")):
                connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
                connection.execute(f"CREATE ROLE {role} LOGIN {more}".encode())
        asyncio.run(looked(url))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE poor")
            connection.execute("DROP ROLE full")
