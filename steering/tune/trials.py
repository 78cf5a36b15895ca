"""The trials of a search, which Optuna proposes and keeps in a file, so that an interrupted search goes on.

Three objectives are weighed at once: how cleanly the concept goes, what other prompts lose, and how bad the worst third
of the pictures is. The sampler is a tree-structured Parzen estimator (Bergstra et al., 2011; for several objectives
Ozaki et al., 2020). It is seeded anew by the number of trials before, so that a search that was interrupted proposes
what it would have proposed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..evaluate.extras import extra
from ..study.choice import Outcome
from ..study.setting import Setting
from .space import first_trials, suggest

DIRECTIONS = ("maximize", "minimize", "minimize")


class Trials:
    """Trials in a file, in the order in which they were made.

    Args:
        path: of the database, which optuna-dashboard shows too.
        exportable: whether only what a LoRA holds exactly is proposed.

    Raises:
        SteeringError: Optuna is not installed.
    """

    def __init__(self, path: Path, exportable: bool = False) -> None:
        self._optuna: Any = extra("optuna", "headless")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        url = extra("sqlalchemy", "headless").URL.create("sqlite", database=str(path))
        storage = self._optuna.storages.RDBStorage(url.render_as_string())
        self._study: Any = self._optuna.create_study(
            study_name="tune", storage=storage, directions=DIRECTIONS, load_if_exists=True
        )
        self._exportable = exportable
        self._asked: Any = None
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(states.RUNNING,)):  # what a killed run had begun
            self._study.tell(trial.number, state=states.FAIL)
        self._finished = states.COMPLETE, states.PRUNED

    @property
    def done(self) -> list[Setting]:
        """The settings of finished trials."""
        return [suggest(self._optuna.trial.FixedTrial(trial.params), self._exportable) for trial in self._kept()]

    def _kept(self) -> list[Any]:
        return self._study.get_trials(deepcopy=False, states=self._finished)

    def ask(self) -> Setting:
        """The next setting; the first ones are given."""
        number, first = len(self._kept()), first_trials(self._exportable)
        if number < len(first):
            self._asked = self._optuna.trial.FixedTrial(first[number])
        else:
            self._study.sampler = self._optuna.samplers.TPESampler(seed=number)
            self._asked = self._study.ask()
        return suggest(self._asked, self._exportable)

    def tell(self, outcome: Outcome | None) -> None:
        """What the setting that was asked for does; None where it was given up."""
        asked, states = self._asked, self._optuna.trial.TrialState
        state = states.COMPLETE if outcome else states.PRUNED
        values = [outcome.removed, outcome.cost, outcome.worst] if outcome else None
        if isinstance(asked, self._optuna.trial.FixedTrial):
            known = {"params": asked.params, "distributions": asked.distributions}
            self._study.add_trial(self._optuna.trial.create_trial(state=state, values=values, **known))
        else:
            self._study.tell(asked, values, state=state)
