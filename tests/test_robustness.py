"""The samplers and subsets of the robustness benchmark, where they can be said without a picture."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SPREAD = 2.0
"""Standard deviation of Gaussian data, for which the probability flow has a closed form."""


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("robustness", "samplers", "fine_tuned"):
        sys.modules.pop(name, None)


def clean(x, sigma):
    """The mean of the clean data, seen noisy: Gaussian of standard deviation `SPREAD`."""
    return x * SPREAD**2 / (SPREAD**2 + sigma**2)


def euler(clean, x, sigmas):
    for sigma, following in pairwise(sigmas):
        x = x + (x - clean(x, sigma)) / sigma * (following - sigma)
    return x


def levels(steps):
    return [*np.geomspace(14.6, 0.03, steps).tolist(), 0.0]


@pytest.mark.parametrize("name", ["heun", "dpm_solver"])
def test_a_sampler_of_second_order_follows_the_flow_closer_than_eulers(name):
    import samplers

    sigmas = levels(30)
    start = torch.tensor([1.0], dtype=torch.float64)
    # The flow keeps a point's place in units of the spread: x(0) / x(sigma) = SPREAD / sqrt(SPREAD^2 + sigma^2).
    exact = SPREAD / (SPREAD**2 + sigmas[0] ** 2) ** 0.5
    plain = abs(float(euler(clean, start, sigmas)) / exact - 1)
    made = abs(float(getattr(samplers, name)(clean, start, sigmas)) / exact - 1)
    assert plain > 0.05  # so that there is something to be closer than
    assert made < plain / 4


def test_the_ancestral_sampler_draws_the_data_it_is_told_of():
    import samplers

    noise = (SPREAD**2 + 14.6**2) ** 0.5 * torch.randn(20_000, generator=torch.Generator().manual_seed(1))
    made = samplers.euler_ancestral(clean, noise, levels(300))
    # Four standard errors of a standard deviation of 20,000 draws are 2 %, Euler's own error at 300 steps is below 1.
    assert float(made.std()) == pytest.approx(SPREAD, rel=0.03)
    assert abs(float(np.corrcoef(noise, made)[0, 1])) < 0.9  # new noise came in: Euler's own is 1


def test_subsets_are_of_their_size_and_differ_between_draws():
    from robustness import subsets

    made = subsets(50)
    assert {title: {len(some) for some in draws} for title, draws in made.items() if "replacement" not in title} == {
        "5 pairs": {5},
        "10 pairs": {10},
        "20 pairs": {20},
    }
    for draws in made.values():
        assert len({tuple(sorted(some)) for some in draws}) == len(draws) == 3
        assert all(len(set(some.tolist())) == len(some) and set(some) <= set(range(50)) for some in draws)
