"""Units of work say all that decides their result: sent through a pickle they do the same."""

import hashlib
import pickle
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from steering.activations.capture import capture
from steering.activations.parts import capture_rows
from steering.concepts.pairs import Pair
from steering.concepts.prompts import Prompt, load_concept
from steering.evaluate.metrics import Batch, PixelChange
from steering.interventions.steer import steer
from steering.models.sampling import CaptureSettings
from steering.study.pool import Bench
from steering.study.setting import Recipe, Setting
from steering.study.tasks import Calibrate, Draw, Measure
from steering.vectors.build import build
from steering.vectors.calibration import calibrate

ray = pytest.importorskip("ray", reason="Ray is the extra 'cluster'")
PAIRS = [Pair(f"a dog {where}", f"a cat {where}") for where in ("on the beach", "in a room", "at night")]
SETTINGS = CaptureSettings(steps=2, guidance=1.0, size=64, batch=3)
HOW = {"negative": "", "steps": 2, "guidance": 1.0, "size": 64}


@pytest.fixture(scope="module")
def vector(toy_model):
    return build(capture(toy_model, PAIRS, settings=SETTINGS), top_k=2)


def pictures(drawn):
    """What the files hold, whose hashes must be right."""
    images = [np.asarray(Image.open(BytesIO(file))) for file in drawn.files]
    assert [hashlib.sha256(image.tobytes()).hexdigest() for image in images] == list(drawn.sha256)
    return np.stack(images)


def sent(task):
    """What arrives at a worker."""
    return pickle.loads(ray.cloudpickle.dumps(task))


def test_pictures_are_drawn_as_steered_and_as_plain(toy_model, vector):
    bench, prompts, seeds = Bench(toy_model, []), ("a dog", "a cat"), (3, 4)
    setting = Setting(Recipe(2), "projection", 2.5, (0.0, 0.5))
    plain, steered = (sent(Draw(prompts, seeds, HOW, *more)) for more in ((), (vector, setting)))
    expected = toy_model.generate(prompts, seed=seeds, batch=2, **HOW)
    np.testing.assert_array_equal(pictures(plain.do(bench)), expected)
    with steer(toy_model, vector, strength=2.5, preset="projection", start=0.0, end=0.5):
        moved = toy_model.generate(prompts, seed=seeds, batch=2, **HOW)
    assert not np.array_equal(moved, expected)
    np.testing.assert_array_equal(pictures(steered.do(bench)), moved)
    rows: list[int] = []
    plain.do(bench, rows.append)
    assert sum(rows) == plain.rows


def test_thresholds_are_those_of_a_calibration(toy_model, vector):
    negatives = tuple(pair.negative for pair in PAIRS)
    task, rows = sent(Calibrate(vector, negatives, SETTINGS, capture_rows(len(PAIRS), SETTINGS) // 2)), []
    made, expected = task.do(Bench(toy_model, []), rows.append), calibrate(toy_model, vector, negatives, SETTINGS)
    assert all(torch.equal(made[site], value) for site, value in expected.items())
    assert sum(rows) == task.rows


def test_pictures_are_measured_by_the_metric_that_is_named(toy_model):
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    batch = Batch(images, images[::-1], [Prompt("target", "a dog")] * 2, load_concept("dog"))
    made = sent(Measure("pixels", batch)).do(Bench(toy_model, [PixelChange()]))
    expected = PixelChange().measure(batch)
    assert {name: list(values) for name, values in made.items()} == {n: list(v) for n, v in expected.items()}
