"""The state of an account: orders that may still matter, holdings, bots, halts.

Lives here: the values and how they are read, and the bytes of a snapshot. Not here: how facts
change them (ledger.fold), what to do next (engine).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.fact import Armed, BreakerState, HaltLevel, Leg, SignalReceived
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import OPEN, AttemptState, OrderState
from holdfast.ledger.lost import LostTime
from holdfast.ledger.portfolio import Position, Units

SNAPSHOT_FORMAT: Final = 3
"""What is written; the one before is read as well, and lacks what came since."""

WISH_KEY: Final = "wish "
"""How keys that wishes bring along begin: none meets a number that a bot counts to."""

STOP: Final = "stop"
TAKE_PROFIT: Final = "take_profit"
EXITS: Final = "exits"
"""What the leg of a protective order is called, after its symbol and a bar; the last is of a list
that is both."""

FLATTENED: Final = "flatten"
"""What the leg of a sale that a halt demands is called, after its symbol and a bar."""

# Members of an enum are slow to look up on Python 3.11, and every order meets these often.
_ACKED: Final = AttemptState.ACKED
_REJECTED: Final = AttemptState.REJECTED
_EXITS: Final = frozenset({STOP, TAKE_PROFIT})
_UNKNOWN: Final = frozenset({AttemptState.ARMED, AttemptState.IN_DOUBT})


class LiveOrder(msgspec.Struct, gc=False):
    """An attempt that may still execute, fill or be refused; like the other small states here it is
    part of no cycle, so the garbage collector need not follow it (`gc=False`).

    Attributes:
        executed: base units the venue reports as filled; never falls.
        booked: base units of the fills in the journal.
        shared: base units that others of its list have booked of the one quantity that they share.
        closed: a rejection that was provisional has closed.
        cancels: how many cancels were armed for it.
        cancelled_ns: journal time of the last one, 0 without any.
        learnt_ms: exchange time of the last news.
        is_ghost: it executed although it was declared absent, and that was said.
    """

    armed: Armed
    state: AttemptState = AttemptState.ARMED
    order_id: str = ""
    order_state: OrderState | None = None
    executed: Decimal = ZERO
    booked: Decimal = ZERO
    shared: Decimal = ZERO
    closed: bool = False
    cancels: int = 0
    cancelled_ns: int = 0
    learnt_ms: int = 0
    is_ghost: bool = False

    @property
    def is_unresolved(self) -> bool:
        """Whether it may yet turn out to have executed."""
        state = self.state
        return state in _UNKNOWN or (state is _REJECTED and not self.closed)

    @property
    def is_under_way(self) -> bool:
        """Whether nobody knows yet, or nobody can, what became of it."""
        return self.state in _UNKNOWN

    @property
    def in_doubt(self) -> bool:
        """Whether nobody knows."""
        return self.state is AttemptState.IN_DOUBT

    @property
    def is_working(self) -> bool:
        """Whether the venue has it open."""
        return self.state is _ACKED and self.order_state in OPEN

    @property
    def outstanding(self) -> Decimal:
        """Base units that may still be booked: the worst case that limits count with."""
        if self.order_state in OPEN if self.state is _ACKED else self.is_unresolved:
            return self.armed.spec.quantity - self.booked - self.shared
        return max(ZERO, self.executed - self.booked)

    @property
    def reserve(self) -> Decimal:
        """What of `armed.reserve` is still set aside."""
        return self.armed.reserve * self.outstanding / self.armed.spec.quantity

    @property
    def protects(self) -> bool:
        """Whether it is a stop, or shares its list with one."""
        return self.exit == STOP or (bool(self.exit) and bool(self.armed.list_cid))

    @property
    def exit(self) -> str:
        """`stop` or `take_profit` when it takes a position off by itself, else nothing."""
        leg = self.armed.leg
        if "|" not in leg:  # most orders
            return ""
        what = leg.rpartition("|")[2]
        if what == EXITS:
            return TAKE_PROFIT if self.armed.spec.stop_price is None else STOP
        return what if what in _EXITS else ""

    @property
    def is_forced(self) -> bool:
        """Whether a halt, and not the bot's wish, demands it."""
        return self.armed.leg.endswith(f"|{FLATTENED}")

    @property
    def is_over(self) -> bool:
        """Whether no news that matters can come."""
        return self.executed <= self.booked and not (self.is_unresolved or self.is_working)


