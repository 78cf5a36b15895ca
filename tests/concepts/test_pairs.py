import csv
import io
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.concepts.pairs import CONCEPTS, Pair, built_in, load_pairs, pairs_hash, parse_lines, parse_pairs, spread
from steering.errors import SteeringError

PROMPTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda text: not set(text) & set("\u2018\u2019\u201c\u201d\ufeff")
)

ROWS = st.lists(st.tuples(PROMPTS, PROMPTS).filter(lambda row: row[0] != row[1]), min_size=1, max_size=5)


@given(ROWS)
def test_whatever_csv_writes_is_read_back(rows):
    text = io.StringIO()
    csv.writer(text).writerows([["positive", "negative"], *rows])
    assert parse_pairs(text.getvalue()) == [Pair(*row) for row in rows]


@given(ROWS)
def test_whatever_json_lines_hold_is_read_back(rows):
    text = "\n".join(json.dumps({"positive": p, "negative": n}) for p, n in rows)
    assert parse_pairs(text, jsonl=True) == [Pair(*row) for row in rows]


def test_spreadsheet_habits_do_no_harm():
    text = "\ufeffpositive,negative,note\r\n\r\n\u201ca dog, running\u201d,a cat,x\r\n  ,,\r\n"
    text += '"it\u2019s a dog", "a, b"\r\n'
    assert parse_pairs(text) == [Pair("a dog, running", "a cat"), Pair("it's a dog", "a, b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header"),
        ("prompt\na dog", "the columns positive, negative, got 'prompt'"),
        ("positive,negative\n", "holds no pairs"),
        ("positive,negative\na dog,", "line 2"),
        ("positive,negative\na dog, big,a cat", "quote prompts with commas"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(text, message):
    with pytest.raises(ValueError, match=message):
        parse_pairs(text)


def test_bad_json_names_its_line():
    with pytest.raises(ValueError, match="line 2"):
        parse_pairs('{"positive": "a", "negative": "b"}\n{', jsonl=True)


def test_a_file_and_a_built_in_concept_load(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("positive,negative\na dog,a cat\n", encoding="utf-8-sig")
    assert load_pairs(path) == [Pair("a dog", "a cat")]
    assert len(load_pairs("pocket/dog")) == 50


def test_an_unknown_concept_names_the_known_ones():
    with pytest.raises(FileNotFoundError, match=r"of pocket .cat, dog, key, neutral, sketch, van_gogh, violence"):
        load_pairs("unicorn", "pocket")
    with pytest.raises(FileNotFoundError, match=r"pocket/cat, pocket/dog.*sd15/dog"):
        load_pairs("dog")  # of which model?


def test_a_file_in_another_encoding_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes("positive,negative\nein Hündchen,ein Kätzchen\n".encode("latin-1"))
    with pytest.raises(SteeringError, match=r"mine\.csv is not UTF-8 text"):
        load_pairs(path)


def test_the_built_in_concepts_are_there():
    assert built_in() == ["cat", "dog", "key", "neutral", "sketch", "van_gogh", "violence"]
    assert CONCEPTS.is_dir()


def test_the_hash_depends_on_order_and_sides():
    a, b = Pair("a", "b"), Pair("b", "a")
    assert len({pairs_hash([a, b]), pairs_hash([b, a]), pairs_hash([a])}) == 3


@given(st.lists(st.integers(), unique=True, max_size=60), st.integers(0, 80))
def test_spread_keeps_the_order_and_takes_from_every_stretch(items, count):
    few = spread(items, count)
    places = [items.index(item) for item in few]
    assert len(few) == min(count, len(items)) and places == sorted(set(places))
    # Steps between neighbours are the same but for rounding, so no stretch is skipped.
    gaps = {b - a for a, b in itertools.pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_lines_of_text_are_pairs():
    text = "# dogs\n\na dog, sitting | a cat, sitting \r\n  the “dog” runs|the cat runs\n"
    assert parse_lines(text) == [Pair("a dog, sitting", "a cat, sitting"), Pair('the "dog" runs', "the cat runs")]


@pytest.mark.parametrize("bad", ["", "a dog", "a dog | ", "a | b | c", "# only a comment"])
def test_lines_that_are_no_pairs_are_refused(bad):
    with pytest.raises(ValueError, match=r"positive \| negative"):
        parse_lines(bad)


@pytest.mark.parametrize(
    ("text", "jsonl", "words"),
    [
        ("positive,negative\na,a\n", False, "line 2: both prompts are 'a'"),
        ("positive,negative\n‘a’,'a'\n", False, "both prompts are"),
        (f"positive,negative\na,{'b' * 140_000}\n", False, "line 2: not CSV"),
        (f'{{"positive": "{"b" * 30_000}", "negative": "a"}}', True, "30,000 letters is longer than 20,000"),
        ('{"positive": "\\ud800", "negative": "a"}', True, "characters that are no text"),
        ('{"positive": "a\\u0000", "negative": "a"}', True, "characters that are no text"),
        ('{"positive": "a", "positive": "b", "negative": "c"}', True, "stands there twice"),
        ('{"a":' * 3000, True, "line 1, does not hold the JSON"),
        ("[1]", True, "line 1, holds list"),
    ],
)
def test_pairs_that_nothing_could_be_learned_from_are_refused_shortly(text, jsonl, words):
    with pytest.raises(SteeringError, match=words) as found:
        parse_pairs(text, jsonl)
    assert len(str(found.value)) < 300


def test_files_of_other_encodings_are_refused_by_name(tmp_path):
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "p.csv").write_bytes("positive,negative\nä,b\n".encode(encoding))
        with pytest.raises(SteeringError, match=r"p\.csv is not UTF-8"):
            load_pairs(tmp_path / "p.csv")


def test_a_folder_of_a_concept_is_taken_for_its_pairs(tmp_path):
    (tmp_path / "fit.csv").write_text("positive,negative\na dog,a cat\n", encoding="utf-8")
    assert load_pairs(tmp_path) == load_pairs(tmp_path / "fit.csv")
