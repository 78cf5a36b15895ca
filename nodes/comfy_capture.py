"""A graph's MODEL and CLIP as something that can be captured, through ComfyUI's own sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comfy.model_management
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy.sd import CLIP
from torch import Tensor

from ..steering.concepts.pairs import Pair
from ..steering.errors import SteeringError
from ..steering.families import family_named
from ..steering.models.conditioning import same_length
from ..steering.models.hooks import as_tokens, site_hooks
from ..steering.models.recording import Reducer, on_cpu
from ..steering.models.sampling import Progress, Sampling, draw_noise
from ..steering.sites import Site, find_sites
from .comfy_call import describe, options_of, say_roles
from .comfy_model import family_of, weights_hash
from .comfy_steering import KEY, remembered, schedule

DETERMINISTIC = ("euler", "heun", "dpm_2", "dpmpp_2m", "lms", "ipndm", "deis", "ddim")
"""Samplers that a capture may use: no noise of their own, and every step starts at a level of the schedule."""

PROBE_STEPS = 8
"""Steps of the probe: a patch that acts in less than an eighth of the schedule can escape it."""
EVALUATIONS = {"heun": 2, "dpm_2": 2}
"""UNet evaluations a step, where there is more than one."""


class GraphModel:
    """What `steering.models.sampling.CapturableModel` asks for.

    The model is sampled with everything that the graph has put on it, LoRAs and patches included.
    """

    def __init__(
        self,
        model: ModelPatcher,
        clip: CLIP,
        sampler: str = "euler",
        scheduler: str = "normal",
    ) -> None:
        if sampler not in DETERMINISTIC:
            raise SteeringError(f"sampler {sampler!r} is not one of {', '.join(DETERMINISTIC)}, which repeat exactly")
        if scheduler not in comfy.samplers.SCHEDULER_NAMES:
            known = ", ".join(comfy.samplers.SCHEDULER_NAMES)
            raise SteeringError(f"scheduler {scheduler!r} is not one of {known}")
        if clip is None:
            raise SteeringError("no CLIP is connected: this checkpoint has none of its own; take one from Load CLIP")
        self.model, self.clip = model, clip
        self.sampler, self.scheduler = sampler, scheduler
        self.look: Callable[[Tensor], None] = lambda clean: None
        """Shown the clean latents of every step."""
        self._encoded: dict[str, tuple[Tensor, dict]] = {}
        self.family, self.name = family_of(model), "a ComfyUI graph"
        self.size = family_named(self.family).size

    @property
    def dtype(self) -> torch.dtype:
        """What the UNet computes in; its weights may be held in another precision, which their hash tells."""
        return self.model.model.manual_cast_dtype or self.model.model.get_dtype()

    def sites(self) -> dict[Site, torch.nn.Module]:
        """Every site with its module."""
        return find_sites(self.model.model.diffusion_model)

    def sigmas(self, steps: int) -> Tensor:
        """Noise levels at which the steps of a run start."""
        return self._schedule(steps)[:-1].float().cpu()

    def _schedule(self, steps: int) -> Tensor:
        return schedule(self.model, steps, self.sampler, self.scheduler)

    def weights_hash(self) -> str:
        """`weights_digest` of the UNet as it was loaded, under its diffusers names."""
        return weights_hash(self.model)

    def encode(self, prompts: Sequence[str]) -> list:
        """One conditioning that holds all prompts, row by row."""
        for prompt in set(prompts) - self._encoded.keys():  # the cache's probe and the capture both want them
            self._encoded[prompt] = self.clip.encode_from_tokens_scheduled(self.clip.tokenize(prompt))[0]
        encoded = [self._encoded[prompt] for prompt in prompts]
        rows = torch.cat(same_length([cond for cond, _ in encoded]))
        pooled = [extra.get("pooled_output") for _, extra in encoded]
        extras = {} if any(value is None for value in pooled) else {"pooled_output": torch.cat(pooled)}
        return [[rows, extras]]

    def embedded(self, prompts: Sequence[str]) -> tuple[Tensor, list[list[int]]]:
        """Text embeddings ``[B, T, C]`` of prompts, and the tokens of each, of the first of several tokenizers."""
        every = [next(iter(self.clip.tokenize(prompt).values())) for prompt in prompts]
        numbers = [[number for chunk in chunks for number, *_ in chunk] for chunks in every]
        return self.encode(prompts)[0][0], numbers

    def recorded(
        self,
        sites: Sequence[Site],
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        reduce: Reducer,
        progress: Progress,
    ) -> list[dict[Site, Tensor]]:
        """What ``reduce`` keeps of every site on the prompts' rows, in the first UNet call of each step."""
        levels = self._schedule(sampling.steps)
        recorder = StepRecorder(sites, levels[:-1].tolist(), reduce, progress)
        watched = recorded_model(self.model, recorder)
        self.sample(watched, prompts, seeds, sampling, levels, recorder.commit)
        return recorder.finished(self.sampler)

    def probe(self, pairs: Sequence[Pair], sampling: Sampling) -> dict[str, Tensor]:
        """The encoded prompts, and a picture of the first of them in few steps, for `cache.same`.

        At the capture's own guidance and over the whole schedule, so that what is upstream shows even if it
        acts in a part of the schedule only, or on guidance only.
        """
        texts = [text for pair in pairs for text in (pair.positive, pair.negative)]
        clean = self.sample(self.model, texts[:1], [sampling.seed], sampling, self._schedule(PROBE_STEPS))
        return {"texts": self.encode(texts)[0][0].float().mean(1).cpu(), "latents": clean.float().cpu()}

    def sample(
        self,
        model: ModelPatcher,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        levels: Tensor,
        after_first_call: Callable[[int], None] = lambda step: None,
        negative: str = "",
    ) -> Tensor:
        """Clean latents of prompts, sampled along noise levels ``[steps + 1]`` that end in 0.

        ``after_first_call`` is told the step's number after the first evaluation of every step.
        """
        channels = model.get_model_object("latent_format").latent_channels
        noise = draw_noise(seeds, channels, sampling.size)
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(self.encode(prompts), self.encode([negative]))
        guider.set_cfg(sampling.guidance)

        def each_step(step: int, clean: Tensor, _x: Tensor, _total: int) -> None:
            after_first_call(step)
            comfy.model_management.throw_exception_if_processing_interrupted()
            self.look(clean)

        sampler = comfy.samplers.sampler_object(self.sampler)
        empty = torch.zeros_like(noise)
        return guider.sample(noise, empty, sampler, levels, callback=each_step, disable_pbar=True, seed=seeds[0])


