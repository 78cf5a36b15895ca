import numpy as np

from steering.pocket.judge import LABELS
from steering.pocket.train_evaluators import clip_example, judge_example, train_judge


def test_labels_follow_the_picture():
    kinds = {"scene": 0, "wreck": 0, "broken": 0}
    for index in range(200):
        picture, labels, weights = judge_example(0, index)
        named = dict(zip(LABELS, labels, strict=True))
        if weights[LABELS.index("scene")] == 0:
            kinds["broken"] += 1
        elif named["scene"]:
            kinds["scene"] += 1
        else:
            kinds["wreck"] += 1
            assert not labels.any()
        assert picture.shape == (128, 128, 3)
    assert min(kinds.values()) > 5


def test_equal_scenes_count_as_equal_whatever_the_order():
    scenes = [clip_example(0, i)[2] for i in range(50)]
    assert all(list(scene.objects) == sorted(scene.objects) for scene in scenes)


def test_a_few_steps_lower_the_loss(capsys):
    network = train_judge(64 * 3, 0)
    assert not network.training
    assert np.isfinite([p.detach().sum() for p in network.parameters()]).all()
