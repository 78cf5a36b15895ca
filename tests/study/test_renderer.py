import copy
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from steering.concepts.prompts import ROLES, Prompt
from steering.study.plan import Arm, Plan
from steering.study.pool import Bench
from steering.study.renderer import Renderer, items_of, read_picture, seed_of
from steering.study.tasks import Drawn

PROMPTS = [Prompt(role, f"{role} {i}") for role in ROLES for i in range(30)]
PLAN = Plan(steps=2, batch=3, size=64)


def items(counts, within=(30, 30, 30), repeats=(0,), prompts=PROMPTS):
    return items_of("dog/test", prompts, within, counts, repeats)


@given(
    st.tuples(*[st.integers(1, 30)] * 3).flatmap(
        lambda most: st.tuples(st.just(most), st.tuples(*[st.integers(0, m) for m in most]))
    )
)
def test_a_smaller_arm_draws_a_part_of_what_a_larger_one_draws(counts):
    most, some = counts
    whole = {(item.name, item.seed) for item in items(most, most)}
    part = [(item.name, item.seed) for item in items(some, most)]
    assert set(part) <= whole
    assert len(set(part)) == len(part) == sum(some)


def test_seeds_belong_to_prompts_whatever_is_drawn_beside_them():
    few, many = items((3, 0, 0)), items((30, 5, 5))
    seeds = {item.name: item.seed for item in many}
    assert all(seeds[item.name] == item.seed for item in few)
    assert len(set(seeds.values())) == len(seeds)
    other = items((3, 0, 0), repeats=(1,))
    assert not {item.seed for item in other} & {item.seed for item in few}


def test_a_prompts_own_seed_and_guidance_are_kept(toy_model, tmp_path):
    own = [Prompt("target", "a", seed=7, guidance=2.0), Prompt("target", "b", seed=9), Prompt("target", "c")]
    assert seed_of("x", own[0], 0) == 7
    assert seed_of("x", own[0], 1) != 8  # the next row may have that one
    renderer = Renderer(toy_model, PLAN, tmp_path)
    units = renderer.units(Arm("original", "original", (3, 0, 0)), items((3, 0, 0), (3, 0, 0), prompts=own), None)
    assert [(unit.guidance, len(unit.items)) for unit in units] == [(2.0, 1), (3.0, 2)]


def test_the_whole_model_is_in_a_units_key(toy_model, tmp_path):
    def key(model):
        return Renderer(model, PLAN, tmp_path).units(Arm("a", "a", (2, 0, 0)), items((2, 0, 0)), None)[0].key

    (encoder,) = copy.deepcopy(toy_model.encoders)
    encoder.module.get_input_embeddings().weight.data += 1
    codec = copy.deepcopy(toy_model.vae)
    with torch.no_grad():
        codec.decoder.conv_out.weight *= 2
    others = [replace(toy_model, encoders=(encoder,)), replace(toy_model, vae=codec)]
    others.append(replace(toy_model, prediction="epsilon"))
    assert len({key(model) for model in (toy_model, *others)}) == 4
    assert key(toy_model) == key(replace(toy_model, name="elsewhere"))


def test_a_unit_is_known_by_everything_that_makes_its_pictures(toy_model, tmp_path):
    renderer, arm, drawn = Renderer(toy_model, PLAN, tmp_path), Arm("a", "a", (2, 0, 0)), items((2, 0, 0))

    def key(renderer=renderer, arm=arm, drawn=drawn):
        return renderer.units(arm, drawn, None)[0].key

    assert key() == key(arm=replace(arm, name="b", group="b"))  # what an arm is called changes nothing
    others = [
        key(arm=replace(arm, negative="x")),
        key(drawn=[replace(item, seed=item.seed + 1) for item in drawn]),
        key(drawn=[replace(item, prompt=Prompt("target", "other")) for item in drawn]),
        key(Renderer(toy_model, replace(PLAN, steps=3), tmp_path)),
        key(Renderer(toy_model, replace(PLAN, guidance=2.0), tmp_path)),
        key(Renderer(toy_model, replace(PLAN, size=72), tmp_path)),
    ]
    assert len({key(), *others}) == len(others) + 1


def test_pictures_come_back_as_they_were_drawn_and_units_are_whole_or_not_there(toy_model, tmp_path, monkeypatch):
    renderer = Renderer(toy_model, PLAN, tmp_path)
    (unit,) = renderer.units(Arm("a", "a", (2, 0, 0)), items((2, 0, 0)), None)
    seeds, texts = [item.seed for item in unit.items], [item.prompt.text for item in unit.items]
    expected = toy_model.generate(texts, seed=seeds, steps=2, guidance=3.0, size=64, batch=2)
    drawn = renderer.task(unit).do(Bench(toy_model, []))
    real = renderer.path

    def full_disk(key, number):
        if number == 1:
            raise OSError("disk full")
        return real(key, number)

    monkeypatch.setattr(Renderer, "path", lambda self, key, number: full_disk(key, number))
    with pytest.raises(OSError, match="disk full"):
        renderer.keep(unit.key, drawn)
    assert not renderer.finished(unit.key)
    monkeypatch.undo()
    renderer.keep(unit.key, drawn)
    assert renderer.finished(unit.key)
    np.testing.assert_array_equal(renderer.load(unit), expected)
    assert not list(tmp_path.glob("**/*.tmp"))


def test_a_picture_that_is_not_the_one_drawn_is_drawn_again(finished, tmp_path):
    shutil.copytree(finished.study.renderer.folder, tmp_path / "pictures")
    fresh = Renderer(finished.study.model, finished.study.plan, tmp_path / "pictures")
    key, other = [path.parent.name for path in sorted((tmp_path / "pictures").glob("*/unit.json"))][:2]
    assert fresh.finished(key) and fresh.finished(key)
    fresh = Renderer(finished.study.model, finished.study.plan, tmp_path / "pictures")
    picture = read_picture(fresh.path(key, 0)).copy()
    picture[0, 0] ^= 255
    Image.fromarray(picture).save(fresh.path(key, 0))
    with pytest.warns(UserWarning, match="was damaged and is drawn again"):
        assert not fresh.finished(key)
    assert fresh.finished(other)


def test_a_unit_of_more_than_a_hundred_pictures_is_whole(toy_model, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, (101, 8, 8, 3), np.uint8)
    Renderer(toy_model, PLAN, tmp_path).keep("unit", Drawn.of(pictures, 1.0))
    assert Renderer(toy_model, PLAN, tmp_path).finished("unit")
