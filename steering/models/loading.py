"""Loading a model: the embedded one, a diffusers folder, a hub id, a single checkpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..errors import SteeringError
from ..families import Family
from ..files import header_of, parse_object, read_text
from ..pocket.architecture import WEIGHTS
from .checkpoint import Content, content_of
from .configurations import check_unet, family_of_config, schedule_for, schedule_of, size_of
from .diffusion import DiffusionModel
from .encoders import TextEncoder

CONFIGURATIONS = Path(__file__).parent
"""Configurations of the families, so that a single checkpoint file loads without any hub."""
SD15 = CONFIGURATIONS / "sd15"
"""That of SD 1.5, with the tokenizer of all families."""


def load_model(
    name: str = "pocket",
    device: str = "auto",
    dtype: torch.dtype | None = None,
    *,
    offload: bool = False,
    scheduler: str | None = None,
) -> DiffusionModel:
    """A model: ``pocket``, a diffusers folder, a hub id, or a single ``.safetensors`` checkpoint.

    Stable Diffusion 1, 2 and XL, those fine-tuned from them, and those distilled from them to few steps that take no
    other input (Turbo, Lightning). The refiner, inpainting models and LCM's own UNets are refused by name.

    Args:
        name: see above. Only a hub id that is not on disk touches the network, and not even that where HF_HUB_OFFLINE
            is set.
        device: ``auto`` takes CUDA, then Apple's MPS, then the CPU.
        dtype: None takes float16 on CUDA and float32 elsewhere.
        offload: text encoders and VAE wait on the CPU while they are not used.
        scheduler: noise levels, a name of `steering.schedule.SCHEDULERS`; None takes ``sgm_uniform`` where a folder
            says that its model is drawn with trailing timesteps, ``normal`` elsewhere.

    Raises:
        FileNotFoundError, SteeringError: with a sentence that says what was found and what to do.
    """
    place = _device(device)
    precision = dtype or (torch.float16 if place.type == "cuda" else torch.float32)
    model = _load(name, precision)
    idle = (model.vae, *(encoder.module for encoder in model.encoders))
    for part in (model.unet, *idle):
        _check_whole(part, model.name)
        part.eval().requires_grad_(False)
    for part in (model.unet, *(() if offload else idle)):
        part.to(place)
    return replace(model, scheduler=scheduler) if scheduler else model


def _check_whole(part: torch.nn.Module, name: str) -> None:
    """Refuse a part of whose tensors the file held none."""
    lacking = [tensor for tensor, value in part.named_parameters() if value.is_meta]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise SteeringError(f"{name} lacks {lacking[0]}{more} of its {type(part).__name__}; give a whole model")


def _check_words(encoder: TextEncoder, name: str) -> None:
    """Refuse a tokenizer that a library made up of nothing, where its files are missing."""
    known, embedded = len(encoder.tokenizer), encoder.module.config.vocab_size
    if known < embedded:
        raise SteeringError(
            f"{name} has a tokenizer of {known} words and a text encoder of {embedded}: files of its tokenizer are "
            "missing; give a whole model"
        )


def _load(name: str, dtype: torch.dtype) -> DiffusionModel:
    """The model, on the CPU."""
    if name == "pocket":
        return _load_folder(WEIGHTS, "pocket", dtype)
    path = Path(name)
    if path.suffix.lower() in (".ckpt", ".pt", ".pth", ".bin"):
        raise SteeringError(f"{path.name} may hold pickled code; convert it to .safetensors first")
    if path.suffix.lower() == ".safetensors":
        return _load_checkpoint(path, dtype)
    if path.is_dir():
        return _load_folder(path, path.resolve().name, dtype)
    if not HUB_ID.fullmatch(name) or path.exists() or path.parent.is_dir():
        raise FileNotFoundError(f"model {name!r} is neither 'pocket', a folder, a .safetensors file nor a hub id")
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
    return _load_pipeline(name, name, dtype, _unet_config(name, name, offline), offline)


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
def _loading(name: str, kind: str = "Stable Diffusion") -> Iterator[None]:
    """Whatever a library says about a broken or foreign file, in one sentence."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise SteeringError(
            f"{name} does not load as a model of {kind} ({said[:300]}); give a whole one, with weights in .safetensors"
        ) from error


def _pipeline_class(family: Family) -> Any:
    if family.pooled_width:
        from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import StableDiffusionXLPipeline

        return StableDiffusionXLPipeline
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    return StableDiffusionPipeline


def _checker(family: Family) -> dict[str, None]:
    """The argument that leaves the safety checker out, for pipelines that have one."""
    return {} if family.pooled_width else {"safety_checker": None}


