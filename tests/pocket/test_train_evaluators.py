import numpy as np
import pytest
import torch

from steering.pocket import train_evaluators
from steering.pocket.architecture import WEIGHTS
from steering.pocket.judge import LABELS
from steering.pocket.latents import load_vae
from steering.pocket.train_evaluators import (
    _through,
    clip_example,
    clip_examples,
    judge_example,
    judge_examples,
    mirrored,
    number_of,
)
from steering.pocket.world import BACKGROUNDS, OBJECTS, Scene

VAE = load_vae(WEIGHTS / "vae", "cpu")[0]


def test_labels_follow_the_picture():
    kinds = {"whole": 0, "wreck": 0, "broken": 0, "open": 0, "spoiled": 0, "edge": 0}
    for index in range(300):
        picture, labels, weights, spot = judge_example(0, index)
        named = dict(zip(LABELS, labels, strict=True))
        assert picture.shape == (128, 128, 3)
        if not named["debris"]:
            kinds["whole"] += 1
        elif any(named[name] for name in BACKGROUNDS):
            kinds["broken"] += 1
        else:
            kinds["wreck"] += 1
            assert labels.sum() == 1  # debris alone
        open_kinds = [name for name in OBJECTS if weights[LABELS.index(name)] == 0]
        kinds["open"] += bool(open_kinds)
        assert len(open_kinds) <= 2
        assert named["debris"] or not open_kinds
        kinds["spoiled"] += spot[2] > 0
        assert named["debris"] or spot[2] == 0
        if weights[LABELS.index("debris")] == 0:  # a style near the edges of being half there
            kinds["edge"] += 1
            assert labels[[LABELS.index(name) for name in OBJECTS]].sum() <= 3
    assert kinds.pop("edge") > 0
    assert min(kinds.values()) > 15


def test_equal_scenes_count_as_equal_whatever_the_order():
    scenes = [clip_example(0, i)[2] for i in range(50)]
    assert all(list(scene.objects) == sorted(scene.objects) for scene in scenes)


def test_equal_scenes_have_equal_numbers_and_others_others():
    one, other = Scene(("cat", "dog"), "snow"), Scene(("cat", "dog"), "beach")
    assert number_of(one) == number_of(Scene(("cat", "dog"), "snow")) != number_of(other)
    drawn = clip_examples(0, 4)
    assert [drawn[name].shape for name in ("pictures", "tokens", "scenes")] == [(4, 128, 128, 3), (4, 32), (4,)]


class Files:
    """A series whose files are there."""

    def __init__(self, arrays):
        self.parts = [{name: torch.from_numpy(array.copy()) for name, array in arrays.items()}]

    def new(self, least=0):
        """Every file once."""
        found, self.parts = self.parts, []
        return found


def test_spoiled_spots_and_a_share_of_the_rest_go_through_the_vae_under_the_same_labels():
    arrays = judge_examples(0, 40)
    pictures, labels, weights = _through(Files(arrays).new()[0], VAE, "cpu")
    changed = (pictures.numpy() != arrays["pictures"]).any((1, 2, 3))
    spoiled = arrays["spots"][:, 2] > 0
    assert 2 <= spoiled.sum() <= 15
    assert changed[spoiled].all()
    assert changed[~spoiled].sum() == int(train_evaluators.THROUGH * (~spoiled).sum())
    np.testing.assert_array_equal(labels.numpy(), arrays["labels"])
    debris = LABELS.index("debris")
    others = np.arange(len(LABELS)) != debris
    np.testing.assert_array_equal(weights.numpy()[:, others], arrays["weights"][:, others])
    np.testing.assert_array_equal(weights.numpy()[~spoiled], arrays["weights"][~spoiled])
    assert weights.numpy()[spoiled, debris].mean() > 0.3  # most spots are seen; the rest are open


def test_half_of_the_pictures_are_mirrored():
    torch.manual_seed(0)
    images = torch.rand(400, 3, 4, 4)
    found = mirrored(images)
    turned = [torch.equal(a, b.flip(2)) for a, b in zip(found, images, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(found, images, strict=True)]
    assert 140 < sum(turned) < 260  # six standard deviations
    assert sum(turned) + sum(kept) == 400


@pytest.mark.parametrize("which", ["judge", "clip"])
def test_a_moment_of_training_gives_a_whole_network_that_learned(which, monkeypatch, tmp_path):
    shares = iter([*[0.1] * 12, 1.0])
    losses = []
    monkeypatch.setattr(train_evaluators.Clock, "share", property(lambda self: next(shares)))
    step = train_evaluators.descend
    monkeypatch.setattr(train_evaluators, "descend", lambda *args: losses.append(step(*args)) or losses[-1])
    torch.manual_seed(0)
    if which == "judge":
        network = train_evaluators.train_judge(Files(judge_examples(0, 8)), VAE, 1, 8, "cpu")
        begun = tmp_path / "judge.safetensors"
        train_evaluators.save(network, begun)
        shares = iter([0.5, 1.0])
        train_evaluators.train_judge(Files(judge_examples(0, 8)), VAE, 1, 8, "cpu", begun)
        assert losses.pop() < losses[0]  # it goes on from there
    else:
        network = train_evaluators.train_clip(Files(clip_examples(0, 8)), 1, 8, "cpu")
    assert not network.training
    assert np.isfinite([float(p.detach().sum()) for p in network.parameters()]).all()
    assert losses[-1] < losses[0]


def test_saved_weights_are_whole(tmp_path):
    from safetensors.torch import load_file

    network = train_evaluators.JudgeNetwork()
    train_evaluators.save(network, tmp_path / "judge.safetensors")
    stored = load_file(tmp_path / "judge.safetensors")
    assert set(stored) == {name for name, value in network.state_dict().items() if value.is_floating_point()}
