import numpy as np
from PIL import Image

from steering.pocket.labelled import pictures_of, read


def test_cells_are_read_line_by_line(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    lines = [np.concatenate(list(pictures[i : i + 3]), 1) for i in (0, 3)]
    Image.fromarray(np.concatenate(lines, 0)).save(tmp_path / "some.webp", lossless=True)
    np.testing.assert_array_equal(pictures_of(tmp_path, "some", 16), pictures)


def test_rows_are_read_by_the_names_of_columns(tmp_path):
    (tmp_path / "some.csv").write_text('number,prompt,broken\n0,"a, b",2\n1,é,0\n', encoding="utf-8")
    assert read(tmp_path, "some") == [
        {"number": "0", "prompt": "a, b", "broken": "2"},
        {"number": "1", "prompt": "é", "broken": "0"},
    ]
