"""The fixed set of pictures that the pocket UNet learns from, as latents kept on disk.

Drawing and encoding a picture costs about as much as training on it, so each is done once. Captions
are drawn anew every time a picture comes up.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import world
from .architecture import new_vae
from .tensors import to_tensor

CHUNK = 2048
"""Pictures of a file."""


def encode_chunk(vae_folder: Path, out: Path, seed: int, number: int) -> Path:
    """Draw and encode the pictures of one file, unless it is there: ``latents [CHUNK, 4, h, w]``, not yet scaled."""
    path = out / f"latents-{seed}-{number:04d}.safetensors"
    if path.exists():
        return path
    torch.set_num_threads(1)
    vae = new_vae()
    weights = load_file(vae_folder / "diffusion_pytorch_model.safetensors")
    vae.load_state_dict({name: value.float() for name, value in weights.items()})
    vae.to(memory_format=torch.channels_last)
    parts = []
    with torch.no_grad():
        for first in range(number * CHUNK, (number + 1) * CHUNK, 32):
            pictures = [world.training_example(seed, first + i)[0] for i in range(32)]
            images = (to_tensor(pictures) * 2 - 1).to(memory_format=torch.channels_last)
            parts.append(vae.encode(images).latent_dist.mean.half())
    temporary = path.with_suffix(".tmp")
    save_file({"latents": torch.cat(parts).contiguous()}, temporary)
    temporary.replace(path)
    return path


def encoded(vae_folder: Path, out: Path, seed: int, chunks: int, processes: int) -> Tensor:
    """The latents of the first ``chunks`` files ``float16 [chunks CHUNK, 4, h, w]``, made where they are missing."""
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        paths = pool.map(partial(encode_chunk, vae_folder, out, seed), range(chunks))
        return torch.cat([load_file(path)["latents"] for path in paths])


def caption_of(seed: int, index: int, turn: int) -> str:
    """A caption of the picture ``index`` for the ``turn``-th time it is shown."""
    scene = world.sample(np.random.default_rng((seed, index, 0)))
    return world.caption(scene, np.random.default_rng((seed, index, 1, turn)))
