import pytest

from steering.study.choice import Outcome
from steering.tune.space import first_trials
from steering.tune.trials import Trials

optuna = pytest.importorskip("optuna")


def outcome(setting):
    """Some outcome that hangs on the setting alone."""
    clean = 100 - 7 * len(setting.name) % 60
    return Outcome(setting, 100 - clean, 0.0, 100.0, clean, 0.5, 100 - clean, setting.strength, 0.0, 1.0)


def go_on(trials, until):
    """Trials up to a number; every fourth is given up."""
    made = []
    for number in range(len(trials.done), until):
        made.append(trials.ask())
        trials.tell(None if number % 4 == 3 else outcome(made[-1]))
    return made


def test_an_interrupted_search_proposes_what_it_would_have_proposed(tmp_path):
    first = len(first_trials())
    whole = go_on(Trials(tmp_path / "whole.db"), first + 12)
    path = tmp_path / "a b.db"
    begun = go_on(Trials(path), 3)
    killed = Trials(path)
    begun += go_on(killed, first + 4)
    killed.ask()  # and never told
    resumed = Trials(path)
    assert resumed.done == begun
    assert begun + go_on(resumed, first + 12) == whole
    assert resumed.done == whole


def test_what_was_learned_changes_what_is_proposed(tmp_path):
    """Else it were a random search."""
    first = len(first_trials())
    proposed = []
    for name, sign in (("a", 1), ("b", -1)):
        trials = Trials(tmp_path / name)
        while len(trials.done) < first + 10:
            setting = trials.ask()
            far = abs(setting.strength - 1.0)
            good = Outcome(setting, 0, 0, 100.0, 50 - sign * 10 * far, 0.5, 50 + sign * 10 * far, 0.0, 0.0, 1.0)
            trials.tell(good)
        proposed.append(trials.done[first:])
    assert proposed[0] != proposed[1]


def test_objectives_are_kept_with_their_setting(tmp_path):
    trials = Trials(tmp_path / "o.db", exportable=True)
    setting = trials.ask()
    trials.tell(outcome(setting))
    trials.ask()
    trials.tell(None)
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{tmp_path / 'o.db'}")
    kept = optuna.load_study(study_name=study.study_name, storage=f"sqlite:///{tmp_path / 'o.db'}").trials
    given = outcome(setting)
    assert kept[0].values == [given.removed, given.cost, given.worst]
    assert [trial.state.name for trial in kept] == ["COMPLETE", "PRUNED"]
