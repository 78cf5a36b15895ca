import pytest
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from steering.errors import SteeringError
from steering.schedule import NoiseSchedule

SCHEDULE = NoiseSchedule.scaled_linear()


@pytest.mark.parametrize("steps", [2, 4, 20, 30, 50])
def test_noise_levels_are_those_of_diffusers(steps):
    from diffusers import EulerDiscreteScheduler

    theirs = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace"
    )
    theirs.set_timesteps(steps)
    # They interpolate sigma between timesteps, ComfyUI (and this) its logarithm: 5e-5 apart at 30 steps,
    # 8e-5 where a knot falls half-way between two small timesteps.
    torch.testing.assert_close(SCHEDULE.normal(steps), theirs.sigmas, rtol=1e-4, atol=1e-6)


@given(st.floats(0, 999))
def test_sigma_and_timestep_are_inverse_to_the_nearest_step(timestep):
    # Half a step either way, and no more than one where the logarithm bends.
    assert abs(SCHEDULE.timestep(SCHEDULE.sigma(timestep)) - timestep) <= 0.51


@given(st.floats(0, 1), st.floats(0, 1))
def test_percent_falls_with_noise(a, b):
    a, b = sorted((a, b))
    assert SCHEDULE.percent_to_sigma(a) >= SCHEDULE.percent_to_sigma(b)


@pytest.mark.parametrize(("percent", "sigma"), [(0.1, 8.307), (0.5, 1.616), (0.9, 0.344)])
def test_percent_means_what_comfyui_means(percent, sigma):
    # Three decimals are what was read off ComfyUI.
    assert SCHEDULE.percent_to_sigma(percent) == pytest.approx(sigma, abs=6e-4)


def test_the_ends_of_the_schedule():
    assert SCHEDULE.percent_to_sigma(0) == float("inf")
    assert SCHEDULE.percent_to_sigma(1) == 0
    assert SCHEDULE.normal(1).tolist() == pytest.approx([14.6146, 0], abs=1e-3)  # SD's known largest sigma
    for bad in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            SCHEDULE.percent_to_sigma(bad)
    with pytest.raises(ValueError, match="at least 1"):
        SCHEDULE.normal(0)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.33, 0.67, 0.999, 1.0])
def test_the_share_of_a_noise_level_is_the_one_it_came_from(share):
    schedule = NoiseSchedule.scaled_linear()
    assert schedule.sigma_to_percent(schedule.percent_to_sigma(share)) == pytest.approx(
        share, abs=1e-9
    )  # float64 logarithms


def test_noise_beyond_the_trained_levels_is_the_nearest_end():
    assert SCHEDULE.sigma_to_percent(1000.0) == 0
    assert SCHEDULE.sigma_to_percent(1e-4) == 1


def test_betas_that_are_linear_and_betas_that_were_trained():
    linear = NoiseSchedule.linear(0.00085, 0.012)
    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="linear").alphas_cumprod.double()
    # diffusers keeps alphas in float32.
    torch.testing.assert_close(linear.sigmas, ((1 - theirs) / theirs).sqrt(), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(linear.sigmas, NoiseSchedule.scaled_linear().sigmas, rtol=0.1)
    betas = torch.linspace(0.001, 0.01, 50)
    assert len(NoiseSchedule.from_betas(betas).sigmas) == 50


@pytest.mark.parametrize("sigmas", [[1.0, 1.0], [1.0, 0.5], [0.0, 1.0], [1.0, torch.inf], [1.0, torch.nan], [1.0]])
def test_a_table_that_does_not_rise_is_refused(sigmas):
    with pytest.raises(SteeringError, match="that rise with the timestep"):
        NoiseSchedule(torch.tensor(sigmas))
