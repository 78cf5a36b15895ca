import numpy as np
import pytest

from steering.pocket import augment
from steering.pocket.judge import LABELS, Verdict, judge
from steering.pocket.scenes import OBJECTS, training_example


@pytest.fixture(scope="module")
def seen():
    examples = [training_example(77, i, held_out=i % 5 == 0) for i in range(150)]
    return judge(np.stack([picture for picture, _, _ in examples])), [scene for _, _, scene in examples]


def test_it_names_the_objects_of_new_scenes(seen):
    verdict, scenes = seen
    right = [
        (verdict.probabilities[name][i] > 0.5) == (name in s.objects) for i, s in enumerate(scenes) for name in OBJECTS
    ]
    assert np.mean(right) > 0.98


def test_scenes_are_scenes_and_wrecks_are_not(seen):
    rng = np.random.default_rng(0)
    wrecks = np.stack([augment.wreck(training_example(78, i)[0], rng) for i in range(60)])
    assert seen[0].probabilities["scene"].mean() > 0.95
    assert judge(wrecks).probabilities["scene"].mean() < 0.1


def test_a_wreck_counts_as_present_and_as_lost():
    probabilities = {label: np.array([0.0, 0.0, 1.0]) for label in LABELS} | {"scene": np.array([1.0, 0.0, 1.0])}
    verdict = Verdict(probabilities, np.zeros((3, 1)))
    assert verdict.presence(("dog",)).tolist() == [0, 100, 100]
    assert verdict.kept(("dog",)).tolist() == [0, 0, 100]


def test_a_concept_of_several_labels_is_its_largest():
    verdict = Verdict({"scene": np.ones(1), "knife": np.array([0.2]), "bomb": np.array([0.7])}, np.zeros((1, 1)))
    assert verdict.presence(("knife", "bomb"))[0] == pytest.approx(70)
    assert verdict.kept(("knife", "bomb"))[0] == pytest.approx(20)
