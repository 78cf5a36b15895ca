import pytest

from steering.pocket.concepts import SIZES, prompt_rows, targets
from steering.pocket.vocabulary import concept_of, known_words


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
