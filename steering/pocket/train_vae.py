"""Train the pocket VAE from nothing: ``python -m steering.pocket.train_vae --out DIR``.

Loss: mean |x̂ - x| + ½ mean |∇x̂ - ∇x| + 2e-4 KL per latent number, over pictures that `world` draws.
Nine tenths of the run see crops of 64x64, at which a picture costs a quarter, the rest whole
pictures. ``scaling_factor`` is 1 over the latents' standard deviation, as for Stable Diffusion.
``--decoder`` goes on with the decoder alone, whose latents then stay the same.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from . import world
from .architecture import VAE, new_vae
from .backgrounds import SIZE
from .tensors import to_tensor

LEARNING_RATE = 1.5e-3
CROP = 64
WHOLE = 0.1
"""Share of the run, at its end, that sees whole pictures."""
PIXELS = 16 * CROP * CROP
"""Pixels of a batch."""
KL = 2e-4
SERIES = 2000
"""Offset that keeps these pictures apart from those of the UNet and the evaluators."""


def draw(seed: int, first: int, count: int) -> np.ndarray:
    """Pictures ``uint8 [count, SIZE, SIZE, 3]`` of the series."""
    return np.stack([world.training_example(SERIES + seed, first + i)[0] for i in range(count)])


def crops(pictures: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """One random square of every picture."""
    corners = rng.integers(0, SIZE - size + 1, (len(pictures), 2))
    return np.stack([p[y : y + size, x : x + size] for p, (y, x) in zip(pictures, corners, strict=True)])


def slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, down and across."""
    return images.diff(dim=2), images.diff(dim=3)


def loss_of(vae: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and the mean squared error, of pictures ``[B, 3, H, W]`` in -1 to 1."""
    latents = vae.encode(images).latent_dist
    decoded = vae.decode(latents.sample()).sample
    error = (decoded - images).abs().mean()
    edges = sum((a - b).abs().mean() for a, b in zip(slopes(decoded), slopes(images), strict=True))
    divergence = latents.kl().mean() / latents.mean[0].numel()
    return error + 0.5 * edges + KL * divergence, (decoded - images).square().mean().detach()


def learning_rate(share: float) -> float:
    """Warm-up over 2 %, then a cosine to zero."""
    return LEARNING_RATE * min(share / 0.02, 0.5 * (1 + math.cos(math.pi * share)))


def train(vae: Any, count: int, seed: int, decoder_only: bool, save_to: Path) -> None:
    """Train on ``count`` batches, writing the weights every two minutes."""
    trained = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()] if decoder_only else [*vae.parameters()]
    optimizer = torch.optim.AdamW(trained, LEARNING_RATE, (0.9, 0.99), weight_decay=0.01, fused=True)
    rng = np.random.default_rng((seed, 5, int(decoder_only)))
    started = saved = time.time()
    errors: list[float] = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as drawing:
        waiting = deque(drawing.submit(draw, seed, 16 * i, 16) for i in range(3))
        for step in range(count):
            size = CROP if step < (1 - WHOLE) * count else SIZE
            waiting.append(drawing.submit(draw, seed, 16 * (step + 3), 16))
            pictures = crops(waiting.popleft().result(), size, rng)[: PIXELS // size**2]
            images = (to_tensor(pictures) * 2 - 1).to(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate((step + 1) / count)
            loss, squared = loss_of(vae, images)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            errors.append(float(squared))
            if (step + 1) % 100 == 0:
                decibels = -10 * math.log10(np.mean(errors) / 4)
                print(f"{step + 1} batches  {decibels:.2f} dB  {(time.time() - started) / 60:.1f} min", flush=True)
                errors = []
            if time.time() - saved > 120:
                save(vae, save_to)
                saved = time.time()


@torch.no_grad()
def scaling_factor(vae: Any, seed: int, count: int = 256) -> float:
    """One over the standard deviation of the latents of ``count`` pictures."""
    images = to_tensor(draw(seed + 1, 0, count)) * 2 - 1
    return float(1 / torch.cat([vae.encode(part).latent_dist.mean for part in images.split(32)]).std())


def save(vae: Any, folder: Path, **settings: float) -> None:
    """Write weights (float16) and configuration in diffusers' form, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.half().contiguous() for name, value in vae.state_dict().items()}
    save_file(state, folder / "tmp.safetensors", metadata={"format": "pt"})
    os.replace(folder / "tmp.safetensors", folder / "diffusion_pytorch_model.safetensors")
    config = {"_class_name": "AutoencoderKL", **VAE, **settings}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Train, and write a diffusers folder."""
    parser = argparse.ArgumentParser(description="Train the pocket VAE.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights")
    parser.add_argument("--batches", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decoder", action="store_true", help="go on with the decoder of the weights in --out")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    vae = new_vae().to(memory_format=torch.channels_last)
    if options.decoder:
        weights = load_file(options.out / "diffusion_pytorch_model.safetensors")
        vae.load_state_dict({name: value.float() for name, value in weights.items()})
    train(vae, options.batches, options.seed + 10 * options.decoder, options.decoder, options.out)
    save(vae, options.out, scaling_factor=round(scaling_factor(vae, options.seed), 4))
    print(f"weights in {options.out}")


if __name__ == "__main__":
    main()
