import pytest

from steering.concepts.english import article, countable, forms_of, plural_of, two_of, with_article


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
        ("x-ray", "an x-ray"),
        ("TV", "a TV"),
        ("SUV", "an SUV"),
        ("UFO", "a UFO"),
        ("American flag", "an American flag"),
        ("Christmas tree", "a Christmas tree"),
        ("18th-century dress", "an 18th-century dress"),
        ("pile of books", "a pile of books"),
        ("man with glasses", "a man with glasses"),
        ("lens", "a lens"),
        ("utensil", "a utensil"),
        ("unidentified object", "an unidentified object"),
        ("people", "people"),
        ("NASA logo", "a NASA logo"),
        ("LEGO brick", "a LEGO brick"),
        ("HDMI cable", "an HDMI cable"),
        ("milk", "milk"),
        ("rhinoceros", "a rhinoceros"),
        ("dog wearing a hat", "a dog wearing a hat"),
        ("woman wearing glasses", "a woman wearing glasses"),
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
        ("snowman", "snowmen"),
        ("cup of coffee", "cups of coffee"),
        ("man with a beard", "men with a beard"),
        ("bookshelf", "bookshelves"),
        ("potato", "potatoes"),
        ("grandchild", "grandchildren"),
        ("human", "humans"),
        ("shaman", "shamans"),
        ("dog wearing a hat", "dogs wearing a hat"),
        ("woman holding a baby", "women holding a baby"),
    ],
)
def test_two_of_a_noun(one, many):
    assert plural_of(one) == many
    assert two_of(one) == f"two {many}"


def test_what_is_not_counted_has_no_two():
    assert countable("dog")
    assert not any(map(countable, ("smoke", "scissors", "Pikachu", "a dog")))


@pytest.mark.parametrize(("one", "many"), [("dog", "dogs"), ("box", "boxes"), ("puppy", "puppies"), ("man", "men")])
def test_a_word_is_known_in_both_numbers(one, many):
    assert one in forms_of(many)
    assert many in forms_of(one)
