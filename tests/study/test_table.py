import csv
import io

import pytest

from steering.evaluate.statistics import Estimate
from steering.study.table import Table, interval, p_text, to_csv

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


def test_numbers_read_well():
    assert interval(Estimate(1.25, 0.5, 2.0, 4)) == "1.2 [0.5, 2.0]"
    assert interval(Estimate(1.25, float("nan"), float("nan"), 1)) == "1.2 [–]"
    assert [p_text(p) for p in (0.0001, 0.042, 1.0)] == ["<.001", ".042", "1"]


@pytest.mark.parametrize("cell", ["a", "\\", "~^{}#$%&_"])
def test_latex_holds_no_bare_special(cell):
    line = Table("t", ("h",), ((cell,),)).latex().split("\n")[6]
    bare = line.replace("\\\\", "")
    for letter in "#$%&_":
        assert bare.count(letter) == bare.count("\\" + letter)
