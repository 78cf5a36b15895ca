"""The README's Python snippet, run as it stands on a small model."""

import re
import runpy
from pathlib import Path

import numpy as np
from PIL import Image

import steering

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_snippet_runs(toy_model, monkeypatch, tmp_path):
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.setattr(steering, "load_model", lambda name: toy_model)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snippet.py").write_text(snippet, encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "snippet.py"))
    plain = toy_model.generate(["a photo of a dog and a cat in the meadow"], seed=4)
    assert names["images"].shape == plain.shape
    assert (names["images"] != plain).any()
    assert (np.asarray(Image.open("without_the_dog.png")) == names["images"][0]).all()
