"""A graph's MODEL, CLIP and VAE as something that a study draws with, captures and steers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy.sd import CLIP, VAE
from torch import Tensor, nn

from ..steering.concepts.pairs import Pair
from ..steering.errors import SteeringError
from ..steering.models.call import Call
from ..steering.models.sampling import STEPS, Progress, Sampling, check_sampling, silent
from ..steering.schedule import NoiseSchedule
from .comfy_call import describe, options_of, say_roles
from .comfy_capture import GraphModel
from .comfy_steering import KEY
from .pictures import as_pictures

PROBE = Pair("a photo of a thing", "a photo")
"""What a model is known again by: whatever is upstream of it shows in a picture."""


class DrawingModel(GraphModel):
    """What `steering.study.run.Study` asks of a model, in place of a `DiffusionModel`; of one thread.

    Steered by hooks on its UNet, as a model of the command line is, beside whatever the graph has put on it.
    """

    def __init__(self, model: ModelPatcher, clip: CLIP, vae: VAE, size: int) -> None:
        super().__init__(_noting(model, self), clip)
        if vae is None:
            raise SteeringError("no VAE is connected: this checkpoint has none of its own; take one from Load VAE")
        self.vae, self.size = vae, size or self.size
        self.call: Call | None = None
        self.progress: Progress = silent
        self._digest = ""

    @property
    def unet(self) -> nn.Module:
        """The network that runs."""
        return self.model.model.diffusion_model

    @property
    def schedule(self) -> NoiseSchedule:
        """The noise levels that it was trained with."""
        return NoiseSchedule(self.model.get_model_object("model_sampling").sigmas.cpu().double())

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.model.load_device

    def digest(self) -> str:
        """A hash of what it draws: of its weights, and of a picture with all that the graph has put on it."""
        if not self._digest:
            guidance = 3.0  # both halves of guidance take part
            seen = self.probe([PROBE], Sampling(STEPS, guidance, 0, self.size, 1))
            parts = [seen["texts"], seen["latents"], self._decoded(seen["latents"])]
            marks = b"".join(torch.as_tensor(part).float().numpy().tobytes() for part in parts)
            self._digest = hashlib.sha256(self.weights_hash().encode() + marks).hexdigest()[:16]
        return self._digest

    def generate(
        self,
        prompts: Sequence[str],
        negative: str = "",
        *,
        seed: Sequence[int],
        steps: int,
        guidance: float,
        size: int | None = None,
        batch: int | None = None,
        progress: Progress = silent,
    ) -> np.ndarray:
        """Pictures ``uint8 [N, H, W, 3]``, from the same noise as on the command line."""
        check_sampling(steps, guidance, size, seed)
        sampling = Sampling(steps, guidance, 0, size or self.size, batch or len(prompts))
        self.progress = progress
        try:
            latents = self.sample(self.model, prompts, seed, sampling, self._schedule(steps), negative=negative)
        finally:
            self.progress = silent
        return self._decoded(latents)

    def _decoded(self, latents: Tensor) -> np.ndarray:
        return np.stack(as_pictures(self.vae.decode(latents)))


def _noting(model: ModelPatcher, drawing: DrawingModel) -> ModelPatcher:
    """A clone that says of every UNet call what it is about, for hooks that are put on its UNet."""

    def wrapper(executor: Any, *args: Any, **kwargs: Any) -> Tensor:
        drawing.call = describe(args[0], options_of(args, kwargs))
        try:
            result = executor(*args, **kwargs)
        finally:
            drawing.call = None
        drawing.progress(len(args[0]))
        return result

    noting = model.clone()
    noting.add_wrapper_with_key(WrappersMP.APPLY_MODEL, f"{KEY}_drawing", wrapper)
    noting.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, f"{KEY}_drawing", say_roles)
    return noting