class LegProgress(msgspec.Struct, gc=False):
    """How far a leg of the bot's current decision has come.

    Attributes:
        seq, n: of its last attempt; -1 and 0 when that was an earlier decision's.
        cid: of its last attempt.
        misses: attempts in a row that ended with nothing booked; the next one waits longer.
        missed_ns: journal time at which the last of them ended.
        empty: its last attempt proved to have executed nothing: the same intent may be tried again.
        ended_ns: journal time at which its last attempt ended, 0 while it may still execute.
    """

    seq: int
    n: int
    cid: str
    misses: int = 0
    missed_ns: int = 0
    empty: bool = False
    ended_ns: int = 0


class Exits(msgspec.Struct, gc=False):
    """Where to leave a position; frozen at its first fill, but for a stop that trails upward.

    Attributes:
        stop, take_profit: quote units per base unit; None without.
    """

    stop: Decimal | None = None
    take_profit: Decimal | None = None


class LastExit(msgspec.Struct, frozen=True):
    """How a bot came to be flat in a symbol.

    Attributes:
        reason: `wish`, `stop`, `take_profit` or `flatten`.
        at_ns: exchange time of the fill that did it.
        price: of that fill.
    """

    reason: str
    at_ns: int
    price: Decimal


class BotState(msgspec.Struct):
    """One bot as the journal knows it.

    Attributes:
        keys: the last ones that its wishes brought along, oldest first.
        exits: of its open positions, by symbol.
        spent: episodes whose stop or take-profit has fired, or that a halt has sold, by symbol:
            they count as flat.
        last_exits: by symbol.
        halt_level: of its own halt; means nothing while `halted` is empty.
        draining: it goes on without new exposure.
        decided_ns: time of the market event that the last decision was made on.
        by_command: a command configured it; until that is called off, no file does.
        removed: it is gone, and stays told of.
    """

    config_version: int = 0
    config: str = ""
    anchor_ns: int = 0
    running: bool = False
    failed: str = ""
    number: int = 0
    key: str = ""
    wish: str = ""
    legs: tuple[Leg, ...] = ()
    memory: str | None = None
    progress: dict[str, LegProgress] = {}
    positions: dict[str, Position] = {}
    halted: str = ""
    lost_too_much: bool = False
    keys: tuple[str, ...] = ()
    exits: dict[str, Exits] = {}
    spent: dict[str, str] = {}
    last_exits: dict[str, LastExit] = {}
    halt_level: HaltLevel = HaltLevel.ENTRIES
    draining: bool = False
    decided_ns: int = 0
    by_command: bool = False
    removed: bool = False

    def target(self, symbol: str) -> Leg | None:
        """The standing target in `symbol`, if that is what it wants there."""
        for leg in self.legs:
            if leg.symbol == symbol and leg.target is not None:
                return leg
        return None

    def position(self, symbol: str) -> Position:
        """The position in `symbol`, to read: an empty one when there is none."""
        return self.positions.get(symbol) or Position()

    def held(self, symbol: str) -> Decimal:
        """Base units of `symbol` that the bot holds."""
        position = self.positions.get(symbol)
        return position.quantity if position is not None else ZERO


class Counters(msgspec.Struct):
    """Totals since the stream began, for people and checkers."""

    attempts: int = 0
    acked: int = 0
    rejected: int = 0
    not_sent: int = 0
    doubts: int = 0
    never: int = 0
    fills: int = 0
    ghosts: int = 0
    cancels: int = 0
    refusals: int = 0
    takeovers: int = 0


