"""Train the pocket VAE: ``python -m steering.pocket.train_vae --out DIR/vae --pictures DIR/pictures --minutes 5``.

Loss: mean |x̂ - x| + ½ mean |∇x̂ - ∇x| + 2e-4 KL per latent number, over pictures that `world` draws. The
first part of the run sees crops of 64x64, which are four times as many for the same time, the rest whole
pictures. ``scaling_factor`` is 1 over the latents' standard deviation, as for Stable Diffusion. Where the
folder holds weights the training begins from them.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ..files import replacing, write_text
from . import latents, world
from .architecture import VAE, new_vae
from .backgrounds import SIZE
from .latents import VAE_FILE
from .pace import Clock, cosine
from .series import Series
from .tensors import stored_weights, to_images

LEARNING_RATE = 1.5e-3
CROP = 64
WHOLE = 0.3
"""Share of the run, at its end, that sees whole pictures."""
KL = 2e-4
SERIES = 2000
"""Offset that keeps the pictures that measure apart from those that train."""


def draw(seed: int, first: int, count: int) -> np.ndarray:
    """Pictures ``uint8 [count, SIZE, SIZE, 3]`` of a series that no training sees."""
    return np.stack([world.training_example(SERIES + seed, first + i)[0] for i in range(count)])


def crop(images: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """The same random square of every image ``[B, 3, H, W]``."""
    y, x = rng.integers(0, images.shape[2] - size + 1, 2)
    return images[:, :, y : y + size, x : x + size]


def slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, down and across."""
    return images.diff(dim=2), images.diff(dim=3)


def loss_of(vae: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and the mean squared error, of pictures ``[B, 3, H, W]`` in -1 to 1."""
    latent = vae.encode(images).latent_dist
    decoded = vae.decode(latent.sample()).sample
    error = (decoded - images).abs().mean()
    edges = sum((a - b).abs().mean() for a, b in zip(slopes(decoded), slopes(images), strict=True))
    divergence = latent.kl().mean() / latent.mean[0].numel()
    return error + 0.5 * edges + KL * divergence, (decoded - images).square().mean().detach()


def train(vae: Any, pictures: Series, minutes: float, batch: int, seed: int, device: str) -> None:
    """Train for some minutes on batches of as many pixels as ``batch`` whole pictures have."""
    optimizer = torch.optim.AdamW(vae.parameters(), LEARNING_RATE, (0.9, 0.99), weight_decay=0.01, fused=True)
    rng = np.random.default_rng((seed, 5))
    pool: list[Tensor] = []
    errors: list[Tensor] = []
    step, clock = 0, Clock(minutes)
    while (share := clock.share) < 1:
        if step % 20 == 0:
            pool += [part["pictures"].to(device) for part in pictures.new(0 if pool else 1)]
        size, count = (CROP, batch * (SIZE // CROP) ** 2) if share < 1 - WHOLE else (SIZE, batch)
        file = pool[int(rng.integers(len(pool)))]
        images = crop(to_images(file[torch.randint(len(file), (count,), device=device)], device), size, rng)
        for group in optimizer.param_groups:
            group["lr"] = cosine(share, LEARNING_RATE)
        loss, squared = loss_of(vae, images)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        errors.append(squared)
        step += 1
        if step % 200 == 0:
            decibels = -10 * math.log10(float(torch.stack(errors).mean()) / 4)
            print(f"{step} batches  {decibels:.2f} dB  {len(pool)} files  {clock.elapsed:.1f} min", flush=True)
            errors = []


@torch.no_grad()
def preview(vae: Any, factor: float, seed: int, count: int = 64) -> dict[str, Any]:
    """The linear map from scaled latents to the mean colour of their 8x8 pixels, in -1 to 1, by least squares."""
    images = to_images(torch.from_numpy(draw(seed + 1, 0, count)), "cpu")
    mean = factor * vae.encode(images).latent_dist.mean
    colours = torch.nn.functional.avg_pool2d(images, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    rows = mean.permute(0, 2, 3, 1).reshape(-1, mean.shape[1])
    found = torch.linalg.lstsq(torch.cat([rows, torch.ones(len(rows), 1)], 1), colours).solution
    rounded = [[round(float(value), 4) for value in row] for row in found]
    return {"colours": rounded[:-1], "bias": rounded[-1]}


@torch.no_grad()
def scaling_factor(vae: Any, seed: int, count: int = 256) -> float:
    """One over the standard deviation of the latents of ``count`` pictures."""
    images = to_images(torch.from_numpy(draw(seed + 1, 0, count)), "cpu")
    return float(1 / torch.cat([vae.encode(part).latent_dist.mean for part in images.split(32)]).std())


def save(vae: Any, folder: Path, **settings: Any) -> None:
    """Write weights (float16) and configuration in diffusers' form, each whole or not at all."""
    state = {name: value.half().contiguous() for name, value in vae.state_dict().items()}
    with replacing(folder / VAE_FILE) as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
    config = {"_class_name": "AutoencoderKL", **VAE, **settings}
    write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")


def main() -> None:
    """Train, and write a diffusers folder."""
    parser = argparse.ArgumentParser(description="Train the pocket VAE.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the pictures, drawn where missing")
    parser.add_argument("--files", type=int, default=40, help="files of 1,024 pictures")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=4, help="whole pictures of a batch")
    parser.add_argument("--processes", type=int, help="that draw; one for each core unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    vae = new_vae()
    if (options.out / VAE_FILE).exists():
        vae.load_state_dict(stored_weights(options.out / VAE_FILE))
    vae.to(options.device, memory_format=torch.channels_last)
    with Series(options.pictures, latents.examples, options.files, options.processes) as pictures:
        train(vae, pictures, options.minutes, options.batch, options.seed, options.device)
    vae.to("cpu")
    factor = round(scaling_factor(vae, options.seed), 4)
    save(vae, options.out, scaling_factor=factor)
    colours = preview(vae, factor, options.seed)
    write_text(options.out / "preview.json", json.dumps(colours, indent=2) + "\n")
    print(f"weights in {options.out}")


if __name__ == "__main__":
    main()
