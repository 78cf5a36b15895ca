from dataclasses import replace

import numpy as np
import pytest

from steering.evaluate.statistics import Estimate
from steering.study.claims import claims
from steering.study.figures import arm_figures
from steering.study.plan import Arm
from steering.study.records import ClipChange, Distance, Loss

from .test_measurements import measurements

NAMES = [f"p{i}" for i in range(30)]
SPREAD = np.linspace(-3, 3, 30)


def made(presences):
    """Figures and measurements of arms of these presences, the original's beside them."""
    groups = {"original": "original", "chosen": "chosen", "negative_prompt": "negative", "other_seed": "floor"}
    groups |= dict.fromkeys(("sign_flip", "isotropic", "study_sign_flip"), "control")
    table, arms = {}, {}
    for name, presence in {"original": 95, **presences}.items():
        columns = {"change_rms": np.ones(30), "identical": np.zeros(30), "clip_prompt": np.full(30, 0.3)}
        table[name] = measurements(NAMES, presence=presence + SPREAD, kept=np.full(30, 90.0), **columns)
        group = groups.get(name, name.split("_")[0].replace("only", "kind"))
        arms[name] = Arm(name, group, (30, 0, 0))
    return {name: arm_figures(arm, table) for name, arm in arms.items()}, table


def said(change=None, **presences):
    """What is found about arms of these presences; ``change`` takes figures and gives what is put in their place."""
    figures, table = made(presences)
    figures |= {name: replace(figures[name], **parts) for name, parts in (change or {}).items()}
    return {claim.claim: claim for claim in claims(figures, table, 5)}


def answer(found, words):
    (claim,) = [claim for claim in found if words in claim]
    return found[claim].answer


@pytest.mark.parametrize(("left", "expected"), [(5, "holds"), (10, "undecided"), (34.8, "does not hold")])
def test_taken_out_is_at_most_ten_points_left(left, expected):
    assert answer(said(study_k1=90, study_k5=left), "takes the concept out") == expected


@pytest.mark.parametrize(("broken", "expected"), [(0, "holds"), (3, "undecided"), (30, "does not hold")])
def test_a_clean_removal_is_of_nearly_every_prompt(broken, expected):
    n = 60
    names = [f"p{i}" for i in range(n)]
    plain = {"change_rms": np.ones(n), "identical": np.zeros(n), "kept": np.full(n, 90.0), "rest": np.full(n, 90.0)}
    debris = np.where(np.arange(n) < broken, 99.0, 1.0)
    table = {
        "original": measurements(names, presence=np.full(n, 95.0), debris=np.zeros(n), **plain),
        "chosen": measurements(names, presence=np.full(n, 1.0), debris=debris, **plain),
    }
    figures = {name: arm_figures(Arm(name, name, (n, 0, 0)), table) for name in table}
    found = {claim.claim: claim for claim in claims(figures, table, 5)}
    assert answer(found, "chosen on dev prompts removes the concept cleanly") == expected


def test_controls_decide_whether_it_is_the_direction():
    assert answer(said(chosen=5, sign_flip=90, isotropic=94), "not damage") == "holds"
    assert answer(said(chosen=5, sign_flip=60, isotropic=94), "not damage") == "does not hold"
    assert answer(said(chosen=95, sign_flip=95, isotropic=95), "not damage") == "undecided"
    at_the_study = said(study_k5=5, study_sign_flip=60, chosen=5, sign_flip=94)
    assert answer(at_the_study, "not damage") == "holds"
    assert answer(at_the_study, "study's setting it is the direction") == "does not hold"


def test_more_layers_and_the_refined_direction_are_compared_prompt_by_prompt():
    found = said(study_k1=50, study_k5=10, cpca_k5=40)
    assert answer(found, "More layers take out more") == "holds"
    assert answer(found, "Contrastive PCA") == "does not hold"
    assert answer(said(study_k1=10, study_k5=10, cpca_k5=10), "More layers take out more") == "undecided"


