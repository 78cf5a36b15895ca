"""Steering inside ComfyUI's sampling: the one file that spells its internals.

A wrapper around the UNet's forward pass describes the call (noise level and half of guidance of every
row), puts hooks on the steered modules, and takes them off again. Output patches would serve the two
attention kinds only; this one mechanism serves all four kinds of site, leaves nothing on the shared
module when a run is interrupted, and finds the modules of whichever copy of the UNet really runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import nn

from ..steering.hooks import as_tokens, site_hooks
from ..steering.observation import Pending, observing
from ..steering.recording import Reducer
from ..steering.sites import Site, find_sites
from ..steering.steer import Call, Entry, Steering, resolve

KEY = "activation_steering"
WHOLE = "activation_steering_latents"
"""Key of transformer_options: height and width of the whole latents."""
ROLES = "activation_steering_roles"
"""Key of transformer_options: whether a condition is a prompt, by its uuid."""
PROMPTS = ("positive", "middle")
"""Names of a guider's lists of conditions that hold prompts; DualCFGGuider has two."""
SAME_LEVEL = 1e-3
"""Noise levels closer than this share are the same; neighbours of 100 steps are ten times as far apart."""


def entries_of(model: ModelPatcher) -> tuple[Entry, ...]:
    """What earlier Apply nodes put on a model."""
    return model.get_attachment(KEY) or ()


def with_entry(model: ModelPatcher, entry: Entry) -> ModelPatcher:
    """A clone of the model, steered by one entry more; the model given stays as it is.

    Raises:
        ValueError: the vector names a site or a width that the model does not have.
    """
    resolve(model.model.diffusion_model, Steering([entry]))
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
    for kind in (WrappersMP.DIFFUSION_MODEL, WrappersMP.PREDICT_NOISE):
        steered.remove_wrappers_with_key(kind, KEY)
    # All entries act in one wrapper, so that their directions are orthonormalised against each other.
    steered.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, _steering_wrapper(entries, note))
    steered.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, _say_roles)
    return steered


def _steering_wrapper(
    entries: tuple[Entry, ...], note: Callable[[list[Pending]], None] | None
) -> Callable[..., torch.Tensor]:
    """A DIFFUSION_MODEL wrapper. A plain closure: ComfyUI copies anything else when it clones a model."""
    steering = Steering(entries)
    masked = any(entry.mask is not None for entry in entries)
    edit = steering.edit if note is None else observing(steering, note)
    acting = set(steering.sites)
    # Whoever only steers puts no hook where nothing acts.
    modules = _remembered(
        lambda unet: {s: module for s, module in resolve(unet, steering).items() if note is not None or s in acting}
    )

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        call = describe(args[0], _options(args, kwargs), masked)
        with site_hooks(modules(executor.class_obj), lambda site, output: edit(site, output, call)):
            return executor(*args, **kwargs)

    return wrapper


def _remembered(find: Callable[[nn.Module], dict[Site, nn.Module]]) -> Callable[[nn.Module], dict[Site, nn.Module]]:
    """``find``, asked once for each copy of the UNet that runs."""
    known: WeakKeyDictionary[nn.Module, dict[Site, nn.Module]] = WeakKeyDictionary()

    def modules(unet: nn.Module) -> dict[Site, nn.Module]:
        if unet not in known:
            known[unet] = find(unet)
        return known[unet]

    return modules


def _say_roles(
    executor: Any, x: torch.Tensor, timestep: Any, model_options: Any = None, seed: Any = None, *others: Any
) -> Any:
    """A PREDICT_NOISE wrapper: tells the UNet's wrapper what it cannot see.

    That is the size of the whole latents, which a mask needs, and which conditions are prompts: the number
    in ``cond_or_uncond`` says so only in plain guidance, not in DualCFGGuider or Self-Attention Guidance.
    """
    options = dict(model_options or {})
    said = {WHOLE: (x.shape[-2], x.shape[-1]), ROLES: roles(getattr(executor.class_obj, "conds", {}))}
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


