import pytest

from steering.concepts.english import article, countable, plural_of, two_of, with_article


@pytest.mark.parametrize(
    ("noun", "said"),
    [
        ("dog", "a dog"),
        ("umbrella", "an umbrella"),
        ("unicorn", "a unicorn"),
        ("hourglass", "an hourglass"),
        ("ukulele", "a ukulele"),
        ("uninvited guest", "an uninvited guest"),
        ("one-eyed cat", "a one-eyed cat"),
        ("bus", "a bus"),
        ("glass", "a glass"),
        ("smoke", "smoke"),
        ("thick smoke", "thick smoke"),
        ("scissors", "scissors"),
        ("Pikachu", "Pikachu"),
        ("an old man", "an old man"),
        ("The Eiffel Tower", "The Eiffel Tower"),
        ("stained glass", "stained glass"),
    ],
)
def test_one_thing_of_a_noun(noun, said):
    assert with_article(noun) == said


def test_an_article_goes_by_sound_even_before_a_name():
    assert [article(name) for name in ("Edvard Munch", "European", "Monet", "heirloom")] == ["an", "a", "a", "an"]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("dog", "dogs"),
        ("knife", "knives"),
        ("police officer", "police officers"),
        ("old woman", "old women"),
        ("loaf of bread", "loaves of bread"),
        ("bus", "buses"),
        ("church", "churches"),
        ("puppy", "puppies"),
        ("toy", "toys"),
        ("box", "boxes"),
        ("sheep", "sheep"),
    ],
)
def test_two_of_a_noun(one, many):
    assert plural_of(one) == many
    assert two_of(one) == f"two {many}"


def test_what_is_not_counted_has_no_two():
    assert countable("dog")
    assert not any(map(countable, ("smoke", "scissors", "Pikachu", "a dog")))
