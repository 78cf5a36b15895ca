"""Loading a model: the embedded one, a diffusers folder, a hub id, a single checkpoint."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..errors import SteeringError
from ..files import KEY, names_in, parse_object, read_text
from ..pocket.architecture import CONTEXT_WIDTH, WEIGHTS
from ..schedule import NoiseSchedule
from .diffusion import DiffusionModel

SD15 = Path(__file__).parent / "sd15"
"""Configuration and tokenizer of SD 1.5, so that a single checkpoint file loads without any hub."""


def load_model(name: str = "pocket", device: str = "auto", dtype: torch.dtype | None = None) -> DiffusionModel:
    """A model: ``pocket``, a diffusers folder, a hub id, or a single ``.safetensors`` checkpoint of SD 1.5.

    Args:
        name: see above. Only a hub id that is not on disk touches the network, and not even that where HF_HUB_OFFLINE
            is set.
        device: ``auto`` takes CUDA, then Apple's MPS, then the CPU.
        dtype: None takes float16 on CUDA and float32 elsewhere.

    Raises:
        FileNotFoundError, SteeringError: with a sentence that says what was found and what to do.
    """
    place = _device(device)
    precision = dtype or (torch.float16 if place.type == "cuda" else torch.float32)
    if name == "pocket":
        return _load_folder(WEIGHTS, "pocket", place, precision)
    path = Path(name)
    if path.suffix.lower() in (".ckpt", ".pt", ".pth", ".bin"):
        raise SteeringError(f"{path.name} may hold pickled code; convert it to .safetensors first")
    if path.suffix.lower() == ".safetensors":
        return _load_checkpoint(path, place, precision)
    if path.is_dir():
        return _load_folder(path, path.resolve().name, place, precision)
    if not HUB_ID.fullmatch(name) or path.exists() or path.parent.is_dir():
        raise FileNotFoundError(f"model {name!r} is neither 'pocket', a folder, a .safetensors file nor a hub id")
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
    return _from_pipeline(_pipeline(name, name, precision, local_files_only=offline), name, place)


HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""``owner/name``; where a folder of the owner's name is on disk, a mistyped path is likelier."""


def _device(device: str) -> torch.device:
    if device != "auto":
        try:
            place = torch.device(device)
        except RuntimeError:
            place = torch.device("meta")
        if place.type not in ("cpu", "cuda", "mps"):
            raise SteeringError(f"device {device!r} is not one of auto, cpu, cuda, cuda:0, mps")
        there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
        if (place.index or 0) >= there[place.type]:
            raise SteeringError(f"device {device!r} is not there: torch finds {there[place.type]} of {place.type}")
        return place
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Whatever a library says about a broken or foreign file, in one sentence."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise SteeringError(
            f"{name} does not load as a Stable Diffusion 1 model ({said[:300]}); give a whole one, with weights in "
            ".safetensors"
        ) from error


