"""Nothing that a language model says of a concept is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.concepts.checking import check_pairs
from steering.concepts.material import FIT, TEST, Caption, Material, accepted
from steering.concepts.pairs import parse_pairs
from steering.concepts.request import Request, checked
from steering.concepts.writing import write_set
from steering.errors import SteeringError

PLACES = (
    *("harbour", "library", "bakery", "desert", "meadow", "station", "castle", "office", "garage", "theatre", "valley"),
    *("market", "attic", "bridge", "canal", "orchard", "glacier", "museum", "ferry", "barn", "pier", "quarry"),
    *("vineyard", "tunnel", "lighthouse", "stadium", "courtyard", "windmill", "jungle", "beach", "cellar", "forest"),
)
WORD = checked(Request("umbrella"))


def caption(i, one="umbrella", other="walking stick"):
    tail = f"and a cup of tea number {'i' * (i + 1)} near the {PLACES[i % len(PLACES)]}"
    return {"with": f"An {one} {tail}", "instead": f"A {other} {tail}", "without": f"The rain {tail}"}


def answer(count=32, **more):
    return {"siblings": ["walking stick", "raincoat"], "captions": [caption(i) for i in range(count)], **more}


def test_sentences_go_into_pairs_and_into_the_report():
    material = accepted(answer(), WORD, False)
    assert material.siblings == ("walking stick", "raincoat")
    assert (len(material.fit), len(material.test)) == (FIT, TEST)
    assert not set(material.fit) & set(material.test)
    written = write_set(Request("umbrella"), material=material)
    pairs = parse_pairs(written.files["fit.csv"])
    assert len(pairs) == 50
    assert [pair.positive for pair in pairs[-FIT:]] == [one.positive for one in material.fit]
    assert [pair.rest for pair in pairs[-FIT:]] == [one.rest for one in material.fit]
    plain = write_set(Request("umbrella"))
    assert all(one.positive in written.files["test.csv"] for one in material.test)
    assert not any(one.positive in plain.files["test.csv"] for one in material.test)
    assert written.files["test.csv"].count("\ntarget,") == plain.files["test.csv"].count("\ntarget,") == 100
    assert "walking stick" in written.files["fit.csv"]
    assert written.alike.seen == ("walking stick",)


def test_siblings_of_the_request_count_before_the_models():
    material = Material(("walking stick",), ())
    assert write_set(Request("umbrella", siblings=("kite", "tent")), material=material).alike.seen == ("kite",)


BAD = {
    "without the concept": {**caption(1), "with": "A tent near the harbour"},
    "that name it where it should be gone": {**caption(1), "instead": "Two umbrellas near the harbour"},
    "with minors": {key: f"{text} beside a child" for key, text in caption(1).items()},
    "too long": {key: text + " and so on" * 20 for key, text in caption(1).items()},
    "with signs that prompts read": {key: f"({text}:1.5)" for key, text in caption(1).items()},
    "not three texts": {"with": "An umbrella"},
    "of letters that are none": {key: text + "\ud800" for key, text in caption(1).items()},
    "said before": caption(0),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_sentence_that_would_be_a_bad_prompt_is_left_out(fault):
    material = accepted(answer(20, captions=[caption(i) for i in range(20)] + [BAD[fault]]), WORD, False)
    assert len(material.captions) == 20
    with pytest.raises(SteeringError, match=f"only 1 sentences of the answer can be used .*{fault}"):
        accepted(answer(captions=[caption(0), BAD[fault]]), WORD, False)


def test_people_of_an_explicit_set_are_said_to_be_adults():
    sentences = [caption(i) for i in range(20)]
    with pytest.raises(SteeringError, match="that do not say adult"):
        accepted({"captions": sentences}, WORD, True)
    said = [{key: f"An adult with this: {text}" for key, text in one.items()} for one in sentences]
    assert len(accepted({"captions": said}, WORD, True).captions) == 20


def test_siblings_that_a_request_may_not_name_are_left_out():
    siblings = ["a raincoat", "umbrellas", 7, "", "a " * 9 + "thing", "raincoat", "kite"]
    assert accepted(answer(siblings=siblings), WORD, False).siblings == ("raincoat", "kite")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_answer_is_more_than_refused(siblings, captions):
    try:
        accepted({"siblings": siblings, "captions": captions}, WORD, False)
    except SteeringError as error:
        assert "sentences of the answer can be used" in str(error)


def test_no_pair_of_it_holds_the_concept_on_both_sides():
    material = accepted(answer(), WORD, False)
    pairs = parse_pairs(write_set(Request("umbrella"), material=material).files["fit.csv"])
    from steering.concepts.prompts import Concept

    assert not [
        found for found in check_pairs(pairs, Concept("umbrella", "an umbrella")) if found.what == "not without"
    ]
    assert all(isinstance(one, Caption) for one in material.captions)


def test_the_pocket_model_knows_no_other_words():
    with pytest.raises(SteeringError, match="knows few words"):
        write_set(Request("umbrella"), "pocket", Material((), (Caption("a", "b", "c"),)))
