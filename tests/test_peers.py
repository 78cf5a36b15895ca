"""The other methods' formulas do what their papers say, where that can be said without a picture."""

import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("peers", "peer_methods")]:
        del sys.modules[name]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_an_edit_in_closed_form_takes_source_to_target_and_keeps_the_rest():
    from peer_methods.closed_form import closed_form

    own = {"k": random(5, 32)}
    source, target, kept = 30 * random(4, 32, seed=1), 30 * random(4, 32, seed=2), 30 * random(8, 32, seed=3)
    now = closed_form(own, source, target, kept, 1.0)["k"]
    # A ridge of 0.1 beside second moments of some thousands: a tenth of a percent.
    assert torch.allclose(now @ source.mT, own["k"] @ target.mT, rtol=0, atol=0.5)
    assert torch.allclose(now @ kept.mT, own["k"] @ kept.mT, rtol=0, atol=0.5)
    assert (own["k"] @ (source - target).mT).abs().max() > 50  # there was something to move


def test_what_is_regained_brings_the_concept_back():
    from peer_methods.closed_form import closed_form, regained

    own = {"k": random(24, 16), "v": random(24, 16, seed=4)}
    source, target = 30 * random(2, 16, seed=1), 30 * random(2, 16, seed=2)
    now = closed_form(own, source, target, 30 * random(4, 16, seed=3), 0.1)
    back = regained(own, now, source)
    missed = sum((now[name] @ back.mT - own[name] @ source.mT).square().sum() for name in own)
    plain = sum((now[name] @ source.mT - own[name] @ source.mT).square().sum() for name in own)
    assert missed < 0.5 * plain


def test_perp_neg_leaves_what_the_prompt_asks_for():
    from peer_methods.guidance import PerpNeg

    prompt, nothing, concept = (random(2, 4, 8, 8, seed=seed) for seed in range(3))
    plain = nothing + 3.0 * (prompt - nothing)
    changed = PerpNeg(2.0)(prompt, nothing, concept, 3.0, 0.0) - plain
    assert changed.abs().max() > 1
    along = (changed * (prompt - nothing)).sum((1, 2, 3))
    assert along.abs().max() < 1e-9  # float64
    assert torch.allclose(
        PerpNeg(2.0)(prompt, nothing, prompt, 3.0, 0.0), plain
    )  # the concept alone: all of it is kept


def test_safe_guidance_waits_and_begins_anew_with_every_run():
    from peer_methods.guidance import MEDIUM, SafeRule

    rule = SafeRule(MEDIUM)
    prompt, nothing, concept = (random(1, 4, 8, 8, seed=seed) for seed in range(3))
    plain = nothing + 3.0 * (prompt - nothing)
    runs = [[rule(prompt, nothing, concept, 3.0, i / 10) for i in range(10)] for _ in range(2)]
    assert all(torch.equal(made, plain) for made in runs[0][:2])  # 10 of 50 steps
    assert not torch.allclose(runs[0][2], plain)
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


def test_a_projection_is_on_the_span():
    from peer_methods.safree import projection

    rows = random(3, 12)
    onto = projection(torch.cat([rows, rows[:1]]))
    assert torch.allclose(rows @ onto, rows)
    assert torch.allclose(onto @ onto, onto)
    assert round(float(onto.trace())) == 3


def test_the_hypervolume_is_that_of_the_union():
    from peers import hypervolume

    assert hypervolume([(100, 100)]) == 1.0
    assert hypervolume([]) == 0.0
    assert hypervolume([(50, 100), (100, 50)]) == pytest.approx(0.75)
    assert hypervolume([(50, 100), (40, 90)]) == pytest.approx(0.5)  # the second one is dominated


def test_weights_come_back_whatever_happens():
    from peer_methods.learned import weights

    unet = torch.nn.Linear(3, 2)
    before = unet.weight.detach().clone()
    with pytest.raises(KeyboardInterrupt), weights(unet, {"weight": torch.zeros(2, 3)}):
        assert not unet.weight.any()
        raise KeyboardInterrupt
    assert torch.equal(unet.weight, before)


