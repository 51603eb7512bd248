"""The keeper: renews a node's lease, watches the others, and says which accounts to lead.

Read `_round` from top to bottom. It runs no strategy and sends no order; in production it is a
process of its own. Not here: who should lead (election), what leading takes (app).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from holdfast.cluster.board import Board, State, Wanted
from holdfast.cluster.election import Election
from holdfast.cluster.port import ANY, Claim, ForgottenError, LeaseStore, Member, TwinError, View
from holdfast.cluster.proof import Proof
from holdfast.cluster.tenure import Tenure
from holdfast.cluster.timing import Timing
from holdfast.errors import ConfigError, OutcomeUnknownError, RetryableError
from holdfast.telemetry.log import get_logger

log = get_logger("cluster.keeper")

HANDING_POLL_S = 0.01
"""Between two looks while an account is on its way from one member to another."""
_FAILED = (RetryableError, OutcomeUnknownError, TimeoutError)


class Keeper:
    """Keeps one member of a cluster, from joining to leaving.

    Args:
        now_ns: the clock that leases are measured on; the board's.
        is_gone: whether a member's process is proven gone.
    """

    def __init__(
        self,
        *,
        store: LeaseStore,
        member: Member,
        timing: Timing,
        board: Board,
        now_ns: Callable[[], int],
        is_gone: Callable[[Member], bool],
    ) -> None:
        self._store = store
        self._member = member
        self._me = member.boot_id
        self._timing = timing
        self._board = board
        self._now_ns = now_ns
        self._is_gone = is_gone
        self._election = Election(member, timing)
        self._held: dict[str, Claim] = {}
        self._tenures = defaultdict[str, Tenure](lambda: Tenure(timing))  # by account
        self._renew_at_ns = 0
        self._lease_ns = 0  # until when the last renewal that was answered lasts
        self._live: frozenset[str] = frozenset()  # when last seen
        self._others: frozenset[str] = frozenset()  # accounts that others of those could lead
        self._beside: dict[str, tuple[str, int]] | None = None  # those others, and since when
        self._let_go: set[Claim] = set()
        self._expecting = False
        self._stopping = False
        self._wake = asyncio.Event()
        self._proof = Proof(store.sync, timing, now_ns, self._wake.set)
        self._told_s = -60.0

    def stop(self) -> None:
        """Hand over what is held, as soon as it has come to rest, and leave."""
        self._stopping = True
        self._wake.set()

    def beside(self) -> dict[str, float] | None:
        """The other members that live, by name: for how many seconds each has been seen.

        None before it is known.
        """
        if self._beside is None:
            return None
        now_ns = self._now_ns()
        return {node: (now_ns - since_ns) / 1e9 for node, since_ns in self._beside.values()}

    def patience_s(self, account: str) -> float:
        """How long an account may do without an answer here before another node is to try."""
        return self._tenures[account].patience_s

    async def run(self) -> None:
        """Take part until stopped.

        Raises:
            TwinError: another live member has this node's name.
            ConfigError: the store does not let it in, or has refused it until its lease ran out.
            ForgottenError: the store forgot this member; make another keeper.
        """
        listening = asyncio.create_task(self._listen())
        try:
            await self._join()
            while not (self._stopping and not self._held):
                await self._round()
                await self._pause()
            await self._leave()
        finally:
            listening.cancel()
            self._proof.close()
            self._board.lease(0)
            for account in self._member.accounts:
                self._board.want(account, Wanted.FOLLOW)

    async def _listen(self) -> None:
        """What an account tells is acted on at once."""
        while True:
            await self._board.told()
            self._wake.set()

    async def _join(self) -> None:
        pause_s = self._timing.poll_s
        while not self._stopping:
            try:
                async with asyncio.timeout(self._timing.call_s):
                    await self._store.join(self._member)
            except _FAILED as error:
                self._say("no lease store", error, action="join_wait")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._timing.ttl_s)
            else:
                log.info("joined", action="joined", node=self._member.node, boot_id=self._me)
                return

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(self._timing.call_s):
                await self._store.leave(self._me)
        except _FAILED as error:  # the lease runs out by itself
            self._say("not left", error, action="leave_failed")

    # -- one round -------------------------------------------------------------------------------

    async def _round(self) -> None:
        """Renew when it is time; look at everybody; take what is nobody's; give what is planned."""
        if self._now_ns() >= self._renew_at_ns and not await self._renew():
            return  # the next try must come before the lease has run out: nothing goes before it
        try:
            async with asyncio.timeout(self._timing.call_s):
                view = await self._store.view()
                self._require_name(view)
                await self._learn(view)
                now_ns = self._now_ns()
                if not self._stopping:
                    await self._take(view, now_ns)
                    await self._ask_for(view, now_ns)
                await self._give(view, now_ns)
        except _FAILED as error:
            self._say("no view of the cluster", error, action="members_wait")
        except ConfigError as error:
            self._require_lease(error)
            self._say("refused a view of the cluster", error, action="members_wait")

    async def _renew(self) -> bool:
        """One renewal; a failed one is tried again at the next round, until the lease runs out."""
        sent_ns = self._now_ns()
        try:
            async with asyncio.timeout(self._timing.call_s):
                held = await self._store.renew(self._me)
        except _FAILED as error:
            self._say("lease not renewed", error, action="renew_wait")
            if not self._was_held_up(sent_ns):  # the store may be well
                await self._let_others()
            return False
        except ConfigError as error:
            self._require_lease(error)
            self._say("lease refused", error, action="renew_wait")
            await self._let_others()
            return False
        if held is None:
            raise ForgottenError(
                f"seen: no member {self._me} in the lease store; expected: this node; do: nothing, "
                "it joins again"
            )
        self._renew_at_ns = sent_ns + int(self._timing.renew_s * 1e9)
        self._lease_ns = sent_ns + int(self._timing.lease_s * 1e9)
        self._board.lease(self._lease_ns)
        self._let_go.clear()
        self._hold(held)
        return True

    def _require_lease(self, error: ConfigError) -> None:
        """A refusal is borne while the lease runs: rights that are put back come one by one.

        Raises:
            ConfigError: it is no store's, or there is no lease that could be lost.
        """
        if isinstance(error, TwinError) or self._now_ns() >= self._lease_ns:
            raise error

    def _was_held_up(self, sent_ns: int) -> bool:
        """Whether this process noticed late that a call had taken too long; not for ever."""
        given_up_ns = sent_ns + round((self._timing.call_s + self._timing.poll_s) * 1e9)
        patient_ns = self._lease_ns + round(self._timing.ttl_s * 1e9)
        return given_up_ns < self._now_ns() < patient_ns

    async def _let_others(self) -> None:
        """Give away what this member will not lead: no renewal can be answered in time any more.

        Those that it sends may arrive all the same, only too late to be told, and others would see
        it alive for as long as the way is slow. This call arrives like them, or not at all.
        """
        left_ns = self._lease_ns - self._now_ns()
        if left_ns > self._timing.call_s * 1e9:
            return
        claims = [c for c in self._held.values() if c.account in self._others]
        claims = [claim for claim in claims if claim not in self._let_go]
        self._let_go.update(claims)
        try:
            # No TaskGroup: before Python 3.13 one that fails may leave its own cancel behind, for
            # which the next timeout here takes itself to be a cancel, and the keeper would end.
            async with asyncio.timeout(self._timing.call_s):
                await asyncio.gather(*(self._store.hand(claim, "") for claim in claims))
        except (*_FAILED, ConfigError) as error:
            self._say("not let go", error, action="let_go_failed")

    async def _learn(self, view: View) -> None:
        """What was handed to this member, or planned for it, is not left until the next renewal."""
        mine = {claim.account for claim in view.claims if claim.boot_id == self._me}
        self._expecting = self._me in [claim.wanted for claim in view.claims]
        if mine != self._held.keys():
            await self._renew()

    def _hold(self, held: Iterable[Claim]) -> None:
        """What is held is to be led, and nothing else."""
        self._held = {claim.account: claim for claim in held}
        now_ns = self._now_ns()
        for account in self._member.accounts:
            claim, wanted = self._held.get(account), self._board.wanted(account)
            if claim is None:
                self._tenures[account].release()
                if wanted is not Wanted.FOLLOW:
                    log.warning("deposed", action="deposed", account=account)
                    self._board.want(account, Wanted.FOLLOW)
                continue
            self._tenures[account].hold(now_ns)
            if wanted is Wanted.FOLLOW and not self._stopping:
                self._board.want(account, Wanted.LEAD)

    async def _take(self, view: View, now_ns: int) -> None:
        """What is nobody's, or a dead member's; only accounts that are warm here."""
        for take in self._election.look(view, now_ns, self._is_gone):
            live = self._election.live(view, now_ns, self._is_gone)
            alone = not live - {self._me}
            warm = [c for c in take.claims if self._is_warm(c, now_ns, alone=alone)]
            if not warm:
                continue
            taken = await self._store.take(self._me, warm, take.of)
            since_ns = self._election.silent_since_ns(take.of.member.boot_id) if take.of else 0
            for account in taken:
                self._board.fell_silent(account, since_ns)
            if taken:
                from_whom = take.of.member.node if take.of is not None else ""
                log.info("taken", action="taken", accounts=sorted(taken), from_node=from_whom)
                await self._renew()  # what is held, with its turns, and a lease that is fresh
        for seen in self._election.forgettable(view, now_ns, self._is_gone):
            await self._store.forget(seen)

    async def _ask_for(self, view: View, now_ns: int) -> None:
        """What its leader would give to whoever could lead it, where that is this member."""
        live = self._election.live(view, now_ns, self._is_gone)
        for claim in self._election.offered(view, now_ns, live):
            if self._is_warm(claim, now_ns, alone=False):
                await self._store.plan(claim.account, self._me, instead_of=claim.wanted)

    def _is_warm(self, claim: Claim, now_ns: int, *, alone: bool) -> bool:
        """Whether it could be led here at once; who is cut off, or has no key that the exchange
        takes, leaves it to others.

        So does who has just given it to nobody. What all of them leave is nobody's for a while, and
        then led by one of them: whether an exchange answers is only a judgement.
        """
        account = claim.account
        if self._board.state(account) is not State.FOLLOWING:
            return False
        if alone:
            return True
        if self._tenures[account].was_just_given(now_ns):
            return False
        if self._board.reaches(account) and self._board.has_key(account):
            return True
        free_ns = now_ns - self._election.free_since_ns(claim, now_ns)
        return not claim.boot_id and free_ns >= self._timing.ttl_s * 1e9

    async def _give(self, view: View, now_ns: int) -> None:
        """What is planned for another, what ended here, and everything when this node stops."""
        live = self._election.live(view, now_ns, self._is_gone)
        if live != self._live:
            others = live - {self._me}
            members = [seen.member for seen in view.members if seen.member.boot_id in others]
            accounts = [account for member in members for account in member.accounts]
            self._live, self._others = live, frozenset(accounts)
            known = self._beside or {}
            self._beside = {
                member.boot_id: known.get(member.boot_id, (member.node, now_ns))
                for member in members
            }
        self._prove(alone=not live - {self._me})
        for account, claim in list(self._held.items()):
            state, tenure = self._board.state(account), self._tenures[account]
            if state is State.LEADING:
                tenure.lead()
            await self._offer(claim, view)
            to = self._successor(claim, view, live, state)
            if to is None:
                if state is State.FOLLOWING and self._board.wanted(account) is Wanted.YIELD:
                    self._board.want(account, Wanted.LEAD)  # the plan was called off meanwhile
            elif state is State.LEADING and not tenure.is_overdue(self._now_ns()):
                self._board.want(account, Wanted.YIELD)
            elif await self._store.hand(claim, to):
                if state is not State.LEADING:
                    self._board.want(account, Wanted.FOLLOW)  # as planned: nobody deposed it
                log.info("handed over", action="handed", account=account, to=to)
                if not to:
                    tenure.given_to_nobody(now_ns)
                await self._renew()

    async def _offer(self, claim: Claim, view: View) -> None:
        """Who has no key that the exchange takes would give an account to whoever has one.

        It leads on until somebody asks for it: where nobody has one, nothing moves.
        """
        now = view.now_of(claim)
        has_key = self._board.has_key(claim.account)
        if not has_key and not now.wanted and claim.account in self._others:
            await self._store.plan(claim.account, ANY, instead_of="")
        elif has_key and now.wanted == ANY:
            await self._store.plan(claim.account, "", instead_of=ANY)

    def _prove(self, *, alone: bool) -> None:
        """Before an account is given away for what does not answer, its store has to write."""
        cut_off = {account for account in self._held if not self._board.reaches(account)}
        try:
            self._proof.look(cut_off, asks=not alone)
        except (*_FAILED, ConfigError) as error:
            self._say("the store writes nothing", error, action="proof_wait")

    def _successor(
        self, claim: Claim, view: View, live: frozenset[str], state: State
    ) -> str | None:
        """Who is to have an account next: a boot id, empty for nobody; None while it stays.

        Nobody knows from here who is warm: what is nobody's is taken by one that is, by its next
        look or the one after.
        """
        now = view.now_of(claim)
        if now.wanted and now.wanted != self._me and now.wanted in live:
            return now.wanted
        account = claim.account
        others, tenure = account in self._others, self._tenures[account]
        if not others:
            tenure.keep()
        elif self._gives_up(account):
            return ""
        if self._stopping or state is State.UNFIT:
            return ""
        ended = state is State.DOWN and tenure.has_led
        return "" if others and (ended or self._fails(account, state)) else None

    def _fails(self, account: str, state: State) -> bool:
        """Whether it has not begun to lead in time, though it had a key to begin with."""
        tenure = self._tenures[account]
        if tenure.has_led or not self._board.has_key(account):  # offered, where it is not
            return False
        return tenure.fails(state, self._now_ns())

    def _gives_up(self, account: str) -> bool:
        """Whether exchange or journal do not answer here, so that another had better try."""
        tenure = self._tenures[account]
        had = tenure.is_given_up
        gives_up = tenure.gives_up(
            self._now_ns(), answers=self._board.reaches(account),
            is_proven=lambda: self._proof.holds(account),
        )
        if gives_up and not had:
            log.warning("cut off from exchange or journal", action="cut_off", account=account)
        return gives_up

    def _require_name(self, view: View) -> None:
        twin = self._election.twin(view, self._is_gone)
        if twin is not None:
            raise TwinError(
                f"seen: node {self._member.node} runs already, as process {twin.pid}; "
                "expected: another name for each; do: change `cluster.node` of one of them"
            )

    async def _pause(self) -> None:
        """Until the next look, or until an account tells something."""
        handing = Wanted.YIELD in [self._board.wanted(account) for account in self._held]
        pause_s = HANDING_POLL_S if handing or self._expecting else self._timing.poll_s
        # A timeout would be an exception twenty times a second; this is a third of its price.
        timer = asyncio.get_running_loop().call_later(pause_s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        self._wake.clear()

    def _say(self, what: str, error: BaseException, *, action: str) -> None:
        """At most once in ten seconds."""
        now_s = self._now_ns() / 1e9
        if now_s - self._told_s >= 10.0:
            self._told_s = now_s
            log.warning(what, action=action, why=str(error) or type(error).__name__)
