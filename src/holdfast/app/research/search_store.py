"""Where trials are kept, and asked for: Optuna's studies, one per window, in memory or in a file.

Lives here: everything that knows Optuna. Not here: what a trial runs (search_runs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.exc import DatabaseError

from holdfast.app.research.search_figures import number_of
from holdfast.app.research.search_runs import Outcome
from holdfast.app.research.search_space import Dimension
from holdfast.domain.money import plain
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    import optuna

_SEEDS = 2**32


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One trial that was told.

    Attributes:
        number: within its window, from 0; the numbers of interrupted trials are missing.
        state: `complete`; `pruned` when the parameters do not go together, wait for more bars than
            there are, or the objective is undefined; `failed` when the strategy broke.
        reason: of what is not complete.
        figures: all of its backtest; Decimals are text.
    """

    window: int
    number: int
    params: Mapping[str, Any]
    value: float | None
    state: str
    reason: str = ""
    figures: Mapping[str, Any] = {}


class Store:
    """The studies of one search. A context manager; one process at a time may have the file."""

    def __init__(
        self, file: str | None, made_of: Mapping[str, Any], direction: str, seed: int | None
    ) -> None:
        """Open nothing yet.

        Args:
            made_of: what makes two searches the same, as JSON values.

        Raises:
            ConfigError: Optuna is not installed.
        """
        self._optuna = _optuna()
        self._file = file
        self._made_of = msgspec.json.encode(made_of).decode()
        self._direction = direction
        self._seed = seed
        self._studies: dict[int, optuna.Study] = {}
        self._storage: optuna.storages.BaseStorage | None = None
        self._current: optuna.Study
        self._asked: dict[int, optuna.Trial] = {}

    def __enter__(self) -> Store:
        if self._file is None:
            self._storage = self._optuna.storages.InMemoryStorage()
            return self
        try:
            self._storage = self._optuna.storages.RDBStorage(f"sqlite:///{Path(self._file)}")
        except (DatabaseError, RuntimeError) as error:
            raise ConfigError(
                f"seen: {self._file} cannot be opened as a study ({type(error).__name__}); "
                "expected: a file that an earlier search wrote, or a new name in a folder that "
                "exists; do: name another"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        # Who is stopped here leaves trials that nobody will tell.
        for study in self._studies.values():
            self._abandon(study)
        if isinstance(self._storage, self._optuna.storages.RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def begin(self, window: int) -> int:
        """Open the study of a window; how many trials it has already.

        Raises:
            ConfigError: the file is of another search.
        """
        study = self._optuna.create_study(
            storage=self._storage,
            study_name=f"window-{window}",
            direction=self._direction,
            load_if_exists=True,
        )
        if study.user_attrs.setdefault("made_of", self._made_of) != self._made_of:
            raise ConfigError(
                f"seen: {self._file} of another search (the strategy or its file, data, costs, "
                "space, objective, windows or Holdfast's version differ); expected: the same; "
                "do: name a new file"
            )
        study.set_user_attr("made_of", self._made_of)
        self._abandon(study)
        self._studies[window] = study
        # A search that goes on must not draw again what it drew before.
        drawn = len(study.get_trials(deepcopy=False))
        seed = None if self._seed is None else (self._seed + 7919 * drawn) % _SEEDS
        study.sampler = self._optuna.samplers.TPESampler(seed=seed)
        self._current, self._asked = study, {}
        return len(self.records(window))

    def ask(self, dimensions: Sequence[Dimension]) -> tuple[int, dict[str, Any]]:
        """Begin a trial in the window begun last: its number and parameters."""
        trial = self._current.ask()
        self._asked[trial.number] = trial
        return trial.number, {one.name: one.suggest(trial) for one in dimensions}

    def tell(
        self, number: int, params: Mapping[str, Any], outcome: Outcome, objective: str
    ) -> None:
        """Keep what a trial of the window begun last came to."""
        value = number_of(outcome.figures.get(objective))
        reason = outcome.broke or outcome.refused or f"{objective} is undefined"
        about = {
            "params": dict(params),
            "reason": "" if value is not None else reason,
            "broke": bool(outcome.broke),
            "figures": {
                name: plain(figure) if isinstance(figure, Decimal) else figure
                for name, figure in outcome.figures.items()
            },
        }
        trial = self._asked.pop(number)
        trial.set_user_attr("told", about)
        state = self._optuna.trial.TrialState
        if value is not None:
            self._current.tell(trial, value)
        else:
            self._current.tell(trial, state=state.FAIL if outcome.broke else state.PRUNED)

    def records(self, window: int) -> list[Record]:
        """The trials of a window that were told, by number."""
        study = self._studies.get(window)
        found: list[Record] = []
        for trial in study.get_trials(deepcopy=False) if study is not None else ():
            told = trial.user_attrs.get("told")
            if told is None or not trial.state.is_finished():
                continue
            state = "failed" if told["broke"] else "pruned" if told["reason"] else "complete"
            found.append(
                Record(
                    window=window, number=trial.number, params=told["params"], value=trial.value,
                    state=state, reason=told["reason"], figures=told["figures"],
                )
            )  # fmt: skip
        return found

    def _abandon(self, study: optuna.Study) -> None:
        """Trials that were under way when their process ended are tried by nobody any more."""
        state = self._optuna.trial.TrialState
        for trial in study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            study.tell(trial.number, state=state.FAIL)


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415  # an extra, and slow
    except ImportError as error:
        raise ConfigError(
            "seen: Optuna is not installed; expected: the extra `search`; "
            "do: pip install 'holdfast[search]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
