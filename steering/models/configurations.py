"""What diffusers' configurations say of a model: its family, what it takes, its noise schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..errors import SteeringError
from ..families import Family, family_of
from ..schedule import NoiseSchedule
from .checkpoint import check_input, foreign
from .sampling import MOST_SIZE

CONDITIONS = ("time_cond_proj_dim", "class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim")
"""Settings of a UNet that want more than latents, a timestep and a prompt."""


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
    check_input(name, config.get("in_channels", 4))
    taken = {"addition_embed_type": "text_time"} if family.pooled_width else {}
    wanted = [key for key in CONDITIONS if config.get(key) != taken.get(key)]
    if wanted:
        raise SteeringError(
            f"{name} has {wanted[0]} set to {config.get(wanted[0])!r}, as distilled (LCM) and class-conditional models "
            f"do; give a plain model of {family.title}"
        )


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
    trained, kind = config.get("trained_betas"), config.get("beta_schedule", "scaled_linear")
    try:
        if trained is not None:
            return NoiseSchedule.from_betas(torch.as_tensor(trained, dtype=torch.float64))
        if kind not in BETAS:
            raise SteeringError(f"{name} has beta_schedule {kind!r}, which is not one of {', '.join(BETAS)}")
        return BETAS[kind](config["beta_start"], config["beta_end"], config["num_train_timesteps"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise SteeringError(f"{name} has a scheduler configuration that lacks or misstates {error}") from None


BETAS: Mapping[str, Callable[[float, float, int], NoiseSchedule]] = {
    "scaled_linear": NoiseSchedule.scaled_linear,
    "linear": NoiseSchedule.linear,
}
"""diffusers' ``beta_schedule`` -> the schedule."""
