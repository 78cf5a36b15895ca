import json

import pytest
import torch
from safetensors.torch import save_file

from steering.files import KEY, read_tensors, replacing, write_tensors


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_tensors_round_trip_exactly(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b": torch.tensor([True, False])}
    write_tensors(tmp_path / "x.safetensors", tensors, "k", 1, {"näme": ["ü"]})
    read, header = read_tensors(tmp_path / "x.safetensors", "k", 1)
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert header["näme"] == ["ü"]


@pytest.mark.parametrize(
    ("kind", "version", "message"), [("other", 1, "holds 'k'"), ("k", 2, "version 1, this package reads 2")]
)
def test_another_kind_or_version_is_refused(tmp_path, kind, version, message):
    write_tensors(tmp_path / "x.safetensors", {"a": torch.ones(1)}, "k", 1, {})
    with pytest.raises(ValueError, match=message):
        read_tensors(tmp_path / "x.safetensors", kind, version)


def test_foreign_broken_and_infinite_files_are_refused(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "foreign.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x80\x04pickle?")
    header = {KEY: json.dumps({"kind": "k", "version": 1})}
    save_file({"a": torch.tensor([torch.nan])}, tmp_path / "nan.safetensors", metadata=header)
    for name, message in (("foreign", "not written by"), ("broken", "not a safetensors"), ("nan", "not finite")):
        with pytest.raises(ValueError, match=message):
            read_tensors(tmp_path / f"{name}.safetensors", "k", 1)
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "missing.safetensors", "k", 1)
