import pytest
import torch

from steering.errors import SteeringError
from steering.files import read_tensors, write_tensors
from steering.work_files import digest, made_with, whole_or_discarded


def values(path):
    return read_tensors(path, "part", 1)[0]["x"]


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "a.safetensors"
    write_tensors(made, {"x": torch.arange(3.0)}, "part", 1, {"key": "mine"})
    return made


def test_a_file_is_known_by_its_key(path):
    assert made_with(path, "mine", values).tolist() == [0, 1, 2]
    assert made_with(path, "theirs", values) is None
    assert path.is_file()  # another key is no damage
    assert made_with(path.with_name("b.safetensors"), "mine", values) is None


@pytest.mark.parametrize("refused", ["header", "contents"])
def test_a_damaged_file_goes_with_a_word_of_what_is_done_again(path, refused):
    def broken(_path):
        raise SteeringError("x is not finite")

    if refused == "header":
        path.write_bytes(path.read_bytes()[:20])
    with pytest.warns(UserWarning, match="was damaged and is captured again"):
        assert made_with(path, "mine", values if refused == "header" else broken, "captured") is None
    assert not path.exists()


def test_whatever_a_reader_raises_means_that_the_file_is_not_whole(path):
    def broken():
        raise RuntimeError("no such tensor")

    assert whole_or_discarded(path, lambda: True, "drawn")
    with pytest.warns(UserWarning, match="was damaged and is drawn again"):
        assert not whole_or_discarded(path, broken, "drawn")
    assert not path.exists()


def test_hashes_depend_on_values_and_order():
    assert digest(1, "a") == digest(1, "a") != digest("a", 1)
    assert len(digest()) == 20
