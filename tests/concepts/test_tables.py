import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.concepts.pairs import parse_pairs
from steering.concepts.prompts import load_concept, read_prompts
from steering.concepts.tables import csv_rows, jsonl_rows, lines_of
from steering.errors import SteeringError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters='"\n\r\0\u201c\u201d\ufeff'), min_size=1, max_size=20)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_quoted_fields_come_back_whatever_they_hold(rows):
    kept = [row for row in rows if any(value.strip() for value in row)]
    text = "a,b\n" + "\n".join(f'"{first}","{second}"' for first, second in rows)
    assert [tuple(row.values()) for _, row in csv_rows(text, "t", ("a",))] == kept


def test_curly_quotes_enclose_a_field_and_stay_inside_one():
    curly = csv_rows("positive,negative\n\u201ca dog, running\u201d,\u201ca cat\u201d", "t", ("positive",))
    assert curly == [(2, {"positive": "a dog, running", "negative": "a cat"})]
    inside = csv_rows('a,b\n"a dog, \u201cRex\u201d, runs",x', "t", ("a",))
    assert inside == [(2, {"a": "a dog, \u201cRex\u201d, runs", "b": "x"})]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prompt\na dog, running fast", "line 2: more columns than the header"),
        ('prompt,seed\n"a dog,1\na cat,2\n"a bird",3', "line 4: not CSV"),
        ('prompt,seed\n"a dog,1\na cat,2', "line 3: not CSV"),
        ('prompt,seed\n"a dog,1\na cat",2', "line 3: a field goes over several lines"),
        ("prompt,prompt\na,b", "names the column 'prompt' twice"),
        ("text\na", "must hold the columns prompt"),
        ("", "must hold the columns prompt"),
    ],
)
def test_what_would_lose_rows_or_columns_is_refused_with_its_line(text, said):
    with pytest.raises(SteeringError, match=said):
        csv_rows(text, "t", ("prompt",))


def test_lines_end_where_editors_end_them_and_nowhere_else():
    assert lines_of("\ufeffa\u2028b\u0085c\r\nd\re\n") == ["a\u2028b\u0085c", "d", "e", ""]
    assert jsonl_rows('{"prompt": "a\u2028b"}\n\n{"prompt": "c"}', "t") == [
        (1, {"prompt": "a\u2028b"}),
        (3, {"prompt": "c"}),
    ]
    assert parse_pairs("positive,negative\na\u2028b,c\n")[0].positive == "a\u2028b"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": ["a dog"]}', "line 1: prompt must be a text"),
        ('{"prompt": 7}', "line 1: prompt must be a text"),
        ('{"prompt": "a", "role": {}}', "line 1: role must be a text"),
        ('{"prompt": "a", "rest": 1}', "line 1: rest must be a text"),
        ('{"prompt": "a", "shows": 1}', "line 1: shows must be a text"),
        ('{"prompt": "a", "shows": ["dog", 1]}', "line 1: shows must be a text"),
        (f'{{"prompt": "a", "guidance": {"9" * 400}}}', "line 1: guidance must be a number"),
        (f'{{"prompt": "a", "seed": {"9" * 5000}}}', "does not hold the JSON"),
        (f'{{"prompt": "a", "seed": "{"9" * 5000}"}}', "line 1: seed must be a whole number"),
    ],
)
def test_values_that_are_no_text_or_no_number_are_refused(tmp_path, line, said):
    path = tmp_path / "p.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(SteeringError, match=said):
        read_prompts(path)


def test_a_list_of_labels_is_as_good_as_a_text_of_them(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "a", "shows": ["dog", "cat"]}\n{"prompt": "b", "shows": "dog cat"}', encoding="utf-8")
    assert [prompt.shows for prompt in read_prompts(path)] == [("dog", "cat")] * 2


def test_explicit_is_true_or_false(tmp_path):
    for value, shown in (("true", True), ("false", False)):
        (tmp_path / "concept.json").write_text(f'{{"name": "x", "text": "an x", "explicit": {value}}}')
        assert load_concept(str(tmp_path)).explicit is shown
    (tmp_path / "concept.json").write_text('{"name": "x", "text": "an x", "explicit": "false"}')
    with pytest.raises(SteeringError, match="'explicit' must be true or false"):
        load_concept(str(tmp_path))
