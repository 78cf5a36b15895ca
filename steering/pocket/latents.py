"""What the pocket UNet learns from: pictures of the world with several captions each, and their latents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import world
from .architecture import new_vae
from .tensors import stored_weights, to_images

TOKENIZER = Path(__file__).parent.parent / "models" / "sd15" / "tokenizer"
CAPTIONS = 8
"""Captions of a picture."""
LENGTH = 77
VAE_FILE = "diffusion_pytorch_model.safetensors"


def tokenizer() -> Any:
    """CLIP's tokenizer."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(TOKENIZER)


def token_ids(texts: list[str], words: Any) -> np.ndarray:
    """Token ids ``int32 [N, 77]``."""
    return np.array(words(texts, padding="max_length", max_length=LENGTH).input_ids, np.int32)


def examples(first: int, count: int, seed: int = 0, more: str = "", unseen: bool = False) -> dict[str, np.ndarray]:
    """``pictures uint8 [N, SIZE, SIZE, 3]`` of the world and ``tokens int32 [N, CAPTIONS, 77]`` of their captions.

    ``more`` names a kind that every second picture holds; ``unseen`` takes the drawings that training never shows.
    """
    pictures, texts = [], []
    for index in range(first, first + count):
        rng = np.random.default_rng((seed, index, 0))
        scene = world.sample(rng, holding=more if index % 2 else "")
        pictures.append(world.draw(scene, rng, unseen=unseen))
        texts += [world.caption(scene, np.random.default_rng((seed, index, 1, turn))) for turn in range(CAPTIONS)]
    return {"pictures": np.stack(pictures), "tokens": token_ids(texts, tokenizer()).reshape(count, CAPTIONS, LENGTH)}


def load_vae(folder: Path, device: str) -> tuple[Any, float]:
    """The VAE of a folder, for encoding and decoding alone, and its scaling factor."""
    vae = new_vae()
    vae.load_state_dict(stored_weights(folder / VAE_FILE))
    factor = json.loads((folder / "config.json").read_text(encoding="utf-8"))["scaling_factor"]
    return vae.eval().requires_grad_(False).to(device, memory_format=torch.channels_last), factor


@torch.no_grad()
def encode(vae: Any, factor: float, pictures: Tensor, device: str, batch: int = 128) -> Tensor:
    """Scaled latents ``float16 [N, 4, h, w]`` of pictures, the mean of each."""
    parts = [vae.encode(to_images(part, device)).latent_dist.mean for part in pictures.split(batch)]
    return (torch.cat(parts) * factor).half()
