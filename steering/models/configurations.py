"""What diffusers' configurations say of a model: its family, what it takes, its noise schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..checks import short
from ..errors import SteeringError
from ..families import Family, family_of, titles
from ..files import named
from ..schedule import NoiseSchedule
from .checkpoint import CHANNELS, check_input, foreign
from .sampling import MOST_SIZE, MOST_STEPS

CONFIGURATIONS = Path(__file__).parent
"""Configurations of the families, so that a single checkpoint file loads without any hub."""
SD15 = CONFIGURATIONS / "sd15"
"""That of SD 1.5, with the tokenizer of all families."""

CONDITIONS = (
    "time_cond_proj_dim",
    "class_embed_type",
    "num_class_embeds",
    "addition_embed_type",
    "addition_time_embed_dim",
    "projection_class_embeddings_input_dim",
    "encoder_hid_dim",
)
"""Settings of a UNet that want more than latents, a timestep and a prompt."""
SIZES, SIZE_WIDTH = 6, 256
"""How many numbers of a picture's size and crop SDXL takes, and how wide each becomes."""
VAE_LEVELS = 4
"""Of Stable Diffusion's VAE, which halves a picture's sides between two of them."""


def _conditions(family: Family) -> dict[str, Any]:
    """What a family's UNet has of `CONDITIONS`."""
    if not family.pooled_width:
        return {}
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_WIDTH,
        "projection_class_embeddings_input_dim": family.pooled_width + SIZES * SIZE_WIDTH,
    }


def family_of_config(config: Mapping[str, Any]) -> Family:
    """The family of a UNet's configuration."""
    return family_of(*_widths(config))


def _widths(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """Channels of the first level and width of the text; None where they are not said."""
    channels = config.get("block_out_channels")
    first = channels[0] if isinstance(channels, list | tuple) and channels else None
    return first, config.get("cross_attention_dim")


def check_unet(config: Mapping[str, Any], name: str) -> None:
    """Refuse a UNet that would draw something else when it is called as its family's is."""
    family = family_of_config(config)
    if family.checkpoint is None:
        raise SteeringError(foreign(name, *_widths(config)))
    check_input(name, config.get("in_channels", CHANNELS))
    taken = _conditions(family)
    wanted = [key for key in CONDITIONS if config.get(key) != taken.get(key)]
    if wanted:
        raise SteeringError(
            f"{name} has {wanted[0]} set to {config.get(wanted[0])!r}, as distilled (LCM) and class-conditional models "
            f"do; give a plain model of {family.title}"
        )


def check_vae(config: Mapping[str, Any], name: str) -> None:
    """Refuse a VAE whose latents are other than those of Stable Diffusion: scaled by one number, 8 times smaller."""
    moved = [key for key in ("latents_mean", "latents_std", "shift_factor") if config.get(key)]
    if moved:
        raise SteeringError(f"{name} has a VAE with {moved[0]}, as other kinds of model do; give a VAE without")
    levels, scale = len(config.get("block_out_channels", ())), config.get("scaling_factor")
    if levels != VAE_LEVELS or config.get("latent_channels") != CHANNELS:
        raise SteeringError(
            f"{name} has a VAE of {levels} levels and {config.get('latent_channels')} channels, where Stable Diffusion "
            f"has {VAE_LEVELS} and {CHANNELS}; give a VAE of its kind"
        )
    if not isinstance(scale, float | int) or not 0 < scale < math.inf:
        raise SteeringError(f"{name} has a VAE of scaling_factor {scale!r}, which must be a number above 0, as 0.18215")


def size_of(latents: Any, family: Family, name: str) -> int:
    """Usual width and height in pixels of a UNet of latents that wide; the family's where it does not say one."""
    if latents is None or (isinstance(latents, list | tuple) and len(set(latents)) > 1):
        return family.size
    side = latents[0] if isinstance(latents, list | tuple) and latents else latents
    if type(side) is not int or not 1 <= side <= MOST_SIZE // 8:
        raise SteeringError(
            f"{name} has sample_size {latents!r}, which must be a whole number from 1 to {MOST_SIZE // 8}"
        )
    return 8 * side


def schedule_for(config: Mapping[str, Any], name: str, prediction: str, is_zero_terminal: bool) -> NoiseSchedule:
    """The noise schedule of a model, of zero terminal signal where its file or its configuration says so."""
    schedule = schedule_of(config, name)
    if not is_zero_terminal and not config.get("rescale_betas_zero_snr"):
        return schedule
    if prediction == "epsilon":
        raise SteeringError(
            f"{name} starts from pure noise, in which there is no noise to predict, and yet predicts noise; give a "
            "model whose files agree"
        )
    return schedule.zero_terminal()


def schedule_of(config: Mapping[str, Any], name: str) -> NoiseSchedule:
    """The noise schedule that a scheduler's configuration, of diffusers, says the model was trained with.

    Raises:
        SteeringError: no such schedule.
    """
    if config.get("sigma_data") is not None:
        raise SteeringError(f"{name} has a noise schedule of EDM's kind; give a plain model of {titles()}")
    trained, kind = config.get("trained_betas"), config.get("beta_schedule")
    if trained is not None:
        try:
            betas = torch.as_tensor(trained, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise SteeringError(f"{name} has trained_betas {short(trained)}, which must be a list of numbers") from None
        with named(name):
            return NoiseSchedule.from_betas(betas)
    if not isinstance(kind, str) or kind not in BETAS:
        raise SteeringError(f"{name} has beta_schedule {kind!r}, which is not one of {', '.join(BETAS)}")
    return BETAS[kind](_beta(config, "beta_start", name), _beta(config, "beta_end", name), _trained(config, name))


def _beta(config: Mapping[str, Any], key: str, name: str) -> float:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise SteeringError(f"{name} has a scheduler of {key} {value!r}, which must be a number between 0 and 1")
    return value


def _trained(config: Mapping[str, Any], name: str) -> int:
    steps = config.get("num_train_timesteps")
    if type(steps) is not int or not 2 <= steps <= MOST_STEPS:
        raise SteeringError(
            f"{name} has a scheduler of num_train_timesteps {steps!r}, which must be a whole number from 2 to "
            f"{MOST_STEPS}"
        )
    return steps


BETAS: Mapping[str, Callable[[float, float, int], NoiseSchedule]] = {
    "scaled_linear": NoiseSchedule.scaled_linear,
    "linear": NoiseSchedule.linear,
}
"""diffusers' ``beta_schedule`` -> the schedule."""
