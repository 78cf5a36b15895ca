import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from steering.activations.store import Activations
from steering.concepts.pairs import Pair
from steering.models.sampling import CaptureSettings
from steering.scores.navigator import score
from steering.sites import SD15_SITES
from steering.study.plan import CONTROLS
from steering.study.setting import Recipe
from steering.study.vectors import ConceptActivations, Vectors, capture_key, load_or_capture

PAIRS = [Pair(f"a dog {i}", f"a cat {i}") for i in range(3)]
SETTINGS = CaptureSettings(steps=2, size=64, batch=2)


@pytest.fixture(scope="module")
def activations():
    generator = torch.Generator().manual_seed(0)
    tensors = {site: torch.randn(2, 12, 3, 16, generator=generator) for site in SD15_SITES}
    return Activations(tensors, torch.tensor([9.0, 3.0, 1.0]))


def test_a_capture_is_read_again_and_made_anew_when_something_else_is_asked(toy_model, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    first = load_or_capture(toy_model, PAIRS, SETTINGS, path, "dog")
    rows: list[int] = []
    monkeypatch.setattr(type(toy_model), "recorded", lambda *a, **k: pytest.fail("captured again"))
    again = load_or_capture(toy_model, PAIRS, CaptureSettings(steps=2, size=64, batch=1), path, "dog", rows.append)
    assert all(torch.equal(first.tensors[site], again.tensors[site]) for site in first.tensors)
    assert sum(rows) == 2 * 3 * 2 * 2
    monkeypatch.undo()
    assert len(load_or_capture(toy_model, PAIRS[:2], SETTINGS, path, "dog").tensors[SD15_SITES[0]][0]) == 2
    assert not list(tmp_path.glob(".*_parts"))


def test_a_captures_key_knows_everything_but_the_batch(toy_model):
    key = capture_key(toy_model, PAIRS, SETTINGS)
    assert key == capture_key(toy_model, PAIRS, CaptureSettings(steps=2, size=64, batch=1))
    assert key != capture_key(toy_model, PAIRS[:2], SETTINGS)
    assert key != capture_key(toy_model, PAIRS, CaptureSettings(steps=3, size=64, batch=2))


def test_recipes_make_what_they_name(activations):
    other = Activations({s: t.flip(1) * 2 for s, t in activations.tensors.items()}, activations.sigmas)
    vectors = Vectors(ConceptActivations(activations), score(activations), {"cat": ConceptActivations(other)})
    plain = vectors.get(Recipe(3))
    active = torch.stack([entry.active for entry in plain.sites.values()])
    assert (active.sum(0) == 3).all()
    assert {site.kind for site in vectors.get(Recipe(3, selection="per-step:ff")).sites} == {"ff"}
    assert (
        vectors.get(Recipe(3, "pca", 2)).sites[SD15_SITES[0]].direction.shape[1] == 2
        if SD15_SITES[0] in plain.sites
        else True
    )
    refined = vectors.get(Recipe(3, "cpca"))
    assert set(refined.sites) == set(plain.sites)
    assert refined.digest() != plain.digest()
    assert vectors.draws("other_concept", 10) == ["cat"]
    assert vectors.draws("isotropic", 3) == ["0", "1", "2"]
    controls = [Recipe(3, control=name, draw=d) for name in CONTROLS for d in vectors.draws(name, 2)]
    marks = {vectors.get(control).digest() for control in controls}
    assert len(marks | {plain.digest()}) == 2 + 2 + 1 + 1
    assert vectors.get(Recipe(3)) is plain


def test_thresholds_go_into_the_vectors_whose_directions_they_were_measured_along(activations):
    known = {1: {site: torch.full((3, 1), 0.5) for site in SD15_SITES}}
    vectors = Vectors(ConceptActivations(activations), score(activations), thresholds=known)
    assert all(entry.threshold is not None for entry in vectors.get(Recipe(3)).sites.values())
    for recipe in (Recipe(3, "cpca"), Recipe(3, "pca", 2)):
        assert all(entry.threshold is None for entry in vectors.get(recipe).sites.values())


@pytest.mark.parametrize("damage", ["nan", "name"])
def test_a_capture_whose_numbers_are_damaged_is_made_again(toy_model, tmp_path, damage):
    pairs, settings = [Pair("a dog", "a cat"), Pair("two dogs", "two cats")], CaptureSettings(1, 1.0)
    path = tmp_path / "a.safetensors"
    made = load_or_capture(toy_model, pairs, settings, path, "dog")
    with safe_open(path, "pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if damage == "nan":
        tensors["in4.attn2"][0, 0, 0, 0] = torch.nan
    else:
        tensors["in4.attn9"] = tensors.pop("in4.attn2")
    save_file(tensors, path, metadata=about)
    with pytest.warns(UserWarning, match="was damaged and is made again"):
        again = load_or_capture(toy_model, pairs, settings, path, "dog")
    assert all(torch.equal(again.tensors[site], made.tensors[site]) for site in made.tensors)
    assert Activations.load(path).metadata["key"] == capture_key(toy_model, pairs, settings)


def test_what_a_stranger_keeps_beside_the_batches_stays(toy_model, tmp_path):
    diary = tmp_path / ".a_parts" / "diary.txt"
    diary.parent.mkdir()
    diary.write_text("dear")
    load_or_capture(toy_model, [Pair("a dog", "a cat")], CaptureSettings(1, 1.0), tmp_path / "a.safetensors", "dog")
    assert [path.name for path in diary.parent.iterdir()] == ["diary.txt"]
