"""``steering contrast``, ``combine`` and ``export-lora`` as a user types them."""

import json

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from steering.sites import Site
from steering.vectors.site import SiteVector
from steering.vectors.vector import SteeringVector

from ..conftest import steering
from .conftest import CAT, DOG

MAP, LORA = "vectors/pocket_dog.safetensors", "vectors/pocket_dog_lora.safetensors"


def test_combine_prints_cosines_and_writes_the_vector_only_when_asked(tmp_path):
    said = json.loads(steering("combine", DOG, CAT, "--plot", tmp_path / "c.png", "--json").stdout)
    assert said["names"] == ["pocket_dog_attn2", "pocket_cat_attn2"]
    assert said["out"] is None
    assert 0 < said["cosines"][0][1] < 1  # two animals
    assert said["cosines"][0][0] == pytest.approx(1, abs=1e-4)
    with Image.open(tmp_path / "c.png") as image:
        assert image.width > 200
    out = tmp_path / "v.safetensors"
    text = steering("combine", f"{DOG}:2", CAT, "--how", "subtract", "--out", out).stdout
    assert "2 x dog - cat" in text
    assert SteeringVector.load(out).metadata["method"] == {"combination": "subtract"}


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """A tiny capture of the embedded model."""
    path = tmp_path_factory.mktemp("captured") / "acts.safetensors"
    pairs = path.with_suffix(".csv")
    places = ("on the beach", "in a room", "at night", "in the snow", "in the desert", "in the meadow")
    pairs.write_text("positive,negative\n" + "\n".join(f"a dog {place},a cat {place}" for place in places))
    steering("capture", "pocket", pairs, "--out", path, "--steps", 2, "--size", 64, "--sites", "in4.attn2,out5.ff")
    return path


def test_alpha_is_searched_and_can_be_given(captured, tmp_path):
    said = json.loads(steering("contrast", captured, "--every", 1, "--plot", tmp_path / "c.png", "--json").stdout)
    assert said["site_steps"] == 4
    table = said["table"]
    place = table["alphas"].index(said["alpha"]), table["components"].index(said["components"])
    best = max(value for row in table["held_out"] for value in row)
    assert table["held_out"][place[0]][place[1]] == best == pytest.approx(said["held_out"], abs=1e-4)
    with Image.open(tmp_path / "c.png") as image:
        assert image.width > 200
    made = {}
    for alpha in ("0", "10", "auto"):
        out = tmp_path / f"{alpha}.safetensors"
        steering("build", captured, "--direction", "cpca-paired", "--alpha", alpha, "--rank", 2, "--out", out)
        made[alpha] = SteeringVector.load(out)
        assert made[alpha].metadata["method"]["alpha"] == (alpha if alpha == "auto" else float(alpha))
    assert made["0"].digest() != made["10"].digest()
    assert "alpha" not in SteeringVector.load(DOG).metadata["method"]


def test_an_exact_lora_says_so_and_carries_its_story(tmp_path):
    out = tmp_path / "lora.safetensors"
    said = json.loads(steering("export-lora", LORA, "pocket", "--strength", 1.5, "--out", out, "--json").stdout)
    assert (said["strength"], said["approximated"], said["gap"]) == (1.5, [], None)
    with safe_open(out, "pt") as file:
        assert file.metadata()["ss_network_module"] == "networks.lora"
        assert all(name.startswith("lora_unet_") for name in file.keys())  # noqa: SIM118 (not a dict)
    shown = json.loads(steering("inspect", out, "--json").stdout)
    assert shown["kind"] == "lora"
    assert shown["vector"] == SteeringVector.load(LORA).digest(lengths=True)


def test_replacing_is_exported_for_diffusers(tmp_path):
    out = tmp_path / "lora.safetensors"
    steering("export-lora", DOG, "pocket", "--mode", "replace", "--target", CAT, "--format", "diffusers", "--out", out)
    with safe_open(out, "pt") as file:
        assert {name.split(".", 1)[0] for name in file.keys()} == {"unet"}  # noqa: SIM118 (not a dict)
        assert "replace dog with cat" in file.metadata()["modelspec.title"]


