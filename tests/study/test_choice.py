import numpy as np

from steering.study.choice import FINALISTS, Outcome, choose, promising
from steering.study.setting import Recipe, Setting


def row(k, presence, loss, change=1.0):
    return Outcome(Setting(Recipe(k), "precise", 1.0), presence, loss, 0.0, bound=loss + 2, change=change)


def test_the_choice_keeps_to_settings_that_cost_little():
    assert choose([row(1, 1, 30), row(5, 8, 1), row(8, 20, 0)]).setting == Setting(Recipe(5), "precise", 1.0)


def test_of_settings_that_prompts_cannot_tell_apart_the_one_that_changes_least_is_chosen():
    some = [row(1, 1.0, 2, change=20), row(3, 2.5, 2, change=10), row(5, 3.5, 0, change=1)]
    assert choose(some).setting.recipe.k == 3


def test_where_every_setting_costs_much_the_sum_counts():
    assert choose([row(1, 1, 30), row(3, 20, 5)]).setting.recipe.k == 3


def test_a_gain_of_siblings_does_not_make_up_for_presence():
    rows = [row(1, 20, -15), row(3, 10, 0), *(row(k, 90, 0) for k in range(4, 12))]
    best = promising(rows, FINALISTS)
    assert best[0].setting.recipe.k == 3
    assert len(best) == FINALISTS


def test_an_outcome_holds_means_and_the_larger_bound():
    losses = {"sibling": np.full(9, 2.0), "unrelated": np.full(9, 4.0)}
    setting = Setting(Recipe(3), "precise", 1.0)
    made = Outcome.of(setting, np.array([4.0, 8.0]), losses, np.array([1.0, 3.0]))
    assert (made.presence, made.sibling, made.unrelated, made.bound, made.change) == (6, 2, 4, 4, 2)
    assert made.to_json() == {
        **{"preset": "precise", "strength": 1.0, "k": 3, "rank": 1},
        **{"presence": 6.0, "sibling": 2.0, "unrelated": 4.0, "bound": 4.0, "change": 2.0},
    }


def test_enough_is_little_presence_at_little_cost():
    assert row(3, 10.0, 5.0).enough
    assert not row(3, 10.1, 0.0).enough
    assert not row(3, 0.0, 5.1).enough


def test_who_has_no_siblings_loses_none():
    nothing = np.array([])
    made = Outcome.of(row(1, 0, 0).setting, np.array([4.0]), {"sibling": nothing, "unrelated": nothing}, nothing)
    assert (made.sibling, made.unrelated, made.bound, made.change) == (0, 0, 0, 0)
