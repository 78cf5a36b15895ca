import pytest

from steering.evaluate import extras
from steering.evaluate.extras import extra


def test_a_missing_library_is_named_with_its_remedy():
    assert extra("json", "judge").loads("1") == 1
    with pytest.raises(
        ValueError, match=r"needs no_such_library.*pip install no_such_library, or uv sync --extra judge"
    ):
        extra("no_such_library.part", "judge")


def test_the_package_that_brings_a_library_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(ValueError, match=r"needs open_clip .*pip install open_clip_torch, or uv sync --extra headless"):
        extra("open_clip", "headless")
