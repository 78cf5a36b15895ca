"""Steering inside ComfyUI's sampling: the one file that spells its internals.

A wrapper around the UNet's forward pass describes the call (noise level and half of guidance of every
row), puts hooks on the steered modules, and takes them off again. Output patches would serve the two
attention kinds only; this one mechanism serves all four kinds of site, leaves nothing on the shared
module when a run is interrupted, and finds the modules of whichever copy of the UNet really runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import nn

from ..steering.hooks import site_hooks
from ..steering.sites import Site
from ..steering.steer import Call, Entry, Steering, resolve

KEY = "activation_steering"


def entries_of(model: ModelPatcher) -> tuple[Entry, ...]:
    """What earlier Apply nodes put on a model."""
    return model.get_attachment(KEY) or ()


def with_entry(model: ModelPatcher, entry: Entry) -> ModelPatcher:
    """A clone of the model, steered by one entry more; the model given stays as it is.

    Raises:
        ValueError: the vector names a site or a width that the model does not have.
    """
    entries = (*entries_of(model), entry)
    resolve(model.model.diffusion_model, Steering([entry]))
    steered = model.clone()
    steered.set_attachments(KEY, entries)
    # All entries act in one wrapper, so that their directions are orthonormalised against each other.
    steered.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, KEY)
    steered.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, steering_wrapper(entries))
    return steered


def steering_wrapper(entries: tuple[Entry, ...]) -> Callable[..., torch.Tensor]:
    """A DIFFUSION_MODEL wrapper. A plain closure: ComfyUI copies anything else when it clones a model."""
    steering = Steering(entries)
    known: WeakKeyDictionary[nn.Module, dict[Site, nn.Module]] = WeakKeyDictionary()

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        unet = executor.class_obj
        if unet not in known:
            known[unet] = resolve(unet, steering)
        call = describe(len(args[0]), _options(args, kwargs))
        with site_hooks(known[unet], lambda site, output: steering.edit(site, output, call)):
            return executor(*args, **kwargs)

    return wrapper


def _options(args: tuple, kwargs: dict) -> dict[str, Any]:
    found = kwargs.get("transformer_options")
    # Positional in 0.3.64, the last dictionary of the call.
    return found if found is not None else next((a for a in reversed(args) if isinstance(a, dict)), {})


def describe(rows: int, options: dict[str, Any]) -> Call:
    """The call that ComfyUI's transformer_options describe.

    ``cond_or_uncond`` has one number a chunk, 0 for the positive prompt, in any order; every chunk
    holds the whole latent batch, whose noise levels are in ``sigmas``.
    """
    chunks, sigmas = options.get("cond_or_uncond"), options.get("sigmas")
    if not chunks or sigmas is None or rows % len(chunks):
        raise RuntimeError(
            "the sampler does not say which rows belong to the positive prompt or what their noise level is; "
            "steering needs a sampler that goes through ComfyUI's own guidance"
        )
    each = rows // len(chunks)
    levels = sigmas.flatten().tolist()  # the one synchronisation of this call
    if len(levels) not in (1, each):
        raise RuntimeError(f"{len(levels)} noise levels do not fit {each} latents")
    per_chunk = tuple(levels * each if len(levels) == 1 else levels)
    conditional = tuple(chunk == 0 for chunk in chunks for _ in range(each))
    return Call(per_chunk * len(chunks), conditional)