class AccountState(msgspec.Struct):
    """Everything that one account's stream says.

    Attributes:
        seq: of the last fact applied.
        live: attempts that may still matter, by client order id, in arming order.
        recent: the last closed ones, for reports that arrive late.
        holdings: free and locked together, by asset; fills and cash flows only.
        halted: reason of the account's halt, empty when trading.
        lost_too_much: a drawdown is a cause of that halt, perhaps beside others.
        last_trade: the newest booked trade id by symbol.
        signals: the last values of each external series, oldest first.
        halt_level: of that halt; means nothing while there is none.
        breakers: circuit breakers that are not closed, by class of endpoints.
        in_maintenance: the exchange says that it is closed for a while.
        quarantine: assets and symbols that differ from the exchange, with the evidence.
        limits: canonical JSON as a command set them; empty while the file's are good.
        limits_version: how often a command has.
        uid: what the exchange calls the account; empty until a leader learnt it, then for good.
        leader: boot id of the process that took over last.
        lost: the time whose records a restored backup lacks; None where none was restored.
        as_of_ns: exchange time of the balances that a holding was last taken from, by asset.
    """

    account: str = ""
    deployment: str = ""
    generation: int = 0
    reporting: str = ""
    seq: int = 0
    epoch: int = 0
    live: dict[str, LiveOrder] = {}
    recent: dict[str, LiveOrder] = {}
    holdings: dict[str, Decimal] = {}
    bots: dict[str, BotState] = {}
    units: Units = msgspec.field(default_factory=Units)
    halted: str = ""
    lost_too_much: bool = False
    last_trade: dict[str, str] = {}
    instruments: dict[str, Instrument] = {}
    counters: Counters = msgspec.field(default_factory=Counters)
    commands: int = 0
    signals: dict[str, tuple[SignalReceived, ...]] = {}
    halt_level: HaltLevel = HaltLevel.ENTRIES
    breakers: dict[str, BreakerState] = {}
    in_maintenance: bool = False
    quarantine: dict[str, str] = {}
    limits: str = ""
    limits_version: int = 0
    uid: str = ""
    leader: str = ""
    lost: LostTime | None = None
    as_of_ns: dict[str, int] = {}

    def bot(self, name: str) -> BotState:
        """The bot called `name`, to read: an empty one when the journal does not know it."""
        return self.bots.get(name) or BotState()

    def entered(self, name: str) -> BotState:
        """The bot called `name`, to change: made at the first fact about it."""
        found = self.bots.get(name)
        if found is None:
            found = self.bots[name] = BotState()
        return found

    @property
    def present(self) -> dict[str, BotState]:
        """The bots that there are, by name; those that were removed are only told of."""
        return {name: bot for name, bot in self.bots.items() if not bot.removed}

    def halt(self, bot: str) -> HaltLevel | None:
        """How much of a bot is stopped, by its drain and both halts; None while it trades."""
        level = self.halt_level if self.halted else None
        own = self.bots.get(bot)
        if own is None or not (own.halted or own.draining):
            return level
        mine = own.halt_level if own.halted else HaltLevel.ENTRIES
        return mine if level is None or mine.includes(level) else level

    def quarantined(self, symbol: str) -> str:
        """Why nothing may be added to `symbol` or to an asset of it; empty while it may."""
        whats = (symbol, *symbol.split("/")) if self.quarantine else ()
        return next((self.quarantine[i] or i for i in whats if i in self.quarantine), "")

    def order(self, cid: str) -> LiveOrder | None:
        """The attempt with this id, live or recently closed."""
        return self.live.get(cid) or self.recent.get(cid)

    def orders(self, symbol: str, bot: str | None = None) -> Iterator[LiveOrder]:
        """Live attempts on `symbol`, of one bot or of all."""
        for order in self.live.values():
            if order.armed.spec.symbol == symbol and (bot is None or order.armed.bot == bot):
                yield order

    def elsewhere(self, bot: str, symbols: Collection[str]) -> list[str]:
        """Symbols other than `symbols` where the bot has orders, or holds what can be sold."""
        known = self.bots.get(bot)
        held = {} if known is None else known.positions
        found = {o.armed.spec.symbol for o in self.live.values() if o.armed.bot == bot}
        for other, position in held.items():
            instrument, price = self.instruments.get(other), position.average_price
            least = instrument.smallest_order(price) if instrument and price else ZERO
            if position.quantity > ZERO and position.quantity >= least:
                found.add(other)
        return sorted(found - set(symbols))

    def mates(self, order: LiveOrder) -> list[LiveOrder]:
        """Live orders of the same list, without this one; none when it stands alone."""
        of = order.armed.list_cid
        if not of:
            return []
        return [o for o in self.live.values() if o.armed.list_cid == of and o is not order]

    def unsettled(self) -> bool:
        """Whether orders ended that no comparison of balances has confirmed yet."""
        return any(
            order.order_state is not None and order.order_state is not OrderState.SETTLED
            for order in self.recent.values()
        )

    def reserved(self, asset: str) -> Decimal:
        """What of `asset` is set aside for attempts that may still execute."""
        mine = [order for order in self.live.values() if order.armed.reserve_asset == asset]
        return sum([order.reserve for order in once(mine)], start=ZERO) if mine else ZERO

    def free(self, asset: str) -> Decimal:
        """What of `asset` may be committed now."""
        return self.holdings.get(asset, ZERO) - self.reserved(asset)

    def equity(self, marks: dict[str, Decimal]) -> Decimal | None:
        """All holdings in the reporting currency; None while one of them has no price.

        Args:
            marks: reporting units by asset; the reporting currency itself needs no entry.
        """
        total = ZERO
        for asset, amount in self.holdings.items():
            if asset == self.reporting:
                total += amount
            elif amount:
                mark = marks.get(asset)
                if mark is None:
                    return None
                total += amount * mark
        return total


