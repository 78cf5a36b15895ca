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

from ..checks import some_of
from ..errors import SteeringError
from ..families import Family
from ..files import header_of, parse_object, read_text
from ..pocket.architecture import WEIGHTS
from .checkpoint import Content, content_of
from .configurations import CONFIGURATIONS, SD15, check_unet, check_vae, family_of_config, schedule_for, size_of
from .diffusion import DiffusionModel
from .encoders import TextEncoder
from .wholeness import check_lacking, check_tokenizer, check_widths


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
        dtype: of `PRECISIONS`; None takes float16 on CUDA and float32 elsewhere.
        offload: text encoders and VAE wait on the CPU while they are not used.
        scheduler: noise levels, a name of `steering.schedule.SCHEDULERS`; None takes ``sgm_uniform`` where a folder
            says that its model is drawn with trailing timesteps, ``normal`` elsewhere.

    Raises:
        FileNotFoundError, SteeringError: with a sentence that says what was found and what to do.
    """
    place = _device(device)
    precision = dtype or (torch.float16 if place.type == "cuda" else torch.float32)
    if precision not in PRECISIONS:
        known = ", ".join(map(str, PRECISIONS))
        raise SteeringError(f"dtype {precision!r} is not one of {known}, nor None, which takes the device's usual one")
    model = _load(name, precision)
    for part in model.parts():
        meta = [tensor for tensor, value in part.named_parameters() if value.is_meta]
        check_lacking(meta, type(part).__name__, model.name)
        part.eval().requires_grad_(False)
    for part in [model.unet] if offload else model.parts():
        part.to(place)
    return replace(model, scheduler=scheduler) if scheduler else model


PRECISIONS = (torch.float16, torch.bfloat16, torch.float32)
"""What weights may be held in."""


def _load(name: str, dtype: torch.dtype) -> DiffusionModel:
    """The model, on the CPU."""
    if dtype == torch.bfloat16:
        # Which keeps less of a weight than its hash takes, so the hash is of float16, which needs no more memory.
        model = _load(name, torch.float16)
        of_file = model.weights_hash()
        for part in model.parts():
            torch.nn.Module.to(part, dtype)  # that of diffusers warns of parts to be kept in float32 that there are not
        return replace(model, hashes=(of_file, model.weights_hash()))
    if name == "pocket":
        return _load_parts(WEIGHTS, "pocket", dtype, offline=True)
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
    return _load_parts(name, name, dtype, offline=offline)


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
    except (ImportError, SteeringError):
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
    words = dict.fromkeys([f"tokenizer{end}" for end in ENDS[: len(family.text_layers)]], _tokenizer())
    with _loading(path.name, family.title):
        pipeline = _pipeline_class(family).from_single_file(
            str(path), config=str(folder), local_files_only=True, torch_dtype=dtype, **words, **_checker(family)
        )
    encoders = (
        TextEncoder(words[f"tokenizer{end}"], getattr(pipeline, f"text_encoder{end}"), layer, _padding(folder, end))
        for end, layer in zip(ENDS, family.text_layers, strict=False)
    )
    return _made(
        unet=pipeline.unet,
        encoders=tuple(encoders),
        vae=pipeline.vae,
        scheduler=pipeline.scheduler.config,
        family=family,
        name=path.name,
        content=content,
    )


ENDS = ("", "_2")
"""What diffusers adds to the names of the first and the second text encoder and tokenizer."""


def _tokenizer() -> Any:
    """CLIP's tokenizer, whose padding is the end of the text."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(SD15 / "tokenizer")


def _padding(folder: Path, end: str) -> int | None:
    """The token that a text encoder was trained to see as padding: the end of the text (OpenAI's own), or 0."""
    config = parse_object(read_text(folder / f"text_encoder{end}" / "config.json"), f"text_encoder{end}")
    return None if config["hidden_act"] == "quick_gelu" else 0


def _load_folder(folder: Path, name: str, dtype: torch.dtype) -> DiffusionModel:
    if not (folder / "unet" / "config.json").is_file():
        raise FileNotFoundError(f"{folder} is no diffusers folder: it has no unet/config.json")
    return _load_parts(folder, name, dtype, offline=True)


