import pytest

from steering.concepts.prompts import Prompt
from steering.study.subject import load_subject

from .conftest import TINY


def test_ones_own_target_prompts_take_the_place_of_the_test_set():
    own = [Prompt("target", f"a dog {i}", ("dog",), seed=i) for i in range(3)]
    subject = load_subject("dog", "pocket", TINY, own)
    targets = [prompt for prompt in subject.prompts["test"] if prompt.role == "target"]
    assert targets == own
    assert len(subject.prompts["test"]) == 203


def test_labels_that_the_embedded_judge_does_not_know_are_refused_at_once():
    with pytest.raises(ValueError, match="not unicorn"):
        load_subject("dog", "pocket", TINY, [Prompt("target", "a unicorn", ("unicorn",))])
