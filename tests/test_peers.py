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
    from peer_methods.guidance import perp_neg

    prompt, nothing, concept = (random(2, 4, 8, 8, seed=seed) for seed in range(3))
    plain = nothing + 3.0 * (prompt - nothing)
    changed = perp_neg(2.0)(prompt, nothing, concept, 3.0) - plain
    assert changed.abs().max() > 1
    along = (changed * (prompt - nothing)).sum((1, 2, 3))
    assert along.abs().max() < 1e-9  # float64
    assert torch.allclose(perp_neg(2.0)(prompt, nothing, prompt, 3.0), plain)  # the concept alone: all of it is kept


def test_safe_guidance_waits_and_begins_anew_with_every_run():
    from peer_methods.guidance import MEDIUM, SafeRule

    rule = SafeRule(MEDIUM, steps=10)
    prompt, nothing, concept = (random(1, 4, 8, 8, seed=seed) for seed in range(3))
    plain = nothing + 3.0 * (prompt - nothing)
    runs = [[rule(prompt, nothing, concept, 3.0) for _ in range(10)] for _ in range(2)]
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