@pytest.fixture
def learned(toy_model, tmp_path):
    """What methods that need the text alone learn from, on random weights."""
    from peer_methods.learned import Learned

    from steering.activations.capture import capture
    from steering.concepts.pairs import Pair
    from steering.concepts.prompts import Concept
    from steering.study.subject import Subject
    from steering.study.vectors import ConceptActivations, Vectors

    places = ("on the beach", "in a room", "at night", "in the snow")
    pairs = [Pair(f"a dog {place}", f"a cat {place}", f"an empty scene {place}") for place in places]
    text = capture(toy_model, pairs, sites="text", concept="dog")
    vectors = Vectors(ConceptActivations(text, text), None)  # no scores: nothing is selected here
    return Learned(toy_model, Subject(Concept("dog", "a dog", ("dog",)), pairs, {}), vectors, tmp_path)


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        ("conditional map of the text", "local"),
        ("UCE", "keep 0.1"),
        ("UCE, from the pairs", "keep 0.1"),
        ("RECE", "2 rounds"),
        ("GLoCE", "0 spreads"),
        ("SLD", "maximal"),
        ("SAFREE", "α = -0.1, all steps"),
        ("Perp-Neg", "w = 2"),
        ("negative prompt", ""),
        ("negative guidance", "w = 2"),
        ("ESD-x", "η = 1"),
        ("concept slider", "scale 2"),
    ],
)
def test_a_method_changes_what_is_drawn_and_leaves_the_model_as_it_was(method, setting, learned, monkeypatch):
    from peer_methods import gloce, trained
    from peer_methods.table import METHODS

    monkeypatch.setattr(trained, "STEPS", 2)
    monkeypatch.setattr(gloce, "STEPS", 2)
    (known,) = [one for one in METHODS if one.name == method]

    def draw():
        return learned.model.generate("a dog in the desert", seed=1, steps=3, size=64, guidance=3.0)

    weights, before = learned.model.digest(), draw()
    for _ in range(2):  # the second time from what the first one kept
        with torch.no_grad(), known.apply(learned, known.settings[setting]):
            inside = draw()
        assert (inside != before).any()
        assert learned.model.digest() == weights
        assert (draw() == before).all()


def test_attacks_ask_for_the_concept_in_other_words(learned):
    from dataclasses import replace

    from peer_methods.attacks import rewritten

    from steering.concepts.prompts import Concept, Prompt

    def texts(learned, text):
        return [rewritten(learned, Prompt("target", text), words).text for words in ("", "two", "other")]

    dog = "there is a dog in the snow"
    assert (learned.names, learned.anchor) == (["a dog"], "an empty scene")
    assert texts(learned, dog) == [dog, "there is a dog and a dog in the snow", "there is a puppy in the snow"]
    assert rewritten(learned, Prompt("target", dog), "long").text.endswith(dog)

    style = "in the style of Van Gogh"
    subject = replace(learned.subject, concept=Concept("van_gogh", style, ("van_gogh",)))
    painted, house = replace(learned, subject=subject), f"a house at night, {style}"
    assert (painted.names, painted.anchor) == ([style], "a picture")
    assert texts(painted, house) == [house, f"{house}, {style}", f"{style}, a house at night"]


def test_every_setting_is_known_by_its_values():
    from peer_methods.table import METHODS

    for method in METHODS:  # pictures are kept by them: a place in memory would make each run draw all again
        assert not any(" at 0x" in repr(setting) for setting in method.settings.values()), method.name
        assert len(method.settings) <= 4


def test_a_new_word_means_what_was_learned_within_the_block_only(toy_model):
    from peer_methods.adaptive import WORD, _meaning

    prompts = [f"a photo of {WORD}", "a photo of a cat"]
    plain = toy_model.encode(prompts).context
    with _meaning(toy_model, torch.full((plain.shape[-1],), 3.0)):
        inside = toy_model.encode(prompts).context
    assert (inside[0] - plain[0]).abs().max() > 0.1
    assert torch.equal(inside[1], plain[1])  # no prompt without the word is touched
    assert torch.equal(toy_model.encode(prompts).context, plain)


def test_an_inversion_learns_on_the_model_as_it_is_changed(toy_model, monkeypatch):
    """The embedding follows the gradient of the changed model's own error, and every noun of the concept is renamed."""
    from types import SimpleNamespace

    from peer_methods import adaptive

    from steering.sites import Site

    monkeypatch.setattr(adaptive, "STEPS", 3)
    prompts = ["a photo of a puppy and a dog", "a dog in the snow"]
    learned = SimpleNamespace(
        model=toy_model, style=False, concept=SimpleNamespace(judge=("dog",)), positives=prompts, without=prompts
    )
    renamed = [adaptive.renamed(learned, text, "sks") for text in prompts]
    assert renamed == ["a photo of a sks and a sks", "a sks in the snow"]
    pictures = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = adaptive._learn(learned, renamed, pictures)
    layer = toy_model.sites()[Site.parse("mid.attn2")]
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: -output)
    try:
        changed = adaptive._learn(learned, renamed, pictures)
    finally:
        hook.remove()
    assert plain.isfinite().all()
    assert (changed - plain).abs().max() > 1e-6