def _load_parts(place: str | Path, name: str, dtype: torch.dtype, *, offline: bool) -> DiffusionModel:
    """A diffusers folder or a hub id, part by part; never from pickles."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    where: dict[str, Any] = {"local_files_only": offline}
    with _loading(name):
        config: Any = UNet2DConditionModel.load_config(place, subfolder="unet", **where)
        if not isinstance(config, Mapping):
            raise SteeringError(f"{name} has a unet/config.json that is no JSON object; give a whole model")
    family = family_of_config(config)
    if not family.is_embedded:
        check_unet(config, name)
    where |= {"torch_dtype": dtype, "use_safetensors": True}
    with _loading(name, family.title):
        # Of any class: its configuration as it stands, to which diffusers would add what it lacks.
        scheduler: Any = EulerDiscreteScheduler.load_config(place, subfolder="scheduler", local_files_only=offline)
        ends = zip(ENDS, family.text_layers, strict=False)
        encoders = tuple(_encoder(place, end, layer, family, name, where) for end, layer in ends)
        return _made(
            unet=_whole(UNet2DConditionModel, place, "unet", name, **where),
            encoders=encoders,
            vae=_whole(AutoencoderKL, place, "vae", name, **where),
            scheduler=scheduler,
            family=family,
            name=name,
        )


def _encoder(
    place: str | Path, end: str, layer: str, family: Family, name: str, where: Mapping[str, Any]
) -> TextEncoder:
    """A text encoder with its tokenizer; the embedded model, which has none of its own, takes CLIP's."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    kind = CLIPTextModelWithProjection if end else CLIPTextModel  # the second one's pooled embedding is projected
    module = _whole(kind, place, f"text_encoder{end}", name, **where)
    usual = _tokenizer()
    if family.is_embedded:
        return TextEncoder(usual, module, layer)
    part = f"tokenizer{end}"
    tokenizer = CLIPTokenizer.from_pretrained(place, subfolder=part, local_files_only=where["local_files_only"])
    if isinstance(place, Path) and not (place / part / "tokenizer_config.json").is_file():
        raise SteeringError(f"{name} has no {part}/tokenizer_config.json, which says how prompts are padded")
    encoder = TextEncoder(tokenizer, module, layer, tokenizer.pad_token_id)
    check_tokenizer(encoder, usual, name)
    # Padded with "!", a folder's own takes that for no letter of a prompt; it is needed where it knows further words.
    return encoder if len(tokenizer) > len(usual) else replace(encoder, tokenizer=usual)


def _whole(kind: Any, place: str | Path, part: str, name: str, **where: Any) -> Any:
    """A part of a model all of whose tensors its file holds; libraries would fill the others with random numbers."""
    if isinstance(place, Path) and not list(place.glob(f"{part}/*model.safetensors*")):
        where |= {"variant": "fp16"} if list(place.glob(f"{part}/*.fp16.safetensors")) else {}
    module, said = kind.from_pretrained(place, subfolder=part, output_loading_info=True, **where)
    check_lacking(sorted(said["missing_keys"]), part, name)
    unknown = sorted(said["unexpected_keys"])
    if unknown and part in ("unet", "vae"):
        raise SteeringError(
            f"{name} holds {some_of(unknown)} in its {part}, which {part}/config.json does not know; give a model "
            "whose files agree"
        )
    return module


def _made(
    *,
    unet: Any,
    encoders: tuple[TextEncoder, ...],
    vae: Any,
    scheduler: Mapping[str, Any],
    family: Family,
    name: str,
    content: Content | None = None,
) -> DiffusionModel:
    """A model of its parts, with what a single file's content says where there is one."""
    prediction = content.prediction if content else str(scheduler.get("prediction_type", "epsilon"))
    check_widths(encoders, family, name)
    check_vae(vae.config, name)
    if vae.config.get("force_upcast") and vae.dtype == torch.float16:
        vae.to(torch.float32)  # its activations leave the range of float16
    return DiffusionModel(
        unet=unet,
        encoders=encoders,
        vae=vae,
        schedule=schedule_for(scheduler, name, prediction, bool(content and content.is_zero_terminal)),
        prediction=prediction,
        family=family.name,
        name=name,
        size=content.size if content else size_of(unet.config.get("sample_size"), family, name),
        scheduler="sgm_uniform" if not content and scheduler.get("timestep_spacing") == "trailing" else "normal",
    )