def _pipeline(name: str, place: str | Path, dtype: torch.dtype, **how: Any) -> Any:
    """A pipeline of diffusers; never from pickles."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    with _loading(name):
        return StableDiffusionPipeline.from_pretrained(
            place, safety_checker=None, torch_dtype=dtype, use_safetensors=True, **how
        )


def _load_checkpoint(path: Path, device: torch.device, dtype: torch.dtype) -> DiffusionModel:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    _check_checkpoint(path)
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    with _loading(path.name):
        pipeline = StableDiffusionPipeline.from_single_file(
            str(path), config=str(SD15), local_files_only=True, safety_checker=None, torch_dtype=dtype
        )
    return _from_pipeline(pipeline, path.name, device)


def _check_checkpoint(path: Path) -> None:
    """Refuse files that hold something else than a whole model, before anything is loaded."""
    names, metadata = names_in(path)
    if KEY in metadata:
        raise SteeringError(f"{path.name} was written by Activation Steering and is no model; give the model it is for")
    if any("lora" in name for name in names):
        raise SteeringError(f"{path.name} is a LoRA, not a model; merge it into a model first")
    if not any(name.startswith("model.diffusion_model.") for name in names):
        raise SteeringError(f"{path.name} is no checkpoint of Stable Diffusion: it holds no model.diffusion_model.*")


def _load_folder(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> DiffusionModel:
    if not (folder / "unet" / "config.json").is_file():
        raise FileNotFoundError(f"{folder} is no diffusers folder: it has no unet/config.json")
    config = parse_object(read_text(folder / "unet" / "config.json"), f"{name}/unet/config.json")
    if config.get("cross_attention_dim") != CONTEXT_WIDTH:
        return _from_pipeline(_pipeline(name, folder, dtype, local_files_only=True), name, device)
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    with _loading(name):
        how = {"torch_dtype": dtype, "use_safetensors": True}
        unet: Any = UNet2DConditionModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False, **how)
        text_encoder: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", **how)
        vae: Any = AutoencoderKL.from_pretrained(folder / "vae", **how)
        scheduler = json.loads(read_text(folder / "scheduler" / "scheduler_config.json"))
        model = DiffusionModel(
            unet=unet.to(device),
            text_encoder=text_encoder.to(device),
            tokenizer=CLIPTokenizer.from_pretrained(SD15 / "tokenizer"),
            vae=vae.to(device),
            schedule=schedule_of(scheduler, name),
            prediction=scheduler["prediction_type"],
            family="pocket",
            name=name,
            size=8 * unet.config.sample_size,
        )
    return _frozen(model)


def _from_pipeline(pipeline: Any, name: str, device: torch.device) -> DiffusionModel:
    for part in ("unet", "text_encoder", "tokenizer", "vae", "scheduler"):
        if getattr(pipeline, part, None) is None:
            raise SteeringError(f"{name} has no {part}; give a whole Stable Diffusion 1 model")
    _check_unet(pipeline.unet.config, name)
    model = DiffusionModel(
        unet=pipeline.unet.to(device),
        text_encoder=pipeline.text_encoder.to(device),
        tokenizer=pipeline.tokenizer,
        vae=pipeline.vae.to(device),
        schedule=schedule_of(pipeline.scheduler.config, name),
        prediction=str(pipeline.scheduler.config.get("prediction_type")),
        family="sd15",
        name=name,
        size=8 * pipeline.unet.config.sample_size,
    )
    return _frozen(model)


CONDITIONS = ("time_cond_proj_dim", "class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim")
"""Settings of a UNet that want more than latents, a timestep and a prompt."""


def _check_unet(config: Mapping[str, Any], name: str) -> None:
    """Refuse a UNet that would draw something else when it is called as SD 1.5's is."""
    width = config["cross_attention_dim"]
    if width != 768:
        raise SteeringError(f"{name} has text width {width}; only SD 1.x models (768) are supported")
    if config["in_channels"] != 4:
        raise SteeringError(
            f"{name} takes {config['in_channels']} channels, as an inpainting model does; give a text-to-image model "
            "of 4 channels"
        )
    wanted = [key for key in CONDITIONS if config.get(key) is not None]
    if wanted:
        raise SteeringError(
            f"{name} has {wanted[0]} set, as distilled (LCM) and class-conditional models do; give a plain SD 1.x model"
        )


def schedule_of(config: Mapping[str, Any], name: str) -> NoiseSchedule:
    """The noise schedule that a scheduler's configuration, of diffusers, says the model was trained with.

    Raises:
        SteeringError: no such schedule, or one whose first noise level is infinite.
    """
    if config.get("rescale_betas_zero_snr"):
        raise SteeringError(
            f"{name} starts from pure noise (rescale_betas_zero_snr), whose noise level is infinite; that is not "
            "supported"
        )
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


def _frozen(model: DiffusionModel) -> DiffusionModel:
    for part in (model.unet, model.text_encoder, model.vae):
        part.eval().requires_grad_(False)
    return model
