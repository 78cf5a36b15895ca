import pytest

from steering.errors import SteeringError
from steering.pocket.captions import CAPTIONS
from steering.pocket.concepts import SIZES, fit_rows, prompt_rows, targets
from steering.pocket.kinds import KINDS
from steering.pocket.vocabulary import becoming, concept_of, known_words


@pytest.mark.parametrize(
    ("word", "name"),
    [("dog", "dog"), ("a puppy", "dog"), ("Van Gogh", "van_gogh"), ("in the style of Van Gogh", "van_gogh"),
     ("pencil sketch", "sketch"), ("watercolour style", "watercolour"), ("Umbrella", "umbrella"),
     ("violence", "violence"), ("unicorn", None), ("", None), ("plain", None)],
)  # fmt: skip
def test_a_word_of_the_pocket_world_stands_for_a_concept(word, name):
    made = concept_of(word)
    assert (made and made.name) == name


@pytest.mark.parametrize("word", known_words())
def test_every_word_of_the_pocket_world_has_a_whole_set(word):
    """As the built-in ones have: sizes, no target without the concept, siblings at test that were never shown."""
    made = concept_of(word)
    for which in ("fit", "dev", "test"):
        assert len(targets(made, which)) == SIZES[which]
    for which, siblings in (("dev", made.siblings), ("test", made.new_siblings)):
        rows = prompt_rows(made, which)
        for role, _, shown, rest, _ in rows:
            assert bool(set(made.judge) & set(shown.split())) == (role == "target") == bool(rest)
            assert role != "sibling" or set(siblings) & set(shown.split())
    assert not set(made.siblings) & set(made.new_siblings)


@pytest.mark.parametrize(("word", "other"), [("dog", "cat"), ("umbrella", "apple"), ("violence", "key")])
def test_a_thing_that_becomes_another_says_so_in_every_rest_and_nowhere_else_in_its_scenes(word, other):
    made = becoming(concept_of(word), other)
    nouns = [KINDS[name].nouns[0] for name in made.judge]
    rows = [(positive, rest or negative) for positive, negative, rest in fit_rows(made)]
    rows += [(text, rest) for role, text, _, rest, _ in prompt_rows(made, "test") if role == "target"]
    assert len(rows) == SIZES["fit"] + SIZES["test"]
    for text, rest in rows:
        there = [noun for noun in nouns if f" {noun} " in f"{text} "]
        assert there
        assert f" {other} " not in f"{text} "
        swapped = f"{text} "
        for noun in there:
            for before in ("an", "a"):
                swapped = swapped.replace(f"{before} {noun} ", f"{'an' if other[0] in 'aeiou' else 'a'} {other} ")
            swapped = swapped.replace(f" {noun} ", f" {other} ")  # behind "a small"
        assert swapped.strip() == rest


def test_a_style_that_becomes_another_is_asked_for_in_its_words():
    made = becoming(concept_of("Van Gogh"), "watercolour")
    for _, negative, rest in fit_rows(made):
        assert any("watercolour" in text for text in CAPTIONS["watercolour"]["fit"])
        assert "watercolour" in (rest or negative)
        assert "Van Gogh" not in negative + rest


@pytest.mark.parametrize(
    ("word", "other"),
    [("dog", "unicorn"), ("dog", "watercolour"), ("dog", "puppy"), ("dog", "violence"), ("Van Gogh", "cat"),
     ("violence", "knife"), ("sketch", "pencil sketch")],
)  # fmt: skip
def test_what_a_concept_cannot_become_is_refused_with_what_it_can(word, other):
    with pytest.raises(SteeringError, match=rf"becomes one of \w+.*, not '{other}'"):
        becoming(concept_of(word), other)


@pytest.mark.parametrize("word", ["h", "gogh style of", "tch", "colour", "encil sketch"])
def test_the_tail_of_a_style_s_name_is_no_style(word):
    assert concept_of("gogh").name == concept_of("in the style of Van Gogh").name == "van_gogh"
    assert concept_of(word) is None
