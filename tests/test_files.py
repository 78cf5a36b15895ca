import json
import os

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from steering.errors import SteeringError
from steering.files import KEY, parse_object, read_tensors, replacing, write_tensors, write_text


def test_who_may_read_a_file_is_left_to_the_user(tmp_path):
    """Writers of formats may be stricter than the user's umask, and a vector is there to be shared."""
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "strict") as temporary:
        temporary.unlink()
        temporary.touch(mode=0o600)
    write_tensors(tmp_path / "tensors", {"a": torch.ones(1)}, "test", 1, {})
    modes = [(tmp_path / name).stat().st_mode for name in ("plain", "strict", "tensors")]
    assert len(set(modes)) == 1


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


@pytest.mark.parametrize("error", [SafetensorError("Io error: no space"), OSError(28, "No space left on device")])
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, monkeypatch, error):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.ones(2)}, "k", 1, {})
    before = path.read_bytes()

    def full(tensors, place, metadata):
        place.write_bytes(b"half")
        raise error

    monkeypatch.setattr("steering.files.save_file", full)
    with pytest.raises(SteeringError, match=r"x\.safetensors could not be written \(.*space.*make room"):
        write_tensors(path, {"a": torch.zeros(2)}, "k", 1, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_finite_is_not_written(tmp_path):
    with pytest.raises(SteeringError, match="a holds a number that is not finite"):
        write_tensors(tmp_path / "x.safetensors", {"a": torch.tensor([torch.inf])}, "k", 1, {})
    assert not list(tmp_path.iterdir())


def test_what_killed_runs_left_is_swept_and_what_others_write_is_not(tmp_path):
    old, new, other = (tmp_path / f".{name}.tmp" for name in ("x[1].txt.aa", "x[1].txt.bb", "y.txt.cc"))
    for path in (old, new, other):
        path.write_text("half")
    for path in (old, other):
        os.utime(path, (1, 1))
    write_text(tmp_path / "x[1].txt", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".x[1].txt.bb.tmp", ".y.txt.cc.tmp", "x[1].txt"]


@pytest.mark.parametrize(
    "text", ["[]", "1", "null", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', "x", '{"a":' * 3000]
)
def test_json_is_an_object_or_refused(text):
    with pytest.raises(SteeringError, match="the thing") as found:
        parse_object(text, "the thing")
    assert len(str(found.value)) < 400
