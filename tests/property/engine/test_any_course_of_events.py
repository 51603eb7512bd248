"""Whatever the venue, the journal and people do, in any order: the promises of an account hold.

`World.check` and the checks at each arming are the promises; this file chooses the course.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.domain.action import Action
from holdfast.domain.fact import Leg, Quarantined, Released
from holdfast.domain.order import AttemptState, OrderType, Side, TimeInForce
from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Target
from tests.support.engine_wishes import DAY_NS
from tests.support.engine_world import BTC, FREE_LIMITS, Counting, World, bot, flow

ZERO = Decimal(0)
NAMES = ("bot", "other")

names = st.sampled_from(NAMES)
quantities = st.integers(0, 40).map(lambda n: Decimal(n) / 10)
above_zero = st.integers(1, 20).map(lambda n: Decimal(n) / 10)
levels = st.dictionaries(st.integers(90, 110), above_zero, max_size=3).map(
    lambda found: [Level(Decimal(price), quantity) for price, quantity in found.items()]
)
plain_targets = quantities.map(lambda q: Target(quantity=q))
distances = st.sampled_from([None, Percent(2), Percent(15), Decimal(85), Decimal(115)])
stops = st.sampled_from([None, Percent(2), Percent(15), Decimal(85)])


@st.composite
def full_targets(draw: st.DrawFn) -> Target:
    """Targets that say more than a quantity."""
    stop = draw(stops)
    resting, capped = draw(st.sampled_from([(None, None), (Decimal(98), None), (None, Percent(1))]))
    size = draw(st.sampled_from(["quantity", "weight", "amount"]))
    sizes = {
        "quantity": draw(quantities),
        "weight": draw(st.sampled_from([0, 0.0001, 0.0003])),
        "amount": Decimal(draw(st.integers(0, 400))),
    }
    return Target(
        **{size: sizes[size]},  # type: ignore[arg-type]
        limit=resting,
        cap=capped,
        stop=stop,
        take_profit=draw(distances),
        trail=isinstance(stop, Percent) and draw(st.booleans()),
        band=Decimal(draw(st.sampled_from(["0", "0.00005", "0.2"]))),
        episode=draw(st.sampled_from(["", "two"])),
    )


targets = st.one_of(plain_targets, full_targets())
quotes = st.builds(
    lambda bids, asks, post_only: Quotes(bids=bids, asks=asks, post_only=post_only),
    levels,
    levels,
    st.booleans(),
)
wishes = st.one_of(targets, targets, quotes, st.just(FLAT), st.just(KEEP))
levels_of_halt = st.sampled_from(["entries", "cancel", "flatten"])
shares = st.sampled_from([Decimal("0.1"), Decimal("0.5"), Decimal(1)])
fee_assets = st.sampled_from(["BTC", "USDT", "BNB"])


def cut(quantity: Decimal, share: Decimal) -> Decimal:
    """A share of `quantity` on the step, never nothing."""
    return max(BTC.floor_quantity(quantity * share), BTC.quantity_step)


class AnyCourse(RuleBasedStateMachine):
    """Two bots on one symbol of one account.

    Attributes:
        lists: whether the venue takes order lists.
        limits: of the account.
        taken: what the venue made of each list, whatever is told of it; all of it or none.
    """

    lists = False
    limits = FREE_LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[str, bool] = {}

    @initialize()
    def begin(self) -> None:
        bots = bot("bot"), bot("other", strategy=Counting())
        self.world = World(*bots, limits=self.limits, lists=self.lists)

    @rule(name=names, wish=wishes, price=st.integers(80, 120), at_once=st.integers(0, 3))
    def a_bar_closes(self, name: str, wish: object, price: int, at_once: int) -> None:
        """A bot wishes; mostly what follows is armed at once."""
        self.world.wish(wish, name)
        self.world.bar(price=price)
        if at_once:
            self.arm_all()

    @precondition(lambda self: self.world.arming)
    @rule()
    def arm_all(self) -> None:
        while self.world.arming:
            self.world.arm()

    @precondition(lambda self: self.world.arming)
    @rule(stands=st.booleans())
    def fail_arm(self, stands: bool) -> None:
        self.world.fail_arm(decision_stands=stands)

    @rule(seconds=st.sampled_from([0.3, 4.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    # -- the venue ---------------------------------------------------------------------------------

    @precondition(lambda self: self.world.unanswered)
    @rule(data=st.data(), share=st.sampled_from([ZERO, Decimal("0.5"), Decimal(1)]))
    def it_takes_an_order(self, data: st.DataObject, share: Decimal) -> None:
        cid = data.draw(st.sampled_from(list(self.world.unanswered)))
        spec, of = self.world.unanswered[cid].spec, self.world.unanswered[cid].list_cid
        if of:
            self.taken[of] = True
        executed = cut(spec.quantity, share) if share else ZERO
        self.world.ack(cid, executed, book=data.draw(st.booleans()))

    @precondition(lambda self: self.world.unanswered)
    @rule(data=st.data(), how=st.sampled_from(["doubt", "provisional", "final", "not sent"]))
    def it_takes_none(self, data: st.DataObject, how: str) -> None:
        cid = data.draw(st.sampled_from(list(self.world.unanswered)))
        of = self.world.unanswered[cid].list_cid
        if self.taken.get(of):
            how = "doubt"
        elif of and how in {"final", "not sent"}:
            self.taken[of] = False
        for each, armed in list(self.world.unanswered.items()):
            if each != cid and not (of and armed.list_cid == of):
                continue
            if how == "doubt":
                self.world.doubt(each)
            elif how == "not sent":
                self.world.not_sent(each)
            else:
                self.world.reject(each, final=how == "final")

    @precondition(lambda self: self.open_at_the_venue())
    @rule(data=st.data(), share=shares, asset=fee_assets, told=st.booleans())
    def an_order_executes(
        self, data: st.DataObject, share: Decimal, asset: str, told: bool
    ) -> None:
        """`told`: the report carries the fill; otherwise it is found later."""
        cid = data.draw(st.sampled_from(self.open_at_the_venue()))
        resting = self.world.venue[cid]
        left = resting.armed.spec.quantity - resting.executed
        quantity = min(left, cut(left, share))
        if asset == "BTC" and resting.armed.spec.side is Side.SELL:
            asset = "USDT"  # a venue takes it from what it pays out
        if told:
            fee = Decimal("0.01") if asset == "USDT" else Decimal("0.0001")
            self.world.fill(cid, quantity, fee=fee, fee_asset=asset)
        else:
            self.world.execute(cid, quantity)
            self.world.report(cid)

    @precondition(lambda self: self.behind())
    @rule(data=st.data())
    def late_fills_arrive(self, data: st.DataObject) -> None:
        self.world.book(data.draw(st.sampled_from(self.behind())))

    @precondition(lambda self: self.world.cancelling)
    @rule(answered=st.booleans())
    def a_cancel_is_sent(self, answered: bool) -> None:
        self.world.cancel(answered=answered)

    @precondition(lambda self: self.open_at_the_venue())
    @rule(data=st.data())
    def an_order_expires(self, data: st.DataObject) -> None:
        self.world.end(data.draw(st.sampled_from(self.open_at_the_venue())))

    @precondition(lambda self: self.unsettled())
    @rule(data=st.data(), found=st.booleans(), share=shares)
    def a_doubt_is_settled(self, data: st.DataObject, found: bool, share: Decimal) -> None:
        cid = data.draw(st.sampled_from(self.unsettled()))
        order = self.world.account.live[cid]
        if order.armed.list_cid:
            found = self.taken.setdefault(order.armed.list_cid, found)
        if found:
            self.world.ack(cid, max(cut(order.armed.spec.quantity, share), order.booked))
        else:
            self.is_absent(cid)

    def is_absent(self, cid: str) -> None:
        if self.world.account.live[cid].in_doubt:
            self.world.never(cid)
        else:
            self.world.close_reject(cid)

    def open_at_the_venue(self) -> list[str]:
        cids = [order.armed.cid for order in self.world.working()]
        return [cid for cid in cids if self.world.venue[cid].open]

    def behind(self) -> list[str]:
        return [cid for cid, o in self.world.account.live.items() if o.executed > o.booked]

    def unsettled(self) -> list[str]:
        return [
            cid
            for cid, o in self.world.account.live.items()
            if o.in_doubt or (o.state is AttemptState.REJECTED and not o.closed)
        ]

    # -- people, money, processes ------------------------------------------------------------------

    @rule(data=st.data(), what=st.sampled_from(["command", "money", "restart"]))
    def something_else_happens(self, data: st.DataObject, what: str) -> None:
        world = self.world
        if what == "money":
            world.commit(flow("USDT", Decimal(data.draw(st.integers(-100, 100)))))
        elif what == "restart":
            world.restart(from_snapshot=data.draw(st.booleans()))
        else:
            commands = [("halt", "resume"), ("stop", "start"), ("drain", "start")]
            command, undo = data.draw(st.sampled_from(commands))
            name = data.draw(names)
            level = {"level": data.draw(levels_of_halt)} if command == "halt" else {}
            world.ask(command, bot=name, **level)
            world.check()
            world.bar()
            if data.draw(st.integers(0, 4)):
                world.ask(undo, bot=name)

    # -- promises ----------------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.calm_down()

    def calm_down(self) -> None:
        """Everything is answered, everybody may trade, time passes: the wishes are reached."""
        world = self.world
        for cid, order in list(world.account.live.items()):
            if order.in_doubt or order.state is AttemptState.REJECTED:
                if self.taken.get(order.armed.list_cid):
                    world.ack(cid)
                else:
                    self.is_absent(cid)
        world.ask("resume")
        for name in NAMES:
            world.ask("resume", bot=name)
            world.ask("start", bot=name)
        for _ in range(8):
            for cid, order in list(world.account.live.items()):
                if order.executed > order.booked and cid in world.venue:
                    world.book(cid)
                spec = order.armed.spec
                at_once = spec.type is OrderType.MARKET or spec.time_in_force is TimeInForce.IOC
                has_fired = bool(order.exit) and order.executed > ZERO
                if (at_once or has_fired) and order.is_working:
                    world.fill(cid, spec.quantity - world.venue[cid].executed)
            world.settle()
            world.tick(31)
            self.all_bars_close()
        world.settle()
        for name in NAMES:
            self.is_reached(name)
        self.all_bars_close()
        assert not world.cancelling
        assert not [arm for arm in world.arming if arm.orders]

    def all_bars_close(self) -> list[Action]:
        return self.world.bar()

    def is_reached(self, name: str) -> None:
        world = self.world
        state = world.account.bots[name]
        resting = {
            (o.armed.spec.side, o.armed.spec.price, o.armed.spec.quantity)
            for o in world.working()
            if o.armed.bot == name
            and not o.exit
            and o.armed.spec.time_in_force is not TimeInForce.IOC
        }
        dust = BTC.smallest_order(world.prices["BTC/USDT"])
        refused = {r.leg for r in world.refusals if r.bot == name}
        for leg in state.legs:
            if leg.leg in refused:
                continue
            if leg.target is not None and leg.price is None and leg.cap_pct is None:
                spent = state.spent.get(leg.symbol) == leg.episode
                target = ZERO if spent else leg.target
                assert resting == set()
                assert abs(world.held(name) - target) < max(dust, ZERO if spent else leg.band)
                self.is_protected(name, leg)
        wanted = {(leg.side, leg.price) for leg in state.legs if leg.target is None}
        limits = {
            (side, leg.price) for leg in state.legs if leg.target is not None for side in Side
        }
        assert {(side, price) for side, price, _ in resting} <= wanted | limits

    def is_protected(self, name: str, leg: Leg) -> None:
        """What is held and can be sold has its stop, of exactly that size; nothing else has one."""
        world = self.world
        state = world.account.bots[name]
        stops = [o.armed.spec for o in world.working() if o.armed.bot == name and o.exit == "stop"]
        exits = state.exits.get(leg.symbol)
        if exits is None or exits.stop is None or leg.symbol in state.spent:
            assert not stops
            return
        refused = {r.leg for r in world.refusals if r.bot == name}
        if refused & {f"{leg.symbol}|stop", f"{leg.symbol}|exits"}:
            return
        held = BTC.floor_quantity(min(world.held(name), world.account.holdings["BTC"]))
        if held >= BTC.smallest_order(exits.stop):
            assert [(spec.quantity, spec.stop_price) for spec in stops] == [(held, exits.stop)]
            above = [o.armed.spec for o in world.working() if o.armed.bot == name and o.exit]
            assert {spec.quantity for spec in above} == {held}


class AnyCourseWithLists(AnyCourse):
    """The same, at a venue where stop and take-profit rest as one."""

    lists = True

    @precondition(lambda self: self.unseen())
    @rule(data=st.data(), share=shares)
    def an_order_of_a_list_executes_unseen(self, data: st.DataObject, share: Decimal) -> None:
        cid = data.draw(st.sampled_from(self.unseen()))
        resting = self.world.venue[cid]
        left = resting.armed.spec.quantity - resting.executed
        self.world.execute(cid, min(left, cut(left, share)))

    @precondition(lambda self: self.world.untold())
    @rule(data=st.data())
    def the_end_of_an_order_is_told(self, data: st.DataObject) -> None:
        self.world.report(data.draw(st.sampled_from(self.world.untold())))

    def unseen(self) -> list[str]:
        """Open orders of lists, whatever the account knows of them."""
        return [cid for cid, o in self.world.venue.items() if o.open and o.armed.list_cid]


class AnyCourseOnLostDays(AnyCourse):
    """The same, where a day's loss has a limit, and symbols come into quarantine and out of it."""

    limits = msgspec.structs.replace(FREE_LIMITS, max_daily_loss=Decimal(5))

    @rule(what=st.sampled_from(["BTC", "USDT", "BTC/USDT", "ETH"]))
    def something_differs(self, what: str) -> None:
        if what in self.world.account.quarantine:
            self.world.commit(Released(what=what, by="reconcile", evidence="it agrees"))
        else:
            self.world.commit(Quarantined(what=what, by="reconcile", evidence="it differs"))

    @rule()
    def a_day_ends(self) -> None:
        self.world.now_ns = self.world.now_ns // DAY_NS * DAY_NS + DAY_NS
        self.world.tick(0.1)

    def calm_down(self) -> None:
        for what in list(self.world.account.quarantine):
            self.world.commit(Released(what=what, by="reconcile", evidence="it agrees"))
        super().calm_down()


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=150, stateful_step_count=70)
TestAnyCourseWithLists = AnyCourseWithLists.TestCase
TestAnyCourseWithLists.settings = settings(max_examples=150, stateful_step_count=70)
TestAnyCourseOnLostDays = AnyCourseOnLostDays.TestCase
TestAnyCourseOnLostDays.settings = settings(max_examples=100, stateful_step_count=70)