class StepRecorder:
    """Collects what the sites did on the prompts' rows in the first evaluation of every step.

    A sampler may evaluate the UNet several times a step, even at the next step's noise level (heun), and
    patches may call it once more within an evaluation. So a record begins with every evaluation, keeps
    its first UNet call that holds the prompts, and is committed when the sampler reports its step, which
    it does after the step's first evaluation.

    Args:
        sites: what to record.
        levels: the noise levels at which the steps start, falling.
        reduce: what is kept of a site's tokens.
        progress: called with the rows of every UNet call.
    """

    def __init__(
        self, sites: Sequence[Site], levels: Sequence[float], reduce: Reducer, progress: Callable[[int], None]
    ) -> None:
        self.sites, self.levels, self.reduce, self.progress = sites, levels, reduce, progress
        self.steps: list[dict[Site, torch.Tensor]] = [{} for _ in levels]
        self.latest: dict[Site, torch.Tensor] = {}
        self.sigma = 0.0

    def begin(self) -> None:
        """A new evaluation."""
        self.latest = {}

    def commit(self, step: int) -> None:
        """The latest evaluation was the first of a step."""
        if step < len(self.steps) and abs(self.sigma - self.levels[step]) <= SAME_LEVEL * self.levels[step]:
            self.steps[step] = {site: value.cpu() for site, value in self.latest.items()}

    def finished(self, sampler: str) -> list[dict[Site, torch.Tensor]]:
        """The steps; raises ValueError where the sampler did not start a step at its own level."""
        missing = sum(not step for step in self.steps)
        if missing:
            raise ValueError(
                f"sampler {sampler} left out {missing} of {len(self.steps)} noise levels; capture with euler"
            )
        return self.steps


def recorded_model(model: ModelPatcher, recorder: StepRecorder) -> ModelPatcher:
    """A clone that records while it samples."""
    modules = _remembered(lambda unet: {site: found for site, found in find_sites(unet).items() if site in wanted})
    wanted = set(recorder.sites)

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        call = describe(args[0], _options(args, kwargs))
        rows = [i for i, conditional in enumerate(call.conditional) if conditional]
        first = bool(rows) and not recorder.latest
        kept: dict[Site, torch.Tensor] = {}

        def read(site: Site, output: torch.Tensor) -> None:
            call.check_rows(site, output)
            kept[site] = recorder.reduce(site, as_tokens(output[rows]), call.sigmas[rows[0]])

        with site_hooks(modules(executor.class_obj) if first else {}, read):
            result = executor(*args, **kwargs)
        if first:
            recorder.latest, recorder.sigma = kept, call.sigmas[rows[0]]
        recorder.progress(len(args[0]))
        return result

    def evaluation(executor: Any, *args: Any, **kwargs: Any) -> Any:
        recorder.begin()
        return _say_roles(executor, *args, **kwargs)

    watched = model.clone()
    watched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, f"{KEY}_capture", wrapper)
    watched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, f"{KEY}_capture", evaluation)
    return watched


def _options(args: tuple, kwargs: dict) -> dict[str, Any]:
    found = kwargs.get("transformer_options")
    # Positional in 0.3.64, the last dictionary of the call.
    return found if found is not None else next((a for a in reversed(args) if isinstance(a, dict)), {})


def describe(x: torch.Tensor, options: dict[str, Any], masked: bool = False) -> Call:
    """The call that ComfyUI's transformer_options describe, for the UNet's input ``x [B, c, h, w]``.

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
    size = (x.shape[-2], x.shape[-1])
    whole = options.get(WHOLE, size) == size
    if masked and not whole:
        raise ValueError(
            "a steering mask cannot be placed under an area condition, where the UNet sees a part of the picture; "
            "use Conditioning (Set Mask) without 'set cond area', or Apply Steering without a mask"
        )
    each = len(x) // len(chunks)
    levels = sigmas.flatten().tolist()  # the one synchronisation of this call
    if len(levels) not in (1, each):
        raise RuntimeError(f"{len(levels)} noise levels do not fit {each} latents")
    per_chunk = tuple(levels * each if len(levels) == 1 else levels)
    known, uuids = options.get(ROLES, {}), options.get("uuids") or [None] * len(chunks)
    prompts = [known.get(uuid, chunk == 0) for chunk, uuid in zip(chunks, uuids, strict=True)]
    conditional = tuple(p for p in prompts for _ in range(each))
    return Call(per_chunk * len(chunks), conditional, size if whole else None, each)


def sample(model: ModelPatcher, *arguments: Any) -> dict[str, Any]:
    """What KSampler does with its inputs in their order; the latents."""
    import nodes  # ComfyUI's own, loaded long before anything runs

    return nodes.common_ksampler(model, *arguments[:-1], denoise=arguments[-1])[0]


def schedule(model: ModelPatcher, steps: int, sampler: str, scheduler: str, denoise: float = 1.0) -> torch.Tensor:
    """Noise levels of a KSampler ``[steps + 1]``; it knows which samplers want their schedule cut."""
    return comfy.samplers.KSampler(model, steps, model.load_device, sampler, scheduler, denoise).sigmas
