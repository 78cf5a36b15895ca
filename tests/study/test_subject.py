import pytest

from steering.concepts.pairs import CONCEPTS
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


def test_prompts_that_are_to_stay_and_do_not_say_what_they_show_are_refused_at_once(tmp_path):
    for name in ("concept.json", "fit.csv", "dev.csv", "test.csv"):
        (tmp_path / name).write_bytes((CONCEPTS / "pocket" / "dog" / name).read_bytes())
    assert load_subject(str(tmp_path), "pocket", TINY).name == "dog"
    rows = (tmp_path / "dev.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "dev.csv").write_text("\n".join([*rows, "sibling,a cat in a room,,,"]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"dev\.csv: the sibling prompt 'a cat in a room' does not say what it shows"):
        load_subject(str(tmp_path), "pocket", TINY)
