from dataclasses import replace

from steering.concepts.pairs import spread
from steering.families import family_named
from steering.study.plan import Plan
from steering.study.subject import load_subject
from steering.tune.perturb import MORE_GUIDANCE, perturbed


def test_half_of_the_dev_targets_are_harder_however_many_are_taken():
    subject = load_subject("dog", "pocket", Plan())
    harder = perturbed(subject, "pocket")
    usual = family_named("pocket").guidance
    for before, after in zip(subject.prompts["dev"], harder.prompts["dev"], strict=True):
        assert replace(after, guidance=None) == before
        assert after.guidance in (None, MORE_GUIDANCE * usual)
        assert after.role == "target" or after.guidance is None
    targets = [prompt for prompt in harder.prompts["dev"] if prompt.role == "target"]
    for count in (4, 12, 50):
        hard = sum(prompt.guidance is not None for prompt in spread(targets, count))
        assert 0.25 * count <= hard <= 0.75 * count
    assert harder.prompts["test"] == subject.prompts["test"]


def test_a_prompt_with_a_guidance_of_its_own_keeps_it():
    subject = load_subject("dog", "pocket", Plan())
    own = [replace(prompt, guidance=2.0) for prompt in subject.prompts["dev"]]
    asked = replace(subject, prompts={**subject.prompts, "dev": own})
    assert perturbed(asked, "pocket").prompts["dev"] == own
