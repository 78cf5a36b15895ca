import pytest

from steering.concepts.request import Request, checked, plain
from steering.concepts.word_lists import SPELLINGS
from steering.errors import SteeringError


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("Van Gogh", "style", "Van Gogh"),
        ("vincent van gogh", "style", "Van Gogh"),
        ("in the style of Monet", "style", "Claude Monet"),
        ("in the style of Studio Ghibli", "style", "Studio Ghibli"),
        ("cyberpunk style", "style", "cyberpunk"),
        ("black and white", "style", "black and white"),
        ("Watercolor", "style", "watercolour"),
        ("oil painting", "style", "oil painting"),
        ("vaporwave art", "style", "vaporwave art"),
        ("Smiling", "attribute", "smiling"),
        ("holding a cup", "attribute", "holding a cup"),
        ("with a moustache", "attribute", "with a moustache"),
        ("glasses", "attribute", "wearing glasses"),
        ("Rain", "scene", "in the rain"),
        ("at Night", "scene", "at night"),
        ("winter", "scene", "in winter"),
        ("during a storm", "scene", "during a storm"),
        ("under a bridge", "scene", "under a bridge"),
        ("A  dog", "object", "dog"),
        ("DOG", "object", "dog"),
        ("wedding ring", "object", "wedding ring"),
        ("ceiling fan", "object", "ceiling fan"),
        ("Eiffel Tower", "object", "Eiffel Tower"),
        ("dog’s bone", "object", "dog's bone"),
        ("dog.", "object", "dog"),
        ("jumping spider", "object", "jumping spider"),
        ("playing card", "object", "playing card"),
        ("water", "object", "water"),
        ("sitting on a chair", "attribute", "sitting on a chair"),
        ("eating an apple", "attribute", "eating an apple"),
        ("smoking", "attribute", "smoking"),
        ("underwater", "scene", "under water"),
        ("street", "scene", "on a street"),
        ("Picasso painting", "style", "Pablo Picasso"),
        ("a painting by Monet", "style", "Claude Monet"),
        ("Art Deco style", "style", "Art Deco"),
    ],
)
def test_a_word_is_taken_for_what_it_is_in_one_form(word, kind, said):
    made = checked(Request(word))
    assert (made.kind, made.word) == (kind, said)


def test_what_is_said_of_the_kind_holds():
    assert checked(Request("crane", kind="scene")).word == "in a crane"
    assert checked(Request("orange", kind="object")).kind == "object"


@pytest.mark.parametrize("said", ["dog", "Dog", "the dog", "dogs", "two dogs", "big dog"])
def test_a_sibling_that_is_the_concept_is_refused(said):
    with pytest.raises(SteeringError, match="name others that must stay"):
        checked(Request("dog", siblings=("cat", said)))


def test_siblings_are_in_plain_form_and_each_once():
    made = checked(Request("dog", siblings=(" A cat", "CAT", "", "wolf", "an  owl")))
    assert made.siblings == ("cat", "wolf", "owl")
    assert checked(Request("fog", siblings=("rain",))).siblings == ("in the rain",)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("  "), "names nothing"),
        (Request("the"), "names nothing"),
        (Request("🐱"), "names nothing"),
        (Request("dog", siblings=("cat", "-")), "names nothing"),
        (Request("x" * 65), "longer than 64 letters"),
        (Request("dog", siblings=("c" * 70,)), "longer than 64 letters"),
        (Request("dog\0"), "no text"),
        (Request("dog", siblings=("cat\udcff",)), "no text"),
        (Request("dog", kind="animal"), "object, scene, auto|style, attribute, scene, object, auto"),
        (Request("night", siblings=("at night",)), "name others"),
        (Request("dog", becomes="-"), "names nothing"),
        (Request("dog", becomes="c" * 70), "longer than 64 letters"),
        *[
            (Request("dog", becomes=other), "cannot become")
            for other in ("dog", "two dogs", "puppy", "big dog", "animal")
        ],
    ],
)
def test_what_is_no_word_is_refused(request_, said):
    with pytest.raises(SteeringError, match=said):
        checked(request_)


@pytest.mark.parametrize(
    "word", ["nudity", "nudes", "a nude woman", "sexy", "hentai", "panties", "man without clothes"]
)
def test_nudity_is_not_written_by_template(word):
    for request in (Request(word), Request("woman", siblings=(word,)), Request("woman", becomes=word)):
        with pytest.raises(SteeringError, match="built-in concept nudity"):
            checked(request)


@pytest.mark.parametrize("word", ["injury of a child", "bloody child", "undressed child", "sexy teen", "dead children"])
def test_minors_and_explicit_pictures_do_not_go_together(word):
    for request in (Request(word), Request("umbrella", becomes=word)):
        with pytest.raises(SteeringError, match="do not go together"):
            checked(request)


def test_a_minor_becomes_nothing_explicit():
    with pytest.raises(SteeringError, match="do not go together"):
        checked(Request("child", becomes="bloody corpse"))


def test_children_as_such_may_be_steered():
    assert checked(Request("child")).kind == "object"


def test_every_other_spelling_leads_to_a_known_word():
    for said, known in SPELLINGS.items():
        assert plain(said.upper()) == known


@pytest.mark.parametrize("word", ["with", "in the style of", "in", "style", "wearing", "scene", "the", "..."])
def test_words_that_name_nothing_alone_are_refused(word):
    assert checked(Request("art")).word == "art"
    with pytest.raises(SteeringError, match="names nothing that can be written about"):
        checked(Request(word))


@pytest.mark.parametrize("word", ["dog 🐕", "cat; horse", "(dog:1.2)", "dog|cat", "a/b"])
def test_signs_that_no_sentence_holds_are_refused(word):
    with pytest.raises(SteeringError, match="which no sentence does; give a word or a few"):
        checked(Request(word))


@pytest.mark.parametrize(
    ("word", "other"), [("fog", "dog"), ("dog", "smiling"), ("Van Gogh", "dog"), ("umbrella", "watercolour")]
)
def test_a_concept_becomes_something_of_its_own_kind(word, other):
    with pytest.raises(SteeringError, match="which no sentence says in its place; let it become another"):
        checked(Request(word, becomes=other))
    assert checked(Request("night", becomes="day")).becomes == "in daylight"
    assert checked(Request("umbrella", becomes="nothing")).becomes == ""
