from random import Random

import pytest

from steering.concepts.scenes import NOTHING, as_scene, bearing, sort_of_style, styled, surrounded, things
from steering.concepts.word_lists import BEARERS, SPLITS

MADE = {
    "umbrella": things,
    "Claude Monet": styled,
    "watercolour": styled,
    "smiling": bearing,
    "in the rain": surrounded,
}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("word", MADE)
def test_every_scene_is_a_sentence_of_its_own_with_and_without_the_concept(word, split):
    scenes = MADE[word](word, split, Random(0))
    said = [scene.say(word) for scene in scenes]
    assert len(set(said)) == len(said) >= (100 if split == "test" else 50)
    for scene, sentence in zip(scenes, said, strict=True):
        assert word in sentence
        assert word not in scene.say(None)
        assert "{" not in sentence + scene.say(None)


def test_a_scene_says_any_word_in_its_grammar():
    for scene in things("dog", "fit", Random(0)):
        a, smoke = scene.say("owl"), scene.say("smoke")
        assert ("an owl" in a) != ("two owls" in a)
        assert "a smoke" not in smoke
        assert "smokes" not in smoke
    for scene in bearing("smiling", "fit", Random(0)):
        assert "an angry" in scene.say("angry")
        assert " holding a cup " in f"{scene.say('holding a cup')} "


def test_nothing_there_is_a_place_or_what_stood_beside():
    bare = [scene.say(None) for scene in things("dog", "test", Random(0))]
    assert 0 < sum(NOTHING in sentence for sentence in bare) < len(bare)


def test_a_style_of_the_other_sort_is_told_in_its_own_words():
    scenes = styled("Claude Monet", "fit", Random(0))
    assert any("an Edvard Munch picture" in scene.say("Edvard Munch") for scene in scenes)
    assert any("in watercolour style" in scene.say("watercolour") for scene in scenes)
    assert any(scene.say("watercolour").endswith(", a watercolour") for scene in scenes)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fog", "in thick fog"),
        ("night", "at night"),
        ("under a bridge", "under a bridge"),
        ("cave", "in a cave"),
        ("foggy", "in thick fog"),
        ("indoors", "indoors"),
        ("water", "in water"),
    ],
)
def test_a_scene_ends_a_sentence(word, said):
    assert as_scene(word) == said


def test_no_subject_names_a_scene():
    assert not any(
        "beach" in scene.say(None) or "garden" in scene.say(None) for scene in surrounded("fog", "test", Random(0))
    )


def test_a_movement_is_a_look_whatever_its_letters():
    assert [sort_of_style(word) for word in ("Art Deco", "Impressionism", "Bob Ross", "oil painting", "noir")] == [
        "look", "look", "artist", "medium", "look",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["smoking", "sleeping"])
def test_what_one_does_is_said_of_people(word):
    said = [scene.say(word) for scene in bearing(word, "fit", Random(1))]
    assert all(any(f"{word} {noun}" in text for noun in BEARERS["people"]["fit"]) for text in said)
