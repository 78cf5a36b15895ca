import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.concepts.checking import COMMON, check_concept, words
from steering.concepts.english import forms_of, plural_of
from steering.concepts.kinds import KINDS
from steering.concepts.material import Caption, Material
from steering.concepts.pairs import load_pairs
from steering.concepts.prompts import load_concept, read_prompts
from steering.concepts.request import Request, kind_of, plain
from steering.concepts.scenes import NOTHING
from steering.concepts.tables import csv_rows
from steering.concepts.word_lists import ARTISTS, ATTRIBUTES, LOOKS, MEDIA, SCENES, THINGS
from steering.concepts.writing import SIZES, name_of, write_set
from steering.errors import SteeringError

WORDS = {
    "umbrella": "object",
    "unicorn": "object",  # of which nothing is known
    "smoke": "object",  # which has no article and no two
    "Claude Monet": "style",
    "pixel art": "style",
    "smiling": "attribute",
    "red": "attribute",
    "wearing glasses": "attribute",
    "at night": "scene",
    "fog": "scene",
}


def rows_of(written, name):
    return list(csv.DictReader(io.StringIO(written.files[name])))


def folder_of(written, path):
    for name, content in written.files.items():
        (path / name).write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("word", WORDS)
def test_a_set_is_whole_and_nothing_in_it_is_weak(word, tmp_path):
    written = write_set(Request(word))
    assert written.kind == WORDS[word]
    folder = folder_of(written, tmp_path)
    assert check_concept(str(folder), "sd15", lambda text: 1 + len(text) // 300) == []
    assert load_concept(str(folder)).name
    assert len(load_pairs(folder / "fit.csv")) == SIZES["fit"]
    for which in ("dev", "test"):
        prompts = read_prompts(folder / f"{which}.csv")
        assert [sum(p.role == role for p in prompts) for role in ("target", "sibling", "unrelated")] == [
            SIZES[which]
        ] * 3
        assert len({(p.role, p.text) for p in prompts}) == len(prompts)


@pytest.mark.parametrize("word", WORDS)
def test_the_sides_of_a_pair_differ_in_the_concept_alone(word):
    """Take out the concept's words and what stands in its place, and both sides are one sentence."""
    written = write_set(Request(word))
    said = {"fog": "in thick fog"}.get(word, word)
    for pair in rows_of(written, "fit.csv"):
        assert said.split()[-1] in pair["positive"] or plural_of(said) in pair["positive"]
        assert not re.search(rf"\b{said}\b", pair["negative"] + pair["rest"])
        other = next((s for s in written.alike.seen if s in pair["negative"] or plural_of(s) in pair["negative"]), None)
        assert (other is None) == (not pair["rest"])  # every third time nothing stands there
        if other and written.kind in ("object", "attribute", "scene"):
            swap = {said: "#", plural_of(said): "#s", other: "#", plural_of(other): "#s", "an ": "a "}
            sides = [pair["positive"], pair["negative"]]
            for old, new in sorted(swap.items(), key=lambda item: -len(item[0])):
                sides = [side.replace(old, new) for side in sides]
            alike = [re.sub(r"\ba #", "#", side) for side in sides]  # smoke, but a dog
            assert (
                alike[0].replace("#s", "#") == alike[1].replace("two #s", "#").replace("#s", "#")
                or alike[0] == alike[1]
            )


OTHERS = {
    "umbrella": "apple",
    "unicorn": "tractor",
    "smoke": "steam",
    "Claude Monet": "Vincent van Gogh",
    "pixel art": "watercolour",
    "smiling": "crying",
    "wearing glasses": "wearing a hat",
    "at night": "in thick fog",
}


@pytest.mark.parametrize("word", OTHERS)
def test_what_the_concept_becomes_stands_in_its_place_and_nowhere_else(word, tmp_path):
    """Every ``rest`` is the sentence of its prompt with the other word, which no scene holds otherwise."""
    other = OTHERS[word]
    written, plain_one = write_set(Request(word, becomes=other)), write_set(Request(word))
    own = {form for part in words(other) for form in forms_of(part)} - COMMON
    rows = [(row["positive"], row["rest"] or row["negative"]) for row in rows_of(written, "fit.csv")]
    targets = [row for which in ("dev.csv", "test.csv") for row in rows_of(written, which) if row["role"] == "target"]
    rows += [(row["prompt"], row["rest"]) for row in targets]
    assert len(rows) == SIZES["fit"] + SIZES["dev"] + SIZES["test"]
    for text, rest in rows:
        assert own & set(words(rest)), rest
        assert not own & set(words(text)), text
        assert not re.search(rf"\b{word}\b", rest)
    assert written.alike == plain_one.alike
    assert check_concept(str(folder_of(written, tmp_path)), "sd15", lambda text: 1 + len(text) // 300) == []


def test_what_a_language_model_wrote_knows_nothing_of_what_a_concept_becomes():
    with pytest.raises(SteeringError, match="leave the language model out"):
        write_set(Request("umbrella", becomes="apple"), material=Material())


def test_siblings_of_the_report_are_new_and_those_given_are_used():
    known = write_set(Request("umbrella")).alike
    assert known.seen
    assert known.new
    assert not set(known.seen) & set(known.new)
    assert set(known.seen) | set(known.new) <= set(THINGS["household"])
    given_ones = write_set(Request("umbrella", siblings=("parasol", "a tent", "raincoat", "awning"))).alike
    assert given_ones.seen[:2] == ("parasol", "tent")
    assert given_ones.new == ("raincoat", "awning")


def test_one_sibling_given_is_told_apart_and_others_are_new():
    alike = write_set(Request("unicorn", siblings=("horse",))).alike
    assert alike.seen == ("horse",)
    assert alike.new
    assert "horse" not in alike.new


def test_nothing_known_is_said():
    assert write_set(Request("umbrella")).known
    assert not write_set(Request("unicorn")).known
    assert write_set(Request("unicorn", siblings=("horse", "zebra"))).known


def test_the_same_word_gives_the_same_set_and_another_one_another():
    first = write_set(Request("umbrella")).files
    assert write_set(Request("umbrella")).files == first
    assert write_set(Request("lamp")).files["fit.csv"] != first["fit.csv"].replace("umbrella", "lamp")


def test_things_are_asked_for_alone_in_company_and_by_twos():
    targets = [row for row in rows_of(write_set(Request("umbrella")), "test.csv") if row["role"] == "target"]
    company = [row for row in targets if NOTHING not in row["rest"]]
    two = [row for row in targets if "two umbrellas" in row["prompt"]]
    assert 15 <= len(company) <= 40
    assert 15 <= len(two) <= 40
    assert all("two" not in row["rest"] for row in two)


def test_a_known_artist_may_be_written_small():
    assert write_set(Request("claude monet")).files == write_set(Request("Claude Monet")).files


def test_every_listed_word_is_known_as_what_it_is_listed_as():
    listed = {"style": (*ARTISTS, *MEDIA, *LOOKS), "scene": SCENES, "attribute": sum(ATTRIBUTES.values(), ())}
    for kind, known in listed.items():
        assert {kind_of(word) for word in known} == {kind}
    assert {kind_of(word) for group in THINGS.values() for word in group} == {"object"}


def test_pictures_of_wounds_are_blurred(tmp_path):
    assert load_concept(str(folder_of(write_set(Request("blood")), tmp_path))).explicit


@pytest.mark.parametrize("word", ["kitchen", "barn", "bridge", "train", "fence", "photo", "sunset", "dogs", "bike"])
def test_nothing_else_in_a_sentence_names_the_concept(word):
    written = write_set(Request(word))
    own = {form for part in words(plain(word)) for form in forms_of(part)}
    for pair in rows_of(written, "fit.csv"):
        assert not own & set(words(pair["negative"] + " " + pair["rest"]))
    for which in ("dev.csv", "test.csv"):
        for row in rows_of(written, which):
            assert not own & set(words(row["rest"]))
            assert row["role"] == "target" or not own & set(words(row["prompt"]))


@given(
    st.text(st.characters(categories=["L", "Nd", "Pd", "Po", "Zs"]), min_size=1, max_size=30),
    st.sampled_from([*KINDS, "auto"]),
)
def test_any_word_gives_a_set_that_can_be_read_or_a_sentence(word, kind):
    try:
        written = write_set(Request(word, kind))
    except SteeringError:
        return
    assert re.fullmatch(r"[\w]+", name_of(word)) or not re.search(r"\w", word)
    for name in ("fit.csv", "dev.csv", "test.csv"):
        assert rows_of(written, name)


@pytest.mark.slow
def test_nothing_is_weak_in_the_set_of_any_word_that_is_known(tmp_path):
    every = [word for kind in KINDS.values() for group in kind.groups for word in group]
    assert len(every) > 250
    weak = {}
    for word in every:
        found = check_concept(str(folder_of(write_set(Request(word)), tmp_path)), "sd15", lambda _text: 1)
        weak |= {word: found} if found else {}
    assert not weak


def test_a_set_is_named_by_the_plain_form_of_its_word():
    assert write_set(Request("An Umbrella ")).name == write_set(Request("umbrella")).name == "umbrella"
    assert write_set(Request("an umbrella"), "pocket").name == "umbrella"


def test_a_set_that_is_smaller_than_promised_says_so():
    assert not any("only" in line for line in write_set(Request("building")).remarks)
    few = write_set(Request("flower power", "style")).remarks
    assert any(re.match(r"only 9\d test prompts of role target, since", line) for line in few)


def test_what_a_language_model_wrote_takes_the_place_of_targets_alone():
    """Of a narrow word there are fewer targets than the report has places for."""
    captions = [Caption(f"a {i} flower power room", f"a {i} pop art room", f"a {i} room") for i in range(32)]
    request = Request("flower power", "style")
    plain, taken = (write_set(request, "sd15", some) for some in (None, Material((), tuple(captions))))

    def roles(made, role):
        return [row["prompt"] for _, row in csv_rows(made.files["test.csv"], "test.csv", ()) if row["role"] == role]

    assert len(roles(plain, "target")) < 100
    assert len(roles(taken, "target")) == len(roles(plain, "target"))
    assert roles(taken, "sibling") == roles(plain, "sibling")
