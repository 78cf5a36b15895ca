"""What a search tells its readers."""

from PIL import Image

from steering.study.choice import Outcome
from steering.study.setting import Recipe, Setting
from steering.tune.front import front_plot, front_table
from steering.tune.search import Found

ROUGH, GENTLE, WORSE = (Setting(Recipe(k), "projection", strength) for k, strength in ((8, 3.0), (3, 1.0), (5, 2.0)))


def outcome(setting, clean, lost, debris=10.0):
    return Outcome(setting, 5.0, debris, 90.0, clean, 0.5, 40.0, lost, 1.0, 3.0)


def found():
    finals = [outcome(ROUGH, 90.0, 12.0), outcome(GENTLE, 60.0, 0.5, None), outcome(WORSE, 50.0, 20.0)]
    return Found(None, {one.setting: one for one in finals}, [], finals, finals[0])


def test_the_table_says_which_is_taken_and_which_no_other_beats():
    made = found()
    table = front_table("dog: the finalists", made.finals, taken=made.taken)
    marks = {row[0]: row[-1] for row in table.rows}
    assert marks == {ROUGH.name: "taken", GENTLE.name: "yes", WORSE.name: ""}
    rows = {row[0]: row for row in table.rows}
    assert rows[ROUGH.name][1:] == ("90.0", "5.0", "10.0", "12.0", "1.0", "taken")
    assert rows[GENTLE.name][3] == ""  # debris was not measured


def test_the_plot_is_a_picture(tmp_path):
    front_plot(found(), tmp_path / "front.png", "dog")
    with Image.open(tmp_path / "front.png") as image:
        assert min(image.size) > 200
        assert image.convert("L").getextrema() != (255, 255)
