"""Steering inside ComfyUI's sampling.

A wrapper around the model's call of the UNet describes the call (noise level and half of guidance of every
row), puts hooks on the steered modules, and takes them off again. Output patches would serve the two
attention kinds only; this one mechanism serves all four kinds of site, leaves nothing on the shared
module when a run is interrupted, and finds the modules of whichever copy of the UNet really runs. The wrapper around
the UNet's own forward pass would lie inside of what TorchCompileModel compiles, which forgets who was there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import nn

from ..steering.interventions.engine import Steering
from ..steering.interventions.entry import Entry
from ..steering.interventions.observation import Pending, observing
from ..steering.interventions.steer import resolve
from ..steering.models.hooks import site_hooks
from ..steering.sites import Site
from .comfy_call import describe, options_of, say_roles
from .comfy_model import family_of

KEY = "activation_steering"


def entries_of(model: ModelPatcher) -> tuple[Entry, ...]:
    """What earlier Apply nodes put on a model."""
    return model.get_attachment(KEY) or ()


def with_entry(model: ModelPatcher, entry: Entry) -> ModelPatcher:
    """A clone of the model, steered by one entry more; the model given stays as it is.

    Raises:
        SteeringError: the vector is of another family, or names a site or a width that the model does not have.
    """
    resolve(model.model.diffusion_model, Steering([entry]), family_of(model))
    return _steered(model, (*entries_of(model), entry))


def observed(model: ModelPatcher) -> tuple[ModelPatcher, list[Pending]]:
    """A clone that steers as the model does and notes what it did, and the list that fills while it samples."""
    seen: list[Pending] = []
    return _steered(model, entries_of(model), seen.extend), seen


def _steered(
    model: ModelPatcher, entries: tuple[Entry, ...], note: Callable[[list[Pending]], None] | None = None
) -> ModelPatcher:
    steered = model.clone()
    steered.set_attachments(KEY, entries)
    # All entries act in one wrapper, so that their directions are orthonormalised against each other.
    steering = Steering(entries)
    wrappers = {
        WrappersMP.OUTER_SAMPLE: _checking_wrapper(steering),
        WrappersMP.PREDICT_NOISE: say_roles,
        WrappersMP.APPLY_MODEL: _steering_wrapper(entries, steering, note),
    }
    for kind, wrapper in wrappers.items():
        steered.remove_wrappers_with_key(kind, KEY)
        steered.add_wrapper_with_key(kind, KEY, wrapper)
    return steered


def _checking_wrapper(steering: Steering) -> Callable[..., Any]:
    """An OUTER_SAMPLE wrapper: a run that never came to a site that is to be steered ends with an error."""

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> Any:
        steering.begin()
        result = executor(*args, **kwargs)
        steering.finish()
        return result

    return wrapper


def _steering_wrapper(
    entries: tuple[Entry, ...], steering: Steering, note: Callable[[list[Pending]], None] | None
) -> Callable[..., torch.Tensor]:
    """An APPLY_MODEL wrapper. A plain closure: ComfyUI copies anything else when it clones a model."""
    masks = max((0 if entry.mask is None else len(entry.mask) for entry in entries), default=0)
    edit = steering.edit if note is None else observing(steering, note)
    acting = set(steering.sites)
    # Whoever only steers puts no hook where nothing acts.
    modules = remembered(
        lambda unet: {s: module for s, module in resolve(unet, steering).items() if note is not None or s in acting}
    )

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        call = describe(args[0], options_of(args, kwargs), masks)
        with site_hooks(modules(executor.class_obj.diffusion_model), lambda site, output: edit(site, output, call)):
            return executor(*args, **kwargs)

    return wrapper


def remembered(find: Callable[[nn.Module], dict[Site, nn.Module]]) -> Callable[[nn.Module], dict[Site, nn.Module]]:
    """``find``, asked once for each copy of the UNet that runs."""
    known: WeakKeyDictionary[nn.Module, dict[Site, nn.Module]] = WeakKeyDictionary()

    def modules(unet: nn.Module) -> dict[Site, nn.Module]:
        if unet not in known:
            known[unet] = find(unet)
        return known[unet]

    return modules


def sample(model: ModelPatcher, *arguments: Any) -> dict[str, Any]:
    """What KSampler does with its inputs in their order; the latents."""
    import nodes  # ComfyUI's own, loaded long before anything runs

    return nodes.common_ksampler(model, *arguments[:-1], denoise=arguments[-1])[0]


def schedule(model: ModelPatcher, steps: int, sampler: str, scheduler: str, denoise: float = 1.0) -> torch.Tensor:
    """Noise levels of a KSampler ``[steps + 1]``; it knows which samplers want their schedule cut."""
    return comfy.samplers.KSampler(model, steps, model.load_device, sampler, scheduler, denoise).sigmas
