from pathlib import Path

import numpy as np
import pytest
import torch

from steering.evaluate.statistics import area_under_curve
from steering.pocket import augment, world
from steering.pocket.debris import broken_scene
from steering.pocket.judge import DEBRIS, LABELS, Verdict, both_sides, judge, load_judge
from steering.pocket.labelled import pictures_of, read
from steering.pocket.tensors import to_tensor
from steering.pocket.world import OBJECTS, training_example


@pytest.fixture(scope="module")
def seen():
    examples = [training_example(77, i, held_out=i % 5 == 0) for i in range(150)]
    return judge(np.stack([picture for picture, _, _ in examples])), [scene for _, _, scene in examples]


def test_it_names_the_things_styles_and_places_of_new_scenes(seen):
    verdict, scenes = seen
    for labels, shown in (
        (OBJECTS, lambda s: s.objects),
        (world.STYLES, lambda s: (s.style,)),
        (world.BACKGROUNDS, lambda s: (s.background,)),
    ):
        right = [
            (verdict.probabilities[name][i] > 0.5) == (name in shown(s))
            for i, s in enumerate(scenes)
            for name in labels
        ]
        assert np.mean(right) > 0.98


def test_it_knows_kinds_by_drawings_that_it_never_saw():
    rng = np.random.default_rng(0)
    scenes = [world.Scene((name,), str(rng.choice(world.BACKGROUNDS))) for name in OBJECTS for _ in range(8)]
    verdict = judge(np.stack([world.draw(scene, rng, unseen=True) for scene in scenes]))
    table = np.stack([verdict.probabilities[name] for name in OBJECTS])
    best = [OBJECTS[i] for i in table.argmax(0)]
    assert np.mean([guess == scene.objects[0] for guess, scene in zip(best, scenes, strict=True)]) > 0.75


def test_what_is_broken_is_debris_and_what_is_whole_is_not(seen):
    rng = np.random.default_rng(0)
    scenes = [scene for scene in seen[1] if scene.objects and scene.style != "van_gogh"]
    broken = judge(np.stack([broken_scene(scene, rng).picture for scene in scenes]))
    whole = [i for i, scene in enumerate(seen[1]) if scene.style != "van_gogh"]
    scores = np.r_[broken.debris, seen[0].debris[whole]]
    truth = np.r_[np.ones(len(scenes)), np.zeros(len(whole))].astype(bool)
    assert area_under_curve(scores, truth) > 0.95


def test_wrecks_are_debris_and_show_nothing():
    rng = np.random.default_rng(0)
    verdict = judge(np.stack([augment.wreck(training_example(78, i)[0], rng) for i in range(60)]))
    assert verdict.debris.mean() > 90
    assert np.mean([verdict.probabilities[name] for name in OBJECTS]) < 0.05


def test_debris_is_what_either_network_calls_broken_whichever_way_the_picture_is_turned(seen):
    pictures = np.stack(
        [broken_scene(scene, np.random.default_rng(i)).picture for i, scene in enumerate(seen[1][:30]) if scene.objects]
    )
    with torch.no_grad():
        answers = [
            both_sides(network, to_tensor(pictures))[:, -1].sigmoid() for network in (load_judge(), load_judge(DEBRIS))
        ]
    either = 100 * torch.maximum(*answers).numpy()
    assert (answers[0] - answers[1]).abs().max() > 0.1  # they do differ
    np.testing.assert_allclose(judge(pictures).debris, either, rtol=1e-5)
    # Sums in another order: a millionth of the probability.
    np.testing.assert_allclose(judge(np.ascontiguousarray(pictures[:, :, ::-1])).debris, either, rtol=1e-4)


@pytest.mark.parametrize("name", ["dog", "van_gogh", "violence"])
def test_it_calls_broken_what_an_eye_does_in_pictures_of_the_generator_that_it_did_not_learn_from(name):
    folder = Path(__file__).parents[2] / "benchmarks" / "pocket_labels"
    rows = read(folder, name)
    pictures = pictures_of(folder, name, 128)[: len(rows)]
    with torch.no_grad():
        of_rendered = load_judge()(to_tensor(pictures))[:, -1].numpy()
    truth = np.array([row["remains"] == "1" for row in rows])
    assert area_under_curve(judge(pictures).debris, truth) > 0.95
    assert area_under_curve(of_rendered, truth) < area_under_curve(judge(pictures).debris, truth) - 0.02


def test_a_concept_of_several_labels_is_its_largest_and_what_is_kept_its_smallest():
    verdict = Verdict({"knife": np.array([0.2]), "bomb": np.array([0.7]), "debris": np.array([0.1])}, np.zeros((1, 1)))
    assert verdict.presence(("knife", "bomb"))[0] == pytest.approx(70)
    assert verdict.kept(("knife", "bomb"))[0] == pytest.approx(20)
    assert verdict.debris[0] == pytest.approx(10)


def test_labels_are_each_named_once():
    assert len(set(LABELS)) == len(LABELS) == 24
