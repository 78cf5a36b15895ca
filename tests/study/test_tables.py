import csv
import io

import pytest

from steering.study.report import rows_csv
from steering.study.tables import Table, interval, p_text, tables_of, to_csv

TABLE = Table("A | title & more", ("a", "b_c"), (("x|y", "5 %"), ("=1+1", "→ 3")), "A note.")


def test_signs_that_mean_something_are_escaped():
    assert "x\\|y" in TABLE.markdown()
    latex = TABLE.latex()
    assert r"5 \%" in latex
    assert r"b\_c" in latex
    assert r"$\to$ 3" in latex
    assert r"title \& more" in latex


def test_a_spreadsheet_takes_no_prompt_for_a_formula():
    rows = list(csv.reader(io.StringIO(to_csv(("prompt", "value"), [("=HYPERLINK(1)", -3.5), ('-a, "dog"', 2)]))))
    assert rows == [["prompt", "value"], ["'=HYPERLINK(1)", "-3.5"], ['\'-a, "dog"', "2"]]


def test_negative_numbers_stay_numbers(finished):
    study = finished[0]
    readings = study.subjects[0].readings["study_k1"]
    before = readings.columns["clip_concept"].copy()
    readings.columns["clip_concept"][:] = -0.25
    try:
        rows = list(csv.DictReader(io.StringIO(rows_csv(study))))
    finally:
        readings.columns["clip_concept"][:] = before
    assert float(next(row for row in rows if row["arm"] == "study_k1")["clip_concept"]) == -0.25


def test_numbers_read_well():
    assert interval({"mean": 1.25, "low": 0.5, "high": 2.0}) == "1.2 [0.5, 2.0]"
    assert interval({"mean": 1.25, "low": float("nan"), "high": float("nan")}) == "1.2 [–]"
    assert [p_text(p) for p in (0.0001, 0.042, 1.0)] == ["<.001", ".042", "1"]


def test_the_studys_tables_come_first_and_ours_beside_them(finished):
    study, results, _ = finished
    tables = tables_of({name: part["arms"] for name, part in results["concepts"].items()}, results["presence"])
    titles = [table.title for table in tables]
    assert [title.split(":")[0] for title in titles] == ["The study's form", "Ours beside it"] * 2
    assert "FD-CLIP" in titles[0]
    assert "FID" not in titles[0]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert len(tables[0].rows) == 2 * 2 * len(study.plan.ks)


@pytest.mark.parametrize("cell", ["a", "\\", "~^{}#$%&_"])
def test_latex_holds_no_bare_special(cell):
    line = Table("t", ("h",), ((cell,),)).latex().split("\n")[6]
    bare = line.replace("\\\\", "")
    for letter in "#$%&_":
        assert bare.count(letter) == bare.count("\\" + letter)
