"""Telegram's listening side: what a chat says, done for the user whose chat it is.

Each update moves a stored place on once it was handled, and what it asks for has ids of its own, so
an update that comes again changes nothing. Whoever is no user's hears nothing. Not here: the words
(orders, answers), confirming (confirm), HTTP (operations.notify.telegram).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from holdfast.api.ports import Commands, Given, Reads
from holdfast.api.shapes.commands import Command, CommandState
from holdfast.app.notify import answers, confirm, people
from holdfast.app.notify.claim import Claim
from holdfast.app.notify.confirm import Confirmations
from holdfast.app.notify.orders import Order, order_of
from holdfast.domain.platform import Requested
from holdfast.errors import ConfigError, RejectedError, RetryableError
from holdfast.operations.notify import rows
from holdfast.operations.notify.deliver import retry_s
from holdfast.operations.notify.port import DeliveryError
from holdfast.operations.notify.telegram import Bot, Message, Pressed, Update
from holdfast.platform.identity import codes
from holdfast.platform.identity.codes import Purpose
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.identity.values import Principal, User
from holdfast.platform.port import Change, PlatformStore
from holdfast.telemetry.log import get_logger

log = get_logger("app.notify")

OLD_S: Final = 60
"""A command that was sent earlier is not done: who sent it may have thought better of it."""

WAIT_S: Final = 10.0
"""How long a command may take before the chat is told that it still waits."""

REPLIES: Final = 5
REPEATED_S: Final = 0.2
_LOOKS: Final = {
    "status": answers.status, "positions": answers.positions, "pnl": answers.pnl,
}  # fmt: skip
_ORDERS: Final = frozenset({"halt", "resume", "drain"})
_S: Final = 1_000_000_000


class Desk:
    """For the one process that holds the claim.

    Args:
        sealer: opens second factors, as where people sign in.
        now_ns: the clock that messages grow old by, UTC.
        clock_s: monotonic, of confirmations.
    """

    def __init__(
        self,
        bot: Bot,
        store: PlatformStore,
        claim: Claim,
        reads: Reads,
        commands: Commands,
        *,
        sealer: Sealer,
        now_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bot = bot
        self._store = store
        self._claim = claim
        self._reads = reads
        self._commands = commands
        self._sealer = sealer
        self._now_ns = now_ns
        self._place = f"@telegram {bot.bot_id}"  # updates are numbered by bot
        self._confirmations = Confirmations(clock_s)
        self._aside: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            FencedError: another process does.
        """
        failures = 0
        try:
            while True:
                try:
                    await self._turn()
                    failures = 0
                except (DeliveryError, ConfigError, RetryableError) as error:
                    failures += 1
                    asked_s = getattr(error, "retry_after_s", None)
                    wait_s = retry_s(failures) if asked_s is None else float(asked_s)
                    if failures == 1:
                        log.warning("Telegram not heard", action="telegram_wait", why=str(error),
                                    again_s=wait_s)  # fmt: skip
                    await asyncio.sleep(wait_s)
        finally:
            for task in self._aside:
                task.cancel()
            await asyncio.gather(*self._aside, return_exceptions=True)

    async def _turn(self) -> None:
        known = await asyncio.to_thread(self._store.look, lambda k: rows.position(k, self._place))
        begin = known[0] if known is not None else 0
        found = await self._bot.updates(begin)
        if found and found[-1].update_id < begin:
            await asyncio.sleep(REPEATED_S)  # what was confirmed comes all the same
        for update in found:
            if update.update_id < begin:
                continue
            await self._take(update)
            begin = update.update_id + 1
            await self._claim.changing(partial(rows.move, name=self._place, seq=begin))

    async def _take(self, update: Update) -> None:
        """Handle one update; safe to repeat."""
        said = update.message
        if update.pressed is not None:
            said = update.pressed.message
        if said is None or said.chat.type != "private":
            return
        sender = update.pressed.sender if update.pressed is not None else said.sender
        if sender is None or sender.id != said.chat.id:
            return
        user = await self._user_of(said.chat.id)
        if user is None:
            await self._link(update, said)
            return
        who = people.principal_of(user, str(said.chat.id))
        try:
            if update.pressed is not None:
                await self._pressed(update, update.pressed, user, who)
            else:
                await self._said(update, said, user, who)
        except RejectedError as error:
            self._reply(said.chat.id, error.reason)

    async def _user_of(self, chat_id: int) -> User | None:
        def find(look: Any) -> User | None:
            user_id = rows.chat_owner(look, chat_id)
            return people.by_id(look, user_id) if user_id is not None else None

        return await asyncio.to_thread(self._store.look, find)

    # -- strangers ---------------------------------------------------------------------------------

    async def _link(self, update: Update, said: Message) -> None:
        """Make a chat a user's who proves by a code that it is; nobody else is answered."""
        verb, words = _words(said.text)
        if update.pressed is not None or verb not in {"start", "link"} or not words:
            return
        if self._is_old(said):
            return
        code, chat_id, now_ns = words[0], said.chat.id, self._now_ns()
        user_id = await asyncio.to_thread(
            self._store.look, lambda look: codes.owner(look, code, Purpose.TELEGRAM, now_ns)
        )
        if user_id is None:
            return

        def link(change: Change) -> User | None:
            user = people.by_id(change, user_id)
            if user is None or not codes.use(change, code):
                return None
            rows.link_chat(change, chat_id, user.user_id, now_ns)
            who = people.principal_of(user, str(chat_id))
            change.note(Requested(by=who.actor, user_id=user.user_id, action="telegram_link"))
            return user

        user = await self._claim.changing(link)
        if user is not None:
            self._reply(chat_id, f"This chat is {user.name}'s now.\n{answers.HELP}")

    # -- users -------------------------------------------------------------------------------------

    async def _said(self, update: Update, said: Message, user: User, who: Principal) -> None:
        verb, words = _words(said.text)
        if verb in _ORDERS or verb == "confirm":
            if self._is_old(said) and not await self._was_asked(update):
                self._reply(
                    said.chat.id,
                    f"/{verb} came more than {OLD_S} s after it was sent, and is not done. Send it "
                    "again if it is still meant.",
                )
                return
            if verb == "confirm":
                await self._confirm_by_code(update, said, user, who, "".join(words))
            else:
                await self._order(update, said, user, who, await order_of(
                    self._reads, who, verb, words
                ))  # fmt: skip
        elif verb in _LOOKS:
            self._reply(said.chat.id, await _LOOKS[verb](self._reads, who))
        else:
            self._reply(said.chat.id, answers.HELP)

    async def _order(
        self, update: Update, said: Message, user: User, who: Principal, order: Order
    ) -> None:
        """Do at once what takes risk off, and ask back about what adds some."""
        if not order.risky:
            await self._give(update, said.chat.id, who, order)
            return
        pending = self._confirmations.ask(said.chat.id, who.user_id, order)
        if user.has_totp:
            self._reply(
                said.chat.id,
                f"{order}? Send /confirm and a code of your authenticator within 60 s.",
            )
        else:
            button = "Yes, do it", f"confirm {pending.code}"
            self._reply(said.chat.id, f"{order}? Confirm within 60 s.", button)

    async def _pressed(
        self, update: Update, pressed: Pressed, user: User, who: Principal
    ) -> None:
        self._beside(self._acknowledge(pressed))
        chat_id, (verb, words) = int(who.chat_id), _words(f"/{pressed.data}")
        pending = self._confirmations.find(chat_id, who.user_id, words[0] if words else "none")
        if verb != "confirm" or pending is None:
            if not await self._was_asked(update):
                self._reply(chat_id, "That is too old, or done already. Ask for it again.")
            return
        if user.has_totp:  # since it was asked for
            raise RejectedError("totp", "Send /confirm and a code of your authenticator.")
        await self._claim.changing(lambda change: confirm.note(change, who, "button"))
        await self._confirmed(update, chat_id, who, pending.order)

    async def _confirm_by_code(
        self, update: Update, said: Message, user: User, who: Principal, code: str
    ) -> None:
        pending = self._confirmations.find(said.chat.id, who.user_id)
        if pending is None:
            raise RejectedError("none", "Nothing waits for a confirmation. Ask for it again.")
        if not user.has_totp:
            raise RejectedError("button", "Press the button to confirm.")
        now_ns, sealer = self._now_ns(), self._sealer
        try:
            is_right = await self._claim.changing(
                lambda change: confirm.prove_code(
                    change, user, code, who, sealer=sealer, now_ns=now_ns
                )
            )
        except ConfigError as error:  # asked again it would stand before what others say
            log.warning("a code cannot be proved", action="totp_unreadable", why=str(error))
            raise RejectedError(
                "sealed", "Your second factor cannot be read here. Tell who runs this installation."
            ) from error
        if not is_right:
            raise RejectedError("code", "That is no code of your authenticator, or was used.")
        await self._confirmed(update, said.chat.id, who, pending.order)

    async def _confirmed(
        self, update: Update, chat_id: int, who: Principal, order: Order
    ) -> None:
        now_ns = self._now_ns()
        confirmed = confirm.stepped_up(who, now_ns)
        if not confirmed.confirmed(now_ns):  # his role has changed since he asked
            raise RejectedError("scope", f"{who.role} {who.name} may not do that.")
        await self._give(update, chat_id, confirmed, order)
        self._confirmations.done(chat_id)

    # -- doing it ----------------------------------------------------------------------------------

    async def _give(self, update: Update, chat_id: int, who: Principal, order: Order) -> None:
        """Ask the leaders now; what became of it is told when it is known."""
        given = order.given(f"{self._bot.bot_id} {update.update_id}")
        request_id = self._request_id(update)
        await self._commands.give(who, given, request_id, 0.0)
        log.info("asked for", action="telegram_command", by=who.actor, command=order.name)
        self._beside(self._tell_outcome(chat_id, who, given, request_id))

    async def _tell_outcome(
        self, chat_id: int, who: Principal, given: Sequence[Given], request_id: str
    ) -> None:
        # The same ids ask for nothing new: this only waits.
        done = await self._commands.give(who, given, request_id, WAIT_S)
        await self._send(chat_id, "\n".join(map(_outcome, done)))

    async def _was_asked(self, update: Update) -> bool:
        """Whether this update was handled before, as far as the leaders are concerned."""
        request_id = self._request_id(update)
        events = await asyncio.to_thread(self._store.events_before, 0, 100)
        return any(getattr(event.fact, "request_id", "") == request_id for event in events)

    def _request_id(self, update: Update) -> str:
        return f"telegram-{self._bot.bot_id}-{update.update_id}"

    def _is_old(self, said: Message) -> bool:
        """Too old, or from a future: then one of the clocks is wrong and nobody knows how old."""
        return abs(self._now_ns() // _S - said.date) > OLD_S

    # -- answering ---------------------------------------------------------------------------------

    def _reply(self, chat_id: int, text: str, button: tuple[str, str] | None = None) -> None:
        self._beside(self._send(chat_id, text, button))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it while the next update is looked at."""
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._aside.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a chat was not answered", action="telegram_reply", why=str(error))

    async def _send(
        self, chat_id: int, text: str, button: tuple[str, str] | None = None
    ) -> None:
        for number in range(1, REPLIES + 1):
            try:
                await self._bot.say(chat_id, text, button)
            except DeliveryError as error:
                if number == REPLIES:
                    raise
                asked_s = error.retry_after_s
                await asyncio.sleep(retry_s(number) if asked_s is None else asked_s)
            else:
                return

    async def _acknowledge(self, pressed: Pressed) -> None:
        try:
            await self._bot.acknowledge(pressed)
        except DeliveryError as error:  # the button goes on turning, and nothing else
            log.debug("button not acknowledged", action="telegram_button", why=str(error))


def _words(text: str) -> tuple[str, list[str]]:
    """`/halt@bot main cancel` as `halt` and `main`, `cancel`; nothing of what is no command."""
    if not text.startswith("/"):
        return "", []
    first, *rest = text[:400].split()
    return first[1:].partition("@")[0].lower(), rest


def _outcome(done: Command) -> str:
    where = f"{done.name} {done.account}"
    match done.state:
        case CommandState.TAKEN:
            return f"{where}: took effect at record {done.seq}."
        case CommandState.REFUSED:
            return f"{where}: refused. {done.reason}"
        case _:
            return f"{where}: kept; nobody leads the account now. Who leads it next takes it first."
