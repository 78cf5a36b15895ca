import numpy as np

from steering.evaluate.choice import FINALISTS, choose, enough, finalists, setting_row


def row(k, presence, loss, change=1.0):
    setting = {"preset": "precise", "strength": 1.0, "k": k, "rank": 1}
    return setting | {"presence": presence, "sibling": loss, "unrelated": 0.0, "bound": loss + 2, "change": change}


def test_the_choice_keeps_to_settings_that_cost_little():
    assert choose([row(1, 1, 30), row(5, 8, 1), row(8, 20, 0)]) == {
        "preset": "precise",
        "k": 5,
        "strength": 1.0,
        "rank": 1,
    }


def test_of_settings_that_prompts_cannot_tell_apart_the_one_that_changes_least_is_chosen():
    assert choose([row(1, 1.0, 2, change=20), row(3, 2.5, 2, change=10), row(5, 3.5, 0, change=1)])["k"] == 3


def test_where_every_setting_costs_much_the_sum_counts():
    assert choose([row(1, 1, 30), row(3, 20, 5)])["k"] == 3


def test_a_gain_of_siblings_does_not_make_up_for_presence():
    rows = [row(1, 20, -15), row(3, 10, 0), *(row(k, 90, 0) for k in range(4, 12))]
    assert finalists(rows)[0] == ("precise", 1.0, 3, 1)
    assert len(finalists(rows)) == FINALISTS


def test_a_row_holds_means_and_the_larger_bound():
    losses = {"sibling": np.full(9, 2.0), "unrelated": np.full(9, 4.0)}
    made = setting_row(("precise", 1.0, 3, 1), np.array([4.0, 8.0]), losses, np.array([1.0, 3.0]))
    assert (made["presence"], made["sibling"], made["unrelated"], made["bound"], made["change"]) == (6, 2, 4, 4, 2)
    assert enough(made)
    assert not enough(made | {"unrelated": 6.0})
