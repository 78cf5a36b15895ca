from types import SimpleNamespace

from steering.evaluate.statistics import Estimate
from steering.study.summary import FEW, summary


def mean(value):
    return Estimate(value, value, value, 1)


def arm(presence, clean=None, n=100, losses=None):
    removal = SimpleNamespace(clean=None if clean is None else mean(clean))
    lost = {role: SimpleNamespace(loss=mean(value)) for role, value in (losses or {}).items()}
    return SimpleNamespace(n={"target": n}, presence=mean(presence), removal=removal, losses=lost)


def test_the_chosen_setting_is_told_beside_what_the_model_draws_without_the_concept():
    figures = {
        "original": arm(97),
        "counterfactual": arm(0, 96),
        "steered": arm(50, 10),
        "chosen": arm(2.4, 94, losses={"sibling": 1.2, "unrelated": 0.0}),
    }
    assert summary("dog", figures) == (
        "100 prompts with dog; presence of it, of 100: 97 drawn plainly, 2 steered; 94 % of the prompts come out clean "
        "(it is gone, nothing is broken, the rest is there), and 96 % where the prompt does not ask for it; related "
        "prompts lose 1 points; other prompts lose 0 points."
    )


def test_without_a_judge_of_debris_nothing_is_said_of_it_and_few_prompts_say_so():
    figures = {"original": arm(97, n=FEW - 1), "steered": arm(2, n=FEW - 1)}
    assert summary("dog", figures) == (
        "19 prompts with dog; presence of it, of 100: 97 drawn plainly, 2 steered; fewer than 20 prompts are a hint "
        "and prove nothing."
    )
    assert "prove" not in summary("dog", {"original": arm(97, n=FEW), "steered": arm(2, n=FEW)})
    assert summary("dog", {"original": arm(97)}) == ""
