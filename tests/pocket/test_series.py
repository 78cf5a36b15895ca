from functools import partial

import numpy as np
import pytest
import torch

from steering.pocket import latents, world
from steering.pocket.series import Series, write

EXAMPLES = partial(latents.examples, seed=5)


def test_files_hold_the_examples_of_their_numbers_and_each_comes_once(tmp_path):
    with Series(tmp_path, EXAMPLES, files=3, processes=1, size=2) as series:
        parts = series.new(least=3)
        assert [series.new(), series.new(least=1)] == [[], []]
    found = torch.cat([part["pictures"] for part in parts]).numpy()
    np.testing.assert_array_equal(found, EXAMPLES(0, 6)["pictures"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{i:04d}.safetensors" for i in range(3)]


def test_a_file_that_is_there_is_kept(tmp_path):
    path = write(tmp_path / "0000.safetensors", EXAMPLES, 0, 2)
    before = path.read_bytes()
    assert write(path, partial(latents.examples, seed=6), 0, 2).read_bytes() == before


def test_what_fails_in_a_process_that_draws_fails_here(tmp_path):
    with (
        Series(tmp_path, partial(latents.examples, seed=-1), 1, 1, 2) as series,
        pytest.raises(ValueError, match="non-negative"),
    ):
        series.new(least=1)


def test_a_scene_is_the_same_whoever_draws_it():
    one, again = EXAMPLES(3, 2), EXAMPLES(3, 2)
    np.testing.assert_array_equal(one["pictures"], again["pictures"])
    np.testing.assert_array_equal(one["tokens"], again["tokens"])
    assert world.sample(np.random.default_rng((5, 3, 0))) == world.sample(np.random.default_rng((5, 3, 0)))