def _load_checkpoint(path: Path, dtype: torch.dtype) -> DiffusionModel:
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    content = content_of(path, header_of(path))
    family = content.family
    assert family.checkpoint is not None
    folder = CONFIGURATIONS / family.checkpoint.folder
    words = {f"tokenizer{end}": _tokenizer(folder, end) for end in ENDS[: len(family.text_layers)]}
    with _loading(path.name, family.title):
        pipeline = _pipeline_class(family).from_single_file(
            str(path), config=str(folder), local_files_only=True, torch_dtype=dtype, **words, **_checker(family)
        )
    return _from_pipeline(pipeline, path.name, family, content)


ENDS = ("", "_2")
"""What diffusers adds to the names of the first and the second text encoder and tokenizer."""


def _tokenizer(folder: Path, end: str) -> Any:
    """CLIP's tokenizer with the padding that a text encoder was trained with: OpenAI's own end, or ``!``."""
    from transformers import CLIPTokenizer

    config = parse_object(read_text(folder / f"text_encoder{end}" / "config.json"), f"text_encoder{end}")
    padding = "<|endoftext|>" if config["hidden_act"] == "quick_gelu" else "!"
    return CLIPTokenizer.from_pretrained(SD15 / "tokenizer", pad_token=padding)


def _load_folder(folder: Path, name: str, dtype: torch.dtype) -> DiffusionModel:
    if not (folder / "unet" / "config.json").is_file():
        raise FileNotFoundError(f"{folder} is no diffusers folder: it has no unet/config.json")
    config = parse_object(read_text(folder / "unet" / "config.json"), f"{name}/unet/config.json")
    if family_of_config(config).is_embedded:
        return _load_embedded(folder, name, dtype)
    return _load_pipeline(folder, name, dtype, config, True)


def _load_embedded(folder: Path, name: str, dtype: torch.dtype) -> DiffusionModel:
    """The pocket model, or one trained like it: a folder without a tokenizer of its own."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    with _loading(name):
        how = {"torch_dtype": dtype, "use_safetensors": True}
        unet: Any = UNet2DConditionModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False, **how)
        encoder: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", **how)
        scheduler = parse_object(read_text(folder / "scheduler" / "scheduler_config.json"), f"{name}/scheduler")
        return DiffusionModel(
            unet=unet,
            encoders=(TextEncoder(CLIPTokenizer.from_pretrained(SD15 / "tokenizer"), encoder),),
            vae=AutoencoderKL.from_pretrained(folder / "vae", **how),
            schedule=schedule_of(scheduler, name),
            prediction=scheduler["prediction_type"],
            family=family_of_config(unet.config).name,
            name=name,
            size=8 * unet.config.sample_size,
        )


def _unet_config(place: str, name: str, offline: bool) -> Mapping[str, Any]:
    """Of a hub id, before any weights are loaded."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    with _loading(name):
        config: Any = UNet2DConditionModel.load_config(place, subfolder="unet", local_files_only=offline)
        return config


def _load_pipeline(
    place: str | Path, name: str, dtype: torch.dtype, config: Mapping[str, Any], offline: bool
) -> DiffusionModel:
    """What diffusers loads; never from pickles."""
    check_unet(config, name)
    family = family_of_config(config)
    with _loading(name, family.title):
        pipeline = _pipeline_class(family).from_pretrained(
            place, torch_dtype=dtype, use_safetensors=True, local_files_only=offline, **_checker(family)
        )
    return _from_pipeline(pipeline, name, family)


def _from_pipeline(pipeline: Any, name: str, family: Family, content: Content | None = None) -> DiffusionModel:
    ends = ENDS[: len(family.text_layers)]
    for part in ("unet", *(f"{p}{end}" for p in ("text_encoder", "tokenizer") for end in ends), "vae", "scheduler"):
        if getattr(pipeline, part, None) is None:
            raise SteeringError(f"{name} has no {part}; give a whole model of {family.title}")
    config = pipeline.scheduler.config
    prediction = content.prediction if content else str(config.get("prediction_type"))
    encoders = zip(ends, family.text_layers, strict=True)
    if pipeline.vae.config.get("force_upcast") and pipeline.vae.dtype == torch.float16:
        pipeline.vae.to(torch.float32)  # its activations leave the range of float16
    words = tuple(
        TextEncoder(getattr(pipeline, f"tokenizer{end}"), getattr(pipeline, f"text_encoder{end}"), layer)
        for end, layer in encoders
    )
    for encoder in words:
        _check_words(encoder, name)
    return DiffusionModel(
        unet=pipeline.unet,
        encoders=words,
        vae=pipeline.vae,
        schedule=schedule_for(config, name, prediction, bool(content and content.is_zero_terminal)),
        prediction=prediction,
        family=family.name,
        name=name,
        size=content.size if content else size_of(pipeline.unet.config.get("sample_size"), family, name),
        scheduler="sgm_uniform" if not content and config.get("timestep_spacing") == "trailing" else "normal",
    )
