"""One account's process as its supervisor sees it: forked, watched, ended, begun again.

Lives here: what each kind of end means, and what becomes of a strategy that never returns. Not
here: what the process does (process), the other accounts (node).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from holdfast.app.live.blame import Blame, blame_file
from holdfast.app.live.board import SharedBoard
from holdfast.app.live.process import CRASHED, RESTED, forked
from holdfast.app.live.watch import Watch
from holdfast.cluster.board import State
from holdfast.config import Config
from holdfast.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from holdfast.telemetry.log import get_logger

log = get_logger("app.seat")

DECIDE_BUDGET_S = 2.0  # a strategy that takes longer has hung, or starves its whole account
HANG_S = 30.0  # an event loop that does not turn for this long, whatever it does
STOP_TIMEOUT_S = 8.0
LOOK_S = 0.25  # between two looks; what is longer than that says nothing about who is watched
NO_FORK_S = 1.0  # until the next try where the system gives no process
AGAIN_S = 30.0  # until the next try of what was configured rightly and is refused now
_FINAL = {EXIT_FAILED, EXIT_USAGE}  # in order as well, but only while the node stops

Run = Callable[[Config, Watch, dict[str, str]], None]
"""The child: never returns."""


class Seat:
    """Keeps one account's process alive until it must not go on.

    Args:
        config: of this account alone.
        hang_s: how long the event loop of a leader may stand still before another goes on.
        run: what the child does.
        is_added: by a command, and so perhaps before its key was there: it is tried again.

    Attributes:
        code: of its last end when nothing is begun again, else None.
    """

    def __init__(
        self, config: Config, board: SharedBoard, hang_s: float, run: Run, *, is_added: bool = False
    ) -> None:
        self.name = config.account.name
        self.code: int | None = None
        self._config = config
        self._board = board
        self._hang_s = hang_s
        self._run = run
        self._watch = Watch()
        self._blame = Blame(blame_file(config.state_dir, self.name, config.cluster.node))
        self._pid = 0
        self._restarts = 0
        self._follows, self._was_right = False, is_added
        self._began_s = self._due_s = self._beat_s = self._looked_s = 0.0
        self._beats = -1
        self._told_s = 0.0

    @property
    def pid(self) -> int:
        """Of its process; 0 while there is none."""
        return self._pid

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return bool(self._pid)

    def look(self, *, stopping: bool) -> None:
        """Take note of an end, begin what is due, end what hangs."""
        now_s = time.monotonic()
        # A pause of the whole node, or of the host, stops whoever beats as well.
        self._beat_s += max(0.0, now_s - self._looked_s - LOOK_S)
        self._looked_s = now_s
        if self._pid:
            self._note_state()
            self._reap(now_s, stopping=stopping)
        if self._pid:
            self._watch_over(now_s, stopping=stopping)
        elif self.code is None and not stopping and now_s >= self._due_s:
            self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        self._watch.clear()
        self._was_right, self._follows = self._was_right or self._follows, False
        self._began_s, self._beat_s, self._beats, self._told_s = now_s, now_s, -1, 0.0
        try:
            self._pid = forked(self.name, self._run_child)
        except OSError as error:  # no memory, or too many processes: it may pass
            log.error(  # noqa: TRY400 - nothing of ours failed
                "no process for the account", action="restart", account=self.name, why=str(error)
            )
            self._due_s = now_s + NO_FORK_S

    def _run_child(self) -> None:
        self._run(self._config, self._watch, self._blame.quarantine)

    def _note_state(self) -> None:
        """What has led was configured rightly, and so was what an earlier process followed."""
        state = self._board.state(self.name)
        self._follows = self._follows or state is State.FOLLOWING
        self._was_right = self._was_right or state is State.LEADING

    def _reap(self, now_s: float, *, stopping: bool) -> None:
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if not ended:
            return
        self._pid = 0
        code = self._judged(os.waitstatus_to_exitcode(status))
        if stopping:
            self._blame.forget()
        # What was right once may be so again: one side of a rotation is late.
        may_pass = code == EXIT_USAGE and self._was_right
        if stopping:
            self.code = code if code in _FINAL else EXIT_OK
            self._board.tell(self.name, State.DOWN)
            log.info("ended", action="account_ended", account=self.name, code=code)
            return
        if code in _FINAL and not may_pass:
            self.code = code
            self._board.tell(self.name, State.UNFIT)
            log.error("ended for good", action="account_ended", account=self.name, code=code)
            return
        self._board.tell(self.name, State.UNFIT if may_pass else State.DOWN)
        early = code != RESTED and _is_early(code, now_s - self._began_s)
        self._restarts = self._restarts + 1 if early else 0
        wait_s = min(0.25 * 2**self._restarts, 10.0) if early else 0.0
        self._due_s = now_s + (AGAIN_S if may_pass else wait_s)
        log.warning(
            "account process ended", action="restart", account=self.name, code=code,
            restarts=self._restarts,
        )  # fmt: skip

    def _watch_over(self, now_s: float, *, stopping: bool) -> None:
        if self._watch.beats != self._beats:
            self._beats, self._beat_s = self._watch.beats, now_s
        if stopping and not self._told_s:
            os.kill(self._pid, signal.SIGTERM)
            self._told_s = now_s
        too_late = self._told_s and now_s - self._told_s > STOP_TIMEOUT_S
        if self._is_hung(now_s - self._beat_s) or too_late:
            os.kill(self._pid, signal.SIGKILL)

    def _is_hung(self, silent_s: float) -> bool:
        deciding = self._watch.deciding()
        self._blame.look(deciding)
        if deciding is not None:
            if deciding[1] <= DECIDE_BUDGET_S or silent_s <= DECIDE_BUDGET_S:
                return False
            bot = deciding[0]
            self._blame.hung(bot, deciding[1])
            log.error("a strategy does not return", action="decide_hung", bot=bot)
            return True
        leads = self._board.state(self.name) is State.LEADING
        if silent_s > (self._hang_s if leads else HANG_S):
            log.error(
                "the event loop does not turn", action="loop_hung", account=self.name,
                silent_s=silent_s,
            )  # fmt: skip
            return True
        return False

    def _judged(self, code: int) -> int:
        """The code to go by: a process that ended within `decide` has not ended on purpose."""
        deciding = self._watch.deciding()
        if deciding is None:
            return code
        self._blame.died(deciding[0])
        return CRASHED


def _is_early(code: int, lived_s: float) -> bool:
    """Whether a life was so short that the next one had better wait.

    A defect comes back, and so does a strategy that ends its process; one that was killed from
    outside has done nothing wrong.
    """
    return lived_s < (10.0 if code in {CRASHED, EXIT_OK} else 1.0)
