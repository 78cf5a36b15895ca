"""What the tests of cli share."""

import json

import pytest

from ..conftest import steering


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The chain on the command line: capture, score, build."""
    folder = tmp_path_factory.mktemp("chain")
    pairs = folder / "mine.csv"
    rows = [f"a dog {w},a cat {w}" for w in ("on the beach", "in a room", "at night", "in the snow", "in the desert")]
    pairs.write_text("positive,negative\n" + "\n".join(rows + [r.replace("a ", "a photo of a ", 1) for r in rows]))
    acts = folder / "acts.safetensors"
    steering("capture", "pocket", pairs, "--out", acts, "--steps", 2, "--size", 64, "--sites", "attn2,mid.resnet0")
    steering("score", acts, "--out", folder / "scores.json", "--plot", folder / "heat.png")
    answer = steering(
        "build", acts, "--scores", folder / "scores.json", "--out", folder / "v.safetensors", "--top-k", 3, "--json"
    )
    assert json.loads(answer.stdout.splitlines()[-1])["out"].endswith("v.safetensors")
    return folder


DOG, CAT = "vectors/pocket_dog_attn2.safetensors", "vectors/pocket_cat_attn2.safetensors"
STYLE = "vectors/pocket_van_gogh_lora.safetensors"
