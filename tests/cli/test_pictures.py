"""``steering generate``, ``map`` and ``strip`` as a user types them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from steering.files import read_header, write_tensors
from steering.sites import Site
from steering.vectors.vector import SteeringVector

from ..conftest import steering
from .conftest import CAT, DOG, STYLE

SMALL = ("--steps", 3, "--size", 64)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def picture(tmp_path):
    def draw(*words):
        steering("generate", "pocket", "--prompt", "a dog", "--out", tmp_path / "p.png", *SMALL, *words)
        return pixels(tmp_path / "p.png")

    return draw


@pytest.mark.parametrize(
    ("option", "value"), [("--vector", DOG), ("--add", DOG), ("--replace", f"{DOG}={CAT}"), ("--preset", "precise")]
)
def test_a_vector_changes_the_picture_and_strength_zero_does_not(picture, option, value):
    if option == "--preset":
        option, value = "--vector", DOG
        assert not np.array_equal(picture(option, value, "--preset", "precise"), picture(option, value))
    plain = picture()
    assert np.array_equal(picture(option, f"{value}:0"), plain)
    assert not np.array_equal(picture(option, f"{value}:2"), plain)


def test_a_folder_may_have_an_equals_sign_in_its_name(picture, tmp_path):
    folder = tmp_path / "k=5"
    folder.mkdir()
    shutil.copy(DOG, folder / "dog.safetensors")
    moved = picture("--replace", f"{folder / 'dog.safetensors'}={CAT}:1")
    assert np.array_equal(moved, picture("--replace", f"{DOG}={CAT}:1"))


def test_a_lora_draws_what_the_vector_that_it_holds_draws(picture, tmp_path):
    held = [tmp_path / f"{format_}.safetensors" for format_ in ("comfyui", "diffusers")]
    for path in held:
        steering("export-lora", STYLE, "pocket", "--strength", 1, "--format", path.stem, "--out", path)
    plain, steered = picture(), picture("--vector", f"{STYLE}:1")
    moved = np.abs(steered.astype(int) - plain).mean()
    assert moved > 2
    for words in (("--lora", held[0]), ("--lora", f"{held[1]}:1"), [f"--lora={path}:0.5" for path in held]):
        # Weights that were changed in float32 round apart from activations that were: a grey level here and there.
        assert np.abs(picture(*words).astype(int) - steered).mean() < 0.02 * moved
    assert np.array_equal(picture("--lora", f"{held[0]}:0"), plain)


def test_a_lora_of_other_weights_is_used_and_said(tmp_path):
    path = tmp_path / "lora.safetensors"
    steering("export-lora", STYLE, "pocket", "--out", path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    about = {name: value for name, value in read_header(path).items() if name not in ("kind", "version")}
    words = ("generate", "pocket", "--prompt", "a dog", *SMALL, "--lora", path, "--force", "--out", tmp_path / "p.png")
    assert "other weights" not in steering(*words, "--lora", f"{path}:0.5").stderr  # nor is the second of two
    write_tensors(path, tensors, "lora", 1, about | {"weights": "0" * 16})
    assert "lora.safetensors was made from other weights" in steering(*words).stderr


def test_modes_can_be_mixed_in_any_order(picture):
    one = picture("--add", f"{CAT}:0.5", "--vector", f"{DOG}:1.5")
    assert np.array_equal(one, picture("--vector", f"{DOG}:1.5", "--add", f"{CAT}:0.5"))
    assert not np.array_equal(one, picture("--vector", f"{DOG}:1.5"))


def test_a_map_shows_the_original_and_the_steered_picture_and_says_how_much(tmp_path):
    out = tmp_path / "map.png"
    words = ("map", "pocket", "--prompt", "a dog", "--vector", f"{DOG}:1", "--out", out, "--rows", 2)
    words += ("--steps", 1, "--size", 64)
    said = json.loads(steering(*words, "--json").stdout)
    vector = SteeringVector.load(DOG)
    assert {Site.parse(name) for name in said["moved"]} == set(vector.sites)
    # Preset lora at strength 1 moves every token to the negative mean, so what was held is what is moved; at the
    # first site of the only step, where nothing has been steered before. Figures have four decimals.
    first = str(next(iter(vector.sites)))
    assert said["moved"][first] == pytest.approx(-said["held"][first], abs=2e-4)
    assert said["held"][first] != 0
    picture = pixels(out)
    assert picture.shape[0] > 600
    assert picture.std() > 20


def test_a_strip_starts_from_the_original_and_drifts_away(tmp_path):
    out = tmp_path / "strip.png"
    words = ("sweep", "pocket", "--prompt", "a dog on the beach", "--prompt", "a dog", "--vector", DOG, "--out", out)
    said = json.loads(steering(*words, "--steps", 3, "--strengths", "0,1,2.5", "--json").stdout)
    for row in said["drift"]:
        assert row[0] == 0
        assert 0 < row[1] < row[2]
    assert np.shape(said["presence"]) == (2, 3)
    assert pixels(out).shape[1] > 3 * 128
    text = steering(*words, "--strengths", "0,2", *SMALL).stdout
    assert "presence" not in text  # the judge knows pictures of 128 x 128 only
    assert "drift" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("generate", "--vector", "v.safetensors:strong"), "with a number"),
        (("generate", "--size", "60"), "multiples of 8"),
        (("generate", "--replace", DOG), "must be FILE=FILE"),
        (("generate", "--add", "missing.safetensors"), "there is no file"),
        (("generate", "--lora", "missing.safetensors"), "there is no file"),
        (("generate", "--lora", f"{DOG}:strong"), "with a number"),
        (("generate", "--lora", f"{DOG}:inf"), "must be a finite number"),
        (("generate", "--lora", DOG), "expected 'lora'"),
        (("sweep", "--vector", DOG, "--strengths", "0,strong"), "numbers separated by commas"),
        (("sweep", "--vector", f"{DOG}:2"), "give the FILE alone"),
        (("sweep", "--vector", DOG, "--mode", "swap"), 'Choose from: "suppress", "replace"'),
        (("map", "--vector", DOG, "--mode", "replace"), "takes a second vector"),
        (("map", "--vector", DOG, "--target", CAT), "takes no second vector"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_status_2(words, message, tmp_path):
    command, *options = words
    done = steering(command, "pocket", "--prompt", "a", "--out", tmp_path / "x.png", *options, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