def once(orders: Iterable[LiveOrder]) -> Iterator[LiveOrder]:
    """The orders, and of each list only the one with the least outstanding.

    The parts of a list share one quantity. What remains of it is no more than what remains of any
    part, whatever is known of the others yet.
    """
    least: dict[str, LiveOrder] = {}
    for order in orders:
        of = order.armed.list_cid
        if not of:
            yield order
        elif of not in least or order.outstanding < least[of].outstanding:
            least[of] = order
    yield from least.values()


class _Snapshot(msgspec.Struct, omit_defaults=True):
    v: int
    state: AccountState
    derived: dict[str, msgspec.Raw] = {}


class _Derived(msgspec.Struct):
    v: int
    derived: dict[str, msgspec.Raw] = {}


_encoder: Final = msgspec.json.Encoder(decimal_format="string")
_decoder: Final = msgspec.json.Decoder(_Snapshot)
_derived_decoder: Final = msgspec.json.Decoder(_Derived)  # it skips the fold, most of a snapshot
_FORMATS: Final = frozenset({SNAPSHOT_FORMAT - 1, SNAPSHOT_FORMAT})


def to_bytes(state: AccountState, derived: Mapping[str, msgspec.Raw] | None = None) -> bytes:
    """A snapshot's body: a format version, the fold, and what bots have derived from bars."""
    return _encoder.encode(_Snapshot(SNAPSHOT_FORMAT, state, dict(derived or {})))


def from_bytes(body: bytes) -> AccountState | None:
    """The fold in a snapshot's body; None when another version wrote it (replay instead)."""
    try:
        snapshot = _decoder.decode(body)
    except msgspec.DecodeError:
        return None
    return snapshot.state if snapshot.v in _FORMATS else None


def derived_in(body: bytes) -> dict[str, msgspec.Raw]:
    """What bots had derived from bars by then, by name; nothing when it was not kept."""
    try:
        snapshot = _derived_decoder.decode(body)
    except msgspec.DecodeError:
        return {}
    return snapshot.derived if snapshot.v in _FORMATS else {}