def test_what_is_not_exact_is_refused_or_approximated_with_its_gap(captured, tmp_path):
    out, many = tmp_path / "lora.safetensors", tmp_path / "many.safetensors"
    steering("build", captured, "--out", many)
    for vector, reason in ((many, "step to step"), (MAP, "a LoRA cannot hold a vector at text")):
        refused = steering("export-lora", vector, "pocket", "--out", out, check=False)
        assert refused.returncode == 2
        assert reason in refused.stderr
        assert not out.exists()
    words = ("export-lora", many, "pocket", "--out", out, "--preset", "precise", "--approximate")
    said = json.loads(steering(*words, "--json").stdout)
    assert any("gate 'positive'" in line for line in said["approximated"])
    assert 0 < said["gap"] < 1  # nearer to the steered picture than the plain one is


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("contrast", DOG), "holds 'vector', expected 'activations'"),
        (("build", "{captured}", "--components", "3", "--out", "{out}"), "takes no number of components"),
        (("build", "{captured}", "--direction", "cpca", "--alpha", "x", "--out", "{out}"), "auto or a number from 0"),
        (("build", "{captured}", "--alpha", "nan", "--out", "{out}"), "direction 'mean' has none"),
        (("build", "{captured}", "--recommend", "selective:3", "--out", "{out}"), "no thresholds"),
        (("build", "{captured}", "--select", f"random:{'9' * 5000}", "--out", "{out}"), "must name a seed"),
        (("build", "{captured}", "--select", f"in{'9' * 5000}.ff", "--out", "{out}"), "is not a site name"),
        (("combine", DOG, "--how", "mix"), "--how 'mix' is not one of add, subtract, average"),
        (("combine", f"{DOG}:x"), "neither a file nor FILE:NUMBER"),
        (("combine", DOG, "--plot", "x.jpg"), "--plot x.jpg must end in .png"),
        (("export-lora", "{narrow}", "pocket", "--out", "{out}"), "64 channels here and 8 in the vector"),
        (("combine", f"{DOG}:0", "--out", "{out}"), "leaves no vector"),
        (("combine", DOG, "--out", "x.pt"), "must end in .safetensors"),
        (("export-lora", LORA, "pocket", "--out", "{out}", "--format", "gguf"), "comfyui, diffusers"),
        (("export-lora", LORA, "pocket", "--out", "{out}", "--preset", "x"), "is not one of"),
        (("export-lora", LORA, "pocket", "--out", "{out}", "--reference", "mean"), "zero, negative"),
        (("export-lora", LORA, "pocket", "--out", "{out}", "--strength", "0"), "strength 0 does nothing"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_status_2(words, message, captured, tmp_path):
    site, active = Site.parse("in4.attn2"), torch.tensor([True])
    narrow = SiteVector(torch.eye(1, 8)[None], torch.zeros(1, 8), torch.ones(1, 8), active)
    path, folder = tmp_path / "narrow.safetensors", tmp_path / "out"
    SteeringVector({site: narrow}, torch.ones(1), torch.ones(1)).save(path)
    folder.mkdir()
    files = {"out": folder / "x.safetensors", "narrow": path, "captured": captured}
    done = steering(*(str(word).format(**files) for word in words), check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.iterdir())


def test_sites_are_chosen_together_and_the_list_builds(captured, tmp_path):
    pairs = captured.with_suffix(".csv")
    words = ["greedy", "pocket", captured, pairs, "--top-k", 2, "--preset", "precise", "--strength", 0.5]
    said = json.loads(steering(*words, "--json").stdout)
    assert 1 <= len(said["rounds"]) <= 2
    assert all(one["left"] + one["damage"] < 1 for one in said["rounds"])
    assert steering(*words).stdout.splitlines()[-1] == said["sites"]
    out = tmp_path / "v.safetensors"
    steering("build", captured, "--out", out, "--select", said["sites"])
    assert {str(site) for site in SteeringVector.load(out).sites} == set(said["sites"].split(","))


def test_backgrounds_and_protected_captures_are_files(captured, tmp_path):
    out = [tmp_path / f"{i}.safetensors" for i in range(4)]
    cpca = ["--direction", "cpca-paired", "--components", 2]
    steering("build", captured, "--out", out[0], *cpca)
    steering("build", captured, "--out", out[1], *cpca, "--background", captured)
    steering("build", captured, "--out", out[2], *cpca, "--background", "within")
    made = [SteeringVector.load(path) for path in out[:3]]
    assert len({vector.digest() for vector in made}) == 3
    assert made[1].metadata["method"]["background"]["concept"] == "acts"
    done = steering("build", captured, "--out", out[3], "--protect", captured, check=False)
    assert done.returncode == 2
    assert "nothing of the first vector is left" in done.stderr
    done = steering("build", captured, "--out", out[3], *cpca, "--background", "nowhere.safetensors", check=False)
    assert "background 'nowhere.safetensors' is not one of negatives" in done.stderr
