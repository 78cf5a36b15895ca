"""The UNet call that ComfyUI makes, described: noise level and half of guidance of every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..steering.errors import SteeringError
from ..steering.models.call import Call

WHOLE = "activation_steering_latents"
"""Key of transformer_options: number, height and width of the whole latents."""


ROLES = "activation_steering_roles"
"""Key of transformer_options: whether a condition is a prompt, by its uuid."""


PROMPTS = ("positive", "middle")
"""Names of a guider's lists of conditions that hold prompts; DualCFGGuider has two."""


def say_roles(
    executor: Any, x: torch.Tensor, timestep: Any, model_options: Any = None, seed: Any = None, *others: Any
) -> Any:
    """A PREDICT_NOISE wrapper: tells the UNet's wrapper what it cannot see.

    That is the number and size of the whole latents, which a mask needs, and which conditions are prompts: the number
    in ``cond_or_uncond`` says so only in plain guidance, not in DualCFGGuider or Self-Attention Guidance.
    """
    options = dict(model_options or {})
    said = {WHOLE: (len(x), x.shape[-2], x.shape[-1]), ROLES: roles(getattr(executor.class_obj, "conds", {}))}
    options["transformer_options"] = {**options.get("transformer_options", {}), **said}
    return executor(x, timestep, options, seed, *others)


def roles(conds: Mapping[str, Any]) -> dict[Any, bool]:
    """Whether a condition is a prompt, by its uuid; those that stand in lists of both kinds are left out.

    ComfyUI copies area conditions from one list into the other, uuid and all.
    """
    prompts, others = set(), set()
    for name, conditions in conds.items():
        found = {condition.get("uuid") for condition in conditions or ()} - {None}
        (prompts if name in PROMPTS else others).update(found)
    return {uuid: uuid in prompts for uuid in prompts ^ others}


def options_of(args: tuple, kwargs: dict) -> dict[str, Any]:
    """The transformer_options of a UNet call."""
    found = kwargs.get("transformer_options")
    # Positional in 0.3.64, the last dictionary of the call.
    return found if found is not None else next((a for a in reversed(args) if isinstance(a, dict)), {})


def describe(x: torch.Tensor, options: dict[str, Any], masks: int = 0) -> Call:
    """The call that ComfyUI's transformer_options describe, for the UNet's input ``x [B, c, h, w]``.

    ``masks`` is how many masks steering has: none, one for all latents, or one for each.

    ``cond_or_uncond`` has one number a chunk, 0 for the positive prompt in plain guidance, in any order, and
    ``uuids`` the conditions that they stand for; every chunk holds the whole latent batch, whose noise
    levels are in ``sigmas``.
    """
    chunks, sigmas = options.get("cond_or_uncond"), options.get("sigmas")
    if not chunks or sigmas is None or len(x) % len(chunks):
        raise RuntimeError(
            "the sampler does not say which rows belong to the positive prompt or what their noise level is; "
            "steering needs a sampler that goes through ComfyUI's own guidance"
        )
    size, each = (x.shape[-2], x.shape[-1]), len(x) // len(chunks)
    batch, *whole_size = options.get(WHOLE, (each, *size))
    whole = tuple(whole_size) == size
    if masks > 1 and batch != each:
        raise SteeringError(
            "steering masks, one for each picture, cannot be placed where the UNet sees only some pictures of the "
            "batch, as under context windows; use one mask for all, or leave the windows out"
        )
    if masks and not whole:
        raise SteeringError(
            "a steering mask cannot be placed under an area condition, where the UNet sees a part of the picture; "
            "use Conditioning (Set Mask) without 'set cond area', or Apply Steering without a mask"
        )
    levels = sigmas.flatten().tolist()  # the one synchronisation of this call
    if len(levels) not in (1, each):
        raise RuntimeError(f"{len(levels)} noise levels do not fit {each} latents")
    per_chunk = tuple(levels * each if len(levels) == 1 else levels)
    known, uuids = options.get(ROLES, {}), options.get("uuids") or [None] * len(chunks)
    prompts = [known.get(uuid, chunk == 0) for chunk, uuid in zip(chunks, uuids, strict=True)]
    conditional = tuple(p for p in prompts for _ in range(each))
    return Call(per_chunk * len(chunks), conditional, size if whole else None, each)