class Bar:
    """ComfyUI's progress bar, over rows of the UNet, with the latest preview; stops where the user interrupts."""

    def __init__(self, model: ModelPatcher, total: int) -> None:
        self.bar, self.total, self.done, self.preview = comfy.utils.ProgressBar(total), total, 0, None
        self.previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def look(self, clean: Tensor) -> None:
        """Keep a preview of the first picture."""
        if self.previewer:
            self.preview = self.previewer.decode_latent_to_preview_image("JPEG", clean)

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.done += rows
        self.bar.update_absolute(min(self.done, self.total), self.total, self.preview)


SAME_LEVEL = 1e-3
"""Noise levels closer than this share are the same; neighbours of 100 steps are ten times as far apart."""


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
            self.steps[step] = on_cpu(self.latest)

    def finished(self, sampler: str) -> list[dict[Site, torch.Tensor]]:
        """The steps; raises SteeringError where the sampler did not start a step at its own level."""
        missing = sum(not step for step in self.steps)
        if missing:
            raise SteeringError(
                f"sampler {sampler} left out {missing} of {len(self.steps)} noise levels, or something did that skips "
                "steps, as EasyCache and LazyCache do; capture with euler and without those"
            )
        return self.steps


def recorded_model(model: ModelPatcher, recorder: StepRecorder) -> ModelPatcher:
    """A clone that records while it samples."""
    modules = remembered(lambda unet: {site: found for site, found in find_sites(unet).items() if site in wanted})
    wanted = set(recorder.sites)

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        call = describe(args[0], options_of(args, kwargs))
        rows = [i for i, conditional in enumerate(call.conditional) if conditional]
        first = bool(rows) and not recorder.latest
        kept: dict[Site, torch.Tensor] = {}

        def read(site: Site, output: torch.Tensor) -> None:
            call.check_rows(site, output)
            kept[site] = recorder.reduce(site, as_tokens(output[rows]), call.sigmas[rows[0]])

        with site_hooks(modules(executor.class_obj.diffusion_model) if first else {}, read):
            result = executor(*args, **kwargs)
        if first:
            recorder.latest, recorder.sigma = kept, call.sigmas[rows[0]]
        recorder.progress(len(args[0]))
        return result

    def evaluation(executor: Any, *args: Any, **kwargs: Any) -> Any:
        recorder.begin()
        return say_roles(executor, *args, **kwargs)

    watched = model.clone()
    watched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, f"{KEY}_capture", wrapper)
    watched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, f"{KEY}_capture", evaluation)
    return watched
