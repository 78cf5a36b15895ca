"""Loading a model: the embedded one, a diffusers folder, a hub id, a single checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import SteeringError
from ..files import read_text
from ..pocket.architecture import WEIGHTS
from ..pocket.codec import PatchCodec
from ..schedule import NoiseSchedule
from .diffusion import DiffusionModel

SD15 = Path(__file__).parent / "sd15"
"""Configuration and tokenizer of SD 1.5, so that a single checkpoint file loads without any hub."""


def load_model(name: str = "pocket", device: str = "auto", dtype: torch.dtype | None = None) -> DiffusionModel:
    """A model: ``pocket``, a diffusers folder, a hub id, or a single ``.safetensors`` checkpoint of SD 1.5.

    Args:
        name: see above. Only a hub id that is not on disk touches the network.
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
    if path.suffix in (".ckpt", ".pt", ".bin"):
        raise SteeringError(f"{path.name} may hold pickled code; convert it to .safetensors first")
    if path.suffix == ".safetensors":
        return _load_checkpoint(path, place, precision)
    if path.is_dir():
        return _load_folder(path, path.name, place, precision)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise FileNotFoundError(f"model {name!r} is neither 'pocket', a folder, a .safetensors file nor a hub id")
    return _from_pipeline(_pipeline().from_pretrained(name, safety_checker=None, torch_dtype=precision), name, place)


def _device(device: str) -> torch.device:
    if device != "auto":
        try:
            return torch.device(device)
        except RuntimeError:
            raise SteeringError(f"device {device!r} is not one of auto, cpu, cuda, cuda:0, mps") from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _pipeline() -> Any:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    return StableDiffusionPipeline


def _load_checkpoint(path: Path, device: torch.device, dtype: torch.dtype) -> DiffusionModel:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        pipeline = _pipeline().from_single_file(
            str(path), config=str(SD15), local_files_only=True, safety_checker=None, torch_dtype=dtype
        )
    except (ValueError, RuntimeError, KeyError, AttributeError) as error:
        raise SteeringError(f"{path.name} does not load as an SD 1.5 checkpoint ({error})") from error
    return _from_pipeline(pipeline, path.name, device)


def _load_folder(folder: Path, name: str, device: torch.device, dtype: torch.dtype) -> DiffusionModel:
    if not (folder / "unet" / "config.json").is_file():
        raise FileNotFoundError(f"{folder} is no diffusers folder: it has no unet/config.json")
    if not (folder / "vae" / "codec.safetensors").is_file():
        pipeline = _pipeline().from_pretrained(folder, safety_checker=None, torch_dtype=dtype, local_files_only=True)
        return _from_pipeline(pipeline, name, device)
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    unet: Any = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype, low_cpu_mem_usage=False)
    text_encoder: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=dtype)
    scheduler = json.loads(read_text(folder / "scheduler" / "scheduler_config.json"))
    model = DiffusionModel(
        unet=unet.to(device),
        text_encoder=text_encoder.to(device),
        tokenizer=CLIPTokenizer.from_pretrained(SD15 / "tokenizer"),
        vae=PatchCodec.load(folder / "vae" / "codec.safetensors"),
        schedule=_schedule(scheduler),
        prediction=scheduler["prediction_type"],
        family="pocket",
        name=name,
        size=8 * unet.config.sample_size,
    )
    return _frozen(model)


def _from_pipeline(pipeline: Any, name: str, device: torch.device) -> DiffusionModel:
    width = pipeline.unet.config.cross_attention_dim
    if width != 768:
        raise SteeringError(f"{name} has text width {width}; only SD 1.x models (768) are supported")
    model = DiffusionModel(
        unet=pipeline.unet.to(device),
        text_encoder=pipeline.text_encoder.to(device),
        tokenizer=pipeline.tokenizer,
        vae=pipeline.vae.to(device),
        schedule=_schedule(pipeline.scheduler.config),
        prediction=pipeline.scheduler.config.prediction_type,
        family="sd15",
        name=name,
        size=8 * pipeline.unet.config.sample_size,
    )
    return _frozen(model)


def _schedule(config: Any) -> NoiseSchedule:
    return NoiseSchedule.scaled_linear(config["beta_start"], config["beta_end"], config["num_train_timesteps"])


def _frozen(model: DiffusionModel) -> DiffusionModel:
    for part in (model.unet, model.text_encoder, model.vae):
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    return model
