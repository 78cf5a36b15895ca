"""The diffusers adapter: load a model, make pictures, record sites.

Sampling is Euler on ComfyUI's noise levels, ``normal`` as a rule, written out here in a few lines, so that the
capture sees every UNet call and a KSampler set to euler/normal makes the same picture. Like ComfyUI,
the UNet is told the nearest trained timestep, and noise is drawn on the CPU, one seed a picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import SteeringError
from ..families import family_named
from ..schedule import SCHEDULERS, NoiseSchedule
from ..sites import Site, find_sites
from . import text
from .call import Call
from .conditioning import Conditioning, side_by_side, together, with_size
from .encoders import TextEncoder, placed
from .recording import Reducer, record
from .sampling import STEPS, Progress, Sampling, check_sampling, draw_noise, silent, weights_digest

PREDICTIONS = ("epsilon", "sample", "v_prediction")


@dataclass(eq=False, repr=False)
class DiffusionModel:
    """A loaded text-to-image model.

    Attributes:
        unet: noise (or clean latents) predictor with cross-attention, of diffusers.
        encoders: what its text embedding is made of; the last one's pooled embedding is the UNet's, if it takes one.
        vae: `AutoencoderKL`.
        schedule: the noise schedule it was trained with.
        prediction: what the UNet predicts: ``epsilon``, ``sample`` (the clean latents) or ``v_prediction``.
        family: a name of `steering.families`; vectors fit within a family.
        name: where it was loaded from.
        size: pictures' default width and height.
        sampler: the one it samples with.
        scheduler: its noise levels, by the name that ComfyUI gives them; see `steering.schedule.SCHEDULERS`.
        hashes: of the UNet's file, and of its weights as loaded, where these keep less of it than a hash takes.

    Encoders and VAE may wait on another device than the UNet; they go to its device for as long as they are used.
    """

    unet: Any
    encoders: tuple[TextEncoder, ...]
    vae: Any
    schedule: NoiseSchedule
    prediction: str
    family: str
    name: str
    size: int
    sampler: str = "euler"
    scheduler: str = "normal"
    hashes: tuple[str, str] = ("", "")
    _calls: dict[int, Call] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return f"DiffusionModel({self.name}, {self.family}, {self.dtype} on {self.device})"

    def __post_init__(self) -> None:
        if self.prediction not in PREDICTIONS:
            raise SteeringError(f"{self.name}: prediction {self.prediction!r} is not one of {', '.join(PREDICTIONS)}")
        if self.scheduler not in SCHEDULERS:
            raise SteeringError(f"scheduler {self.scheduler!r} is not one of {', '.join(SCHEDULERS)}")

    @property
    def call(self) -> Call | None:
        """Description of the UNet call that this thread is in, None outside of sampling."""
        return self._calls.get(get_ident())

    @property
    def device(self) -> torch.device:
        """Where the UNet is."""
        return next(self.unet.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The UNet's precision."""
        return next(self.unet.parameters()).dtype

    @property
    def tokenizer(self) -> Any:
        """The first encoder's; the others' cut prompts alike."""
        return self.encoders[0].tokenizer

    def parts(self) -> list[Any]:
        """Its networks: UNet, text encoders, VAE."""
        return [self.unet, *(encoder.module for encoder in self.encoders), self.vae]

    def sites(self) -> dict[Site, nn.Module]:
        """Every site with its module."""
        return find_sites(self.unet)

    def sigmas(self, steps: int) -> Tensor:
        """Noise levels of a run's UNet calls ``[steps]``, falling."""
        return self.levels(steps)[:-1]

    def levels(self, steps: int) -> Tensor:
        """The same and the 0 at which a run ends ``[steps + 1]``."""
        return SCHEDULERS[self.scheduler](self.schedule, steps)

    def weights_hash(self) -> str:
        """`weights_digest` of the UNet as its file holds it."""
        now, (of_file, as_loaded) = weights_digest(self.unet.state_dict()), self.hashes
        return of_file if now == as_loaded else now

    def digest(self) -> str:
        """A hash of everything of the model that decides its pictures, precision included."""
        parts = [weights_digest(part.state_dict()) for part in self.parts()]
        noise = weights_digest({"sigmas": self.schedule.sigmas})
        joined = ":".join((*parts, noise, self.prediction, str(self.dtype), self.scheduler))
        return hashlib.sha256(joined.encode()).hexdigest()[:16]

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> Conditioning:
        """Text embeddings ``[B, 77 m, C]`` of prompts, in m chunks and with weights as ComfyUI has them; see `text`."""
        made = [
            text.encode(prompts, encoder.tokenizer, partial(encoder, device=self.device), encoder.padding)
            for encoder in self.encoders
        ]
        return side_by_side(made).to(self.device, self.dtype)

    def embedded(self, prompts: Sequence[str]) -> tuple[Tensor, list[list[int]]]:
        """Text embeddings ``[B, T, C]`` of prompts, and the tokens of each with start, end and padding."""
        every = [text.chunks(prompt, self.tokenizer, self.encoders[0].padding) for prompt in prompts]
        return self.encode(prompts).context, [[number for chunk in some for number in chunk.tokens] for some in every]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Latents ``[B, c, h, w]`` to pictures ``uint8 [B, H, W, 3]``."""
        with placed(self.vae, self.device):
            scaled = (latents / self.vae.config.scaling_factor).to(self.device, next(self.vae.parameters()).dtype)
            images = self.vae.decode(scaled).sample.float() / 2 + 0.5
        if not images.isfinite().all():
            raise SteeringError(
                f"the VAE of {self.name} makes no finite picture of these latents; use another precision, or a model "
                "whose weights are whole"
            )
        images = images.clamp(0, 1)
        return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def noise(self, seeds: Sequence[int], size: int | tuple[int, int]) -> Tensor:
        """Standard normal latents ``[B, c, h, w]``, each drawn on the CPU from its own seed."""
        return draw_noise(seeds, self.unet.config.in_channels, size)

    def predict_clean(self, x: Tensor, sigma: float, words: Conditioning) -> Tensor:
        """The clean latents that the UNet sees in ``x [B, c, h, w]`` at a noise level, float32."""
        scaled = x / (sigma**2 + 1) ** 0.5
        timestep = torch.full((len(x),), self.schedule.timestep(sigma), device=x.device)
        more = {} if words.pooled is None else {"added_cond_kwargs": with_size(words.pooled, x)}
        output = self.unet(scaled.to(self.dtype), timestep, words.context, return_dict=False, **more)[0].float()
        if self.prediction == "sample":
            return output
        if self.prediction == "epsilon":
            return x - sigma * output
        return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5

    @torch.no_grad()
    def denoise(
        self,
        conditional: Conditioning,
        unconditional: Conditioning | None,
        noise: Tensor,
        steps: int,
        guidance: float,
        progress: Progress = silent,
        after_call: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Latents ``[B, c, h, w]`` by Euler's method with classifier-free guidance.

        Args:
            conditional: of B prompts.
            unconditional: of the negative prompt, or of B; None or guidance 1 runs without it.
            noise: standard normal ``[B, c, h, w]``.
            steps: UNet calls.
            guidance: scale of classifier-free guidance.
            progress: called after every UNet call.
            after_call: called with the step's number after its UNet call.
        """
        sigmas = self.levels(steps).tolist()
        x = noise.to(self.device, torch.float32) * (1 + sigmas[0] ** 2) ** 0.5
        for step, (sigma, following) in enumerate(pairwise(sigmas)):
            clean = self.guided_clean(x, sigma, conditional, unconditional, guidance, progress)
            if after_call:
                after_call(step)
            x = x + (x - clean) / sigma * (following - sigma)
        if not x.isfinite().all():
            raise SteeringError(
                f"the picture is not finite (guidance {guidance:g}, {self.dtype}): use less guidance or strength, "
                "another precision, or a model whose weights are whole"
            )
        return x

    def guided_clean(
        self,
        x: Tensor,
        sigma: float,
        conditional: Conditioning,
        unconditional: Conditioning | None,
        guidance: float,
        progress: Progress = silent,
    ) -> Tensor:
        """The clean latents that the model sees in ``x [B, c, h, w]`` under classifier-free guidance, float32.

        Differentiable in the embeddings and, where they ask for it, in the weights.

        Args:
            x: noisy latents.
            sigma: their noise level.
            conditional: of B prompts.
            unconditional: of the negative prompt, or of B; None or guidance 1 runs without it.
            guidance: scale of classifier-free guidance.
            progress: called with the number of rows computed.
        """
        count = len(x)
        guided = unconditional is not None and guidance != 1
        words = conditional
        if unconditional is not None and guided:
            words = together([conditional, unconditional.expand(count)])
        flags = (True,) * count + ((False,) * count if guided else ())
        try:
            self._calls[get_ident()] = Call((sigma,) * len(flags), flags, (x.shape[-2], x.shape[-1]), count)
            clean = self.predict_clean(torch.cat([x, x]) if guided else x, sigma, words)
        finally:
            self._calls.pop(get_ident(), None)
        progress(len(flags))
        return clean[count:] + guidance * (clean[:count] - clean[count:]) if guided else clean

    def recorded(
        self,
        sites: Sequence[Site],
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampling: Sampling,
        reduce: Reducer,
        progress: Progress = silent,
    ) -> list[dict[Site, Tensor]]:
        """What ``reduce`` keeps of every site on the prompts' rows, step by step."""
        steps: list[dict[Site, Tensor]] = []
        available = self.sites()
        with record({site: available[site] for site in sites}, reduce, self._sigma) as current:
            self.denoise(
                self.encode(prompts),
                self.encode([""]),
                self.noise(seeds, sampling.size),
                sampling.steps,
                sampling.guidance,
                progress,
                after_call=lambda _step: steps.append(current.take(slice(0, len(prompts)))),
            )
        return steps

    def _sigma(self) -> float:
        assert self.call is not None
        return self.call.sigmas[0]

    def generate(
        self,
        prompts: str | Sequence[str],
        negative: str = "",
        *,
        seed: int | Sequence[int] = 0,
        steps: int = STEPS,
        guidance: float | None = None,
        size: int | tuple[int, int] | None = None,
        batch: int | None = None,
        progress: Progress = silent,
    ) -> np.ndarray:
        """Pictures ``uint8 [N, H, W, 3]`` of prompts.

        Picture i starts from the noise of ``seed + i``, or of ``seed[i]``, whatever the batch; None
        takes the model's usual one, for guidance as well.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        seeds = [int(seed) + i for i in range(len(prompts))] if isinstance(seed, int | np.integer) else list(seed)
        if not prompts or len(seeds) != len(prompts):
            raise SteeringError(f"{len(prompts)} prompts need as many seeds (at least one), got {len(seeds)}")
        check_sampling(steps, guidance, size, seeds, batch)
        pictures = []
        usual = family_named(self.family)
        most, guidance = batch or usual.batch, usual.guidance if guidance is None else guidance
        unconditional = self.encode([negative]) if guidance != 1 else None
        for start in range(0, len(prompts), most):
            part = slice(start, start + most)
            noise = self.noise(seeds[part], self.size if size is None else size)
            latents = self.denoise(self.encode(prompts[part]), unconditional, noise, steps, guidance, progress)
            pictures.append(self.decode(latents))
        return np.concatenate(pictures)
