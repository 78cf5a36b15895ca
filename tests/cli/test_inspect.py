import json

import pytest
import torch

from steering.activations.store import Activations
from steering.files import read_header, write_tensors
from steering.vectors.vector import SteeringVector

from ..conftest import steering
from .conftest import STYLE


@pytest.mark.parametrize(
    ("name", "kind"), [("acts.safetensors", "activations"), ("v.safetensors", "vector"), ("scores.json", "scores")]
)
def test_inspect_says_what_a_file_is(made, name, kind):
    assert json.loads(steering("inspect", made / name, "--json").stdout)["kind"] == kind


def test_inspect_counts_what_a_file_holds(made):
    captured, vector = Activations.load(made / "acts.safetensors"), SteeringVector.load(made / "v.safetensors")
    said = json.loads(steering("inspect", made / "acts.safetensors", "--json").stdout)
    assert (said["pairs"], said["sites"], said["steps"]) == (
        captured.pairs,
        len(captured.tensors),
        len(captured.sigmas),
    )
    said = json.loads(steering("inspect", made / "v.safetensors", "--json").stdout)
    assert set(said["sites"]) == {str(site) for site in vector.sites}
    site, part = next(iter(vector.sites.items()))
    assert said["sites"][str(site)] == f"{int(part.active.sum())} of {len(part.active)} steps"
    assert (said["knots"], said["thresholds"]) == (len(vector.sigmas), "without")
    assert said["metadata"]["concept"] == vector.concept
    lines = steering("inspect", made / "v.safetensors").stdout.splitlines()
    assert lines[0].split() == ["kind", "vector"]
    assert [line.split()[0] for line in lines] == list(said)


def test_inspect_says_what_a_lora_is_for(made, tmp_path):
    out = tmp_path / "lora.safetensors"
    steering("export-lora", STYLE, "pocket", "--out", out)
    said = json.loads(steering("inspect", out, "--json").stdout)
    assert said == {"kind": "lora"} | {k: v for k, v in read_header(out).items() if k not in ("kind", "version")}
    assert len(said) > 3


def test_inspect_refuses_what_is_none_of_ours(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(1)}, "part", 1, {})
    refused = steering("inspect", tmp_path / "x.safetensors", check=False)
    assert refused.returncode == 2
    assert "inspect knows scores, activations, vector, lora" in refused.stderr
