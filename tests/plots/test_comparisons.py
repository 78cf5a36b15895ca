import numpy as np
import pytest
from PIL import Image

from steering.plots import comparisons


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: comparisons.curves(
            {"over k": [(1.0, 50.0, "k1"), (3.0, 5.0, "k3")]}, {"x": (2.0, 9.0)}, path, "t"
        ),
        lambda path: comparisons.pareto_plot(
            [(0.0, 90.0), (9.0, 3.0)], [(4.0, 8.0)], [(4.0, 8.0, "precise 1")], (4.0, 8.0), path, "t"
        ),
        lambda path: comparisons.intervals({"a": (5.0, 1.0, 9.0)}, path, "t", "presence"),
        lambda path: comparisons.sorted_changes({"a": np.array([-3.0, 1.0])}, path, "t", "change"),
    ],
    ids=["curves", "pareto", "intervals", "changes"],
)
def test_a_comparison_is_written_whole_and_is_not_blank(draw, tmp_path):
    draw(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image.convert("L")).std() > 5
    assert len(list(tmp_path.iterdir())) == 1