def test_kinds_are_ranked_and_set_beside_all_together():
    found = said(study_k5=5, only_ff=20, only_attn2=60, only_attn1=70, only_resnet=90)
    (claim,) = [claim for text, claim in found.items() if "kind of site" in text]
    assert claim.answer == "does not hold"  # it is ahead of the others, and leaves much more than all together
    assert "only_ff is ahead of only_attn2 by 40.0" in claim.evidence
    assert answer(said(study_k5=5, only_ff=6, only_attn2=60), "kind of site") == "holds"
    assert answer(said(study_k5=5, only_ff=6, only_attn2=6), "kind of site") == "undecided"


def test_nothing_is_said_about_arms_that_are_not_there():
    claims = " ".join(said(chosen=5, negative_prompt=50))
    assert "negative prompt" in claims
    for words in ("kind", "third", "More layers", "Contrastive"):
        assert words not in claims


@pytest.mark.parametrize(
    ("last", "middle", "expected"), [(6, 60, "holds"), (6, 6, "undecided"), (40, 60, "does not hold")]
)
def test_one_third_decides_where_it_does_what_all_of_the_schedule_does(last, middle, expected):
    found = said(study_k5=5, first_third=90, middle_third=middle, last_third=last)
    assert answer(found, "One third of the schedule decides") == expected


@pytest.mark.parametrize(("prompt", "expected"), [(50, "holds"), (5, "undecided"), (1, "does not hold")])
def test_a_negative_prompt_that_leaves_less_is_not_beaten(prompt, expected):
    assert answer(said(chosen=5, negative_prompt=prompt), "negative prompt") == expected


@pytest.mark.parametrize(
    ("course", "expected"),
    [((1.0, 2.0, 3.0), "holds"), ((1.0, 3.0, 2.0), "undecided"), ((3.0, 4.0, 3.0), "does not hold")],
)
def test_more_layers_cost_quality_where_the_distance_rises_at_every_step(course, expected):
    names = ("study_k1", "study_k5", "study_k8")
    change = {name: {"distance": {"FID": Distance(far, 0.0, 1.0)}} for name, far in zip(names, course, strict=True)}
    found = said(change, **dict.fromkeys(names, 20))
    assert answer(found, "More layers cost picture quality: FID") == expected


@pytest.mark.parametrize("arm", ["study_k5", "chosen"])
@pytest.mark.parametrize(
    ("lost", "within", "expected"), [(1, True, "holds"), (4, False, "undecided"), (30, False, "does not hold")]
)
def test_the_rest_is_kept_where_both_kinds_of_prompts_are_shown_to_lose_little(arm, lost, within, expected):
    nothing = Estimate(0.0, 0.0, 0.0, 30)
    kept = Loss(99.0, nothing, 1.0, True, nothing)
    other = Loss(90.0, Estimate(lost, lost - 2.0, lost + 2.0, 30), lost + 2.0, within, nothing)
    for first, second in ((kept, other), (other, kept)):
        found = said({arm: {"losses": {"sibling": first, "unrelated": second}}}, **{arm: 5})
        title = "source study's setting leaves" if arm == "study_k5" else "chosen on dev prompts leaves"
        assert answer(found, title) == expected


@pytest.mark.parametrize(
    ("fallen", "expected"), [((-3.0, -2.0), "holds"), ((-3.0, 0.2), "undecided"), ((-0.5, 0.5), "does not hold")]
)
def test_the_clip_score_shows_what_is_beyond_another_seed(fallen, expected):
    def change(low, high):
        mean = Estimate((low + high) / 2, low, high, 30)
        return {"clip": {"clip_prompt": ClipChange(high, mean, low, mean.mean, 30.0, mean, 0.5)}}

    found = said({"study_k5": change(*fallen), "other_seed": change(-1.0, 1.0)}, study_k5=5, other_seed=95)
    assert answer(found, "CLIP score shows") == expected


def test_the_adjusted_p_is_called_so_only_where_it_is():
    (plain,) = [claim for text, claim in said(study_k5=5).items() if "takes the concept out" in text]
    (holm,) = [c for text, c in said({"study_k5": {"drop_p_holm": 0.04}}, study_k5=5).items() if "takes the" in text]
    assert "(Holm)" not in plain.evidence
    assert "p .040" in holm.evidence and "(Holm)" in holm.evidence
