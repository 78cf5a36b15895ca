"""Train the pocket UNet and text encoder: ``python -m steering.pocket.train --out DIR --vae VAE --pictures PICTURES``.

Pictures are drawn by processes of their own and encoded once; noise is new every time. The state goes to
``DIR/checkpoint.pt`` every few minutes and the same command goes on from there, and without one from the
weights of ``--begin``. A GPU shows some thousands of pictures a second, two CPU cores about 40.

Loss: min(SNR, 5) / (SNR + 1) · |v̂ - v|², v = √α ε - √(1-α) x₀ (Salimans and Ho 2022; the weight by Hang
et al. 2023), over timesteps of SD 1.5's noise schedule that are spread evenly in every batch; captions
dropped with probability 0.1; AdamW; the exponential moving average of the weights is what gets exported.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..files import replacing, write_text
from ..schedule import NoiseSchedule
from . import architecture, captions, latents
from .pace import Clock, trapezoid
from .series import Series
from .tensors import stored_weights

EMA_DECAY = 0.999
CAPTION_DROPOUT = 0.1
EMBEDDING = "token_embedding.weight"


class PocketModel(nn.Module):
    """UNet and text encoder together, as they are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = architecture.new_unet()
        self.text_encoder = architecture.new_text_encoder()

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """V predicted from noisy latents ``[B, 4, h, w]`` and token ids ``[B, 77]``."""
        context = self.text_encoder(tokens).last_hidden_state
        return self.unet(noisy, timesteps, context, return_dict=False)[0]


def alphas_cumulative() -> Tensor:
    """The signal share α = 1 / (1 + σ²) of every training timestep ``[1000]``."""
    table = architecture.SCHEDULER
    sigmas = NoiseSchedule.scaled_linear(table["beta_start"], table["beta_end"], table["num_train_timesteps"]).sigmas
    return (1 / (1 + sigmas.double().square())).float()


class Trainer:
    """The state of a training run, which a checkpoint holds whole, and the pictures seen so far."""

    def __init__(self, folder: Path, vae: Path, batch: int, rate: float, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.folder, self.size, self.rate, self.device = folder, batch, rate, device
        self.vae, self.factor = latents.load_vae(vae, device)
        self.model = PocketModel()
        self.model.to(torch.device(device))
        nn.Module.to(self.model.unet, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), rate, (0.9, 0.99), weight_decay=0.01, fused=True)
        self.alphas = alphas_cumulative().to(device)
        self.rng = np.random.default_rng(seed)
        self.words = latents.tokenizer()
        self.empty = torch.from_numpy(latents.token_ids([""], self.words)).long().to(device)
        self.pool: list[tuple[Tensor, Tensor]] = []
        self.done, self.elapsed = 0, 0.0

    @property
    def checkpoint(self) -> Path:
        """Where the state is kept."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state, whole or not at all."""
        state = {
            "done": self.done,
            "elapsed": self.elapsed,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def resume(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.done, self.elapsed = state["done"], state["elapsed"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def begin(self, folder: Path) -> None:
        """Start from the parts that a folder of weights holds (``unet``, ``text_encoder``)."""
        parts = {"unet": UNET_FILE, "text_encoder": TEXT_FILE}
        for name, file in parts.items():
            if (folder / file).exists():
                weights = stored_weights(folder / file)
                for model in (self.model, self.average):
                    getattr(model, name).load_state_dict(weights, strict=False)
        table = next(p for n, p in self.model.text_encoder.named_parameters() if n.endswith(EMBEDDING))
        with torch.no_grad():
            # Words that the folder's model never saw stand at zero there; they begin at random like any new word.
            unknown = table.abs().sum(1) == 0
            table[unknown] = 0.02 * torch.randn(int(unknown.sum()), table.shape[1], device=table.device)

    def add(self, part: dict[str, Tensor]) -> None:
        """Encode a file of pictures and show it from now on."""
        encoded = latents.encode(self.vae, self.factor, part["pictures"], self.device)
        self.pool.append((encoded, part["tokens"].to(self.device)))

    def batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Noisy latents, timesteps, tokens and the target v of pictures drawn from one file."""
        file, captioned = self.pool[int(self.rng.integers(len(self.pool)))]
        count = self.size
        where: Any = {"device": self.device}
        chosen = torch.randint(len(file), (count,), **where)
        clean = file[chosen].float()
        # One timestep in each of as many equal parts: every batch sees all noise levels.
        timesteps = ((torch.arange(count, **where) + torch.rand(count, **where)) * (1000 / count)).long().clamp(max=999)
        alpha = self.alphas[timesteps].view(-1, 1, 1, 1)
        noise = torch.randn(clean.shape, **where)
        tokens = captioned[chosen, torch.randint(latents.CAPTIONS, (count,), **where)].long()
        tokens = torch.where(torch.rand(count, 1, **where) < CAPTION_DROPOUT, self.empty, tokens)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        return noisy, timesteps, tokens, alpha.sqrt() * noise - (1 - alpha).sqrt() * clean

    def record_kernels(self) -> None:
        """Record the kernels of model and gradients once, which spares a GPU the waiting for Python."""
        noisy, timesteps, tokens, _ = self.batch()
        noisy = noisy.to(memory_format=torch.channels_last)
        with self.precision():
            torch.cuda.make_graphed_callables(self.model, (noisy, timesteps, tokens))

    def precision(self) -> torch.autocast:
        """bfloat16 where a GPU computes, float32 elsewhere, where bfloat16 is slower."""
        return torch.autocast("cuda", torch.bfloat16, enabled=self.device != "cpu", cache_enabled=False)

    def step(self, rate: float) -> Tensor:
        """One optimiser step; returns the weighted loss."""
        noisy, timesteps, tokens, target = self.batch()
        signal = self.alphas[timesteps] / (1 - self.alphas[timesteps])
        weight = signal.clamp(max=5) / (signal + 1)
        with self.precision():
            predicted = self.model(noisy.to(memory_format=torch.channels_last), timesteps, tokens).float()
        loss = (weight * (predicted - target).square().mean((1, 2, 3))).mean()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.done += self.size
        average = get_ema_multi_avg_fn(min(EMA_DECAY, self.done / (self.done + 10 * self.size)))
        average(list(self.average.parameters()), list(self.model.parameters()), 0)
        return loss.detach()

    def run(self, pictures: Series, minutes: float, cooling: float, save_minutes: float) -> None:
        """Train until so many minutes of training are over, with what is drawn by then."""
        clock, saved, losses = Clock(minutes, self.elapsed), time.monotonic(), []
        while (share := clock.share) < 1:
            if self.done // self.size % 50 == 0:
                for part in pictures.new():
                    self.add(part)
            losses.append(self.step(trapezoid(share, self.rate, cooling)))
            self.elapsed = clock.elapsed
            if len(losses) == 200:
                mean = float(torch.stack(losses).mean())
                print(
                    f"{self.done} pictures  loss {mean:.4f}  {len(self.pool)} files  {self.elapsed:.2f} min", flush=True
                )
                losses = []
            if time.monotonic() - saved > 60 * save_minutes:
                self.save()
                self.export(self.folder / "weights")
                saved = time.monotonic()

    def export(self, folder: Path) -> None:
        """Write the averaged weights in float16 with their configuration, in diffusers' form."""
        text_state = self.average.text_encoder.state_dict()
        name = next(key for key in text_state if key.endswith(EMBEDDING))
        # Rows of tokens that no caption holds are still random: an unknown word shall mean nothing.
        seen = seen_tokens(self.words)
        table = torch.zeros_like(text_state[name])
        table[seen] = text_state[name][seen]
        parts = {UNET_FILE: self.average.unet.state_dict(), TEXT_FILE: {**text_state, name: table}}
        for path, state in parts.items():
            tensors = {k: v.half().contiguous().cpu() for k, v in state.items() if v.is_floating_point()}
            with replacing(folder / path) as temporary:
                save_file(tensors, temporary, metadata={"format": "pt"})
        configs: dict[str, dict[str, Any]] = {
            "unet/config.json": {"_class_name": "UNet2DConditionModel", **architecture.UNET},
            "text_encoder/config.json": {
                "architectures": ["CLIPTextModel"],
                "model_type": "clip_text_model",
                **architecture.TEXT_ENCODER,
            },
            "scheduler/scheduler_config.json": {"_class_name": "EulerDiscreteScheduler", **architecture.SCHEDULER},
        }
        for path, config in configs.items():
            write_text(folder / path, json.dumps(config, indent=2) + "\n")


UNET_FILE = "unet/diffusion_pytorch_model.safetensors"
TEXT_FILE = "text_encoder/model.safetensors"


def seen_tokens(tokenizer: Any) -> list[int]:
    """Ids of every token that a caption can hold."""
    return sorted({token for ids in tokenizer(captions.caption_words()).input_ids for token in ids})


def main() -> None:
    """Train, or go on training, and export the weights."""
    parser = argparse.ArgumentParser(description="Train the pocket UNet and text encoder.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint and the weights")
    parser.add_argument("--vae", type=Path, required=True, help="folder of the trained VAE")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the pictures, drawn where missing")
    parser.add_argument("--files", type=int, default=40, help="files of 1,024 pictures")
    parser.add_argument("--begin", type=Path, help="folder of weights to begin from where there is no checkpoint")
    parser.add_argument("--minutes", type=float, default=180, help="of training in all, earlier sittings counted in")
    parser.add_argument("--cooling", type=float, default=0.5, help="last share of them over which the rate falls to 0")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--record", action="store_true", help="record the kernels once (CUDA graphs)")
    parser.add_argument("--more", default="", help="a kind of thing that every second picture holds")
    parser.add_argument("--processes", type=int, help="that draw; one for each core unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save-minutes", type=float, default=5)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options.out, options.vae, options.batch, options.rate, options.seed, options.device)
    if trainer.checkpoint.exists():
        trainer.resume()
    elif options.begin:
        trainer.begin(options.begin)
    with Series(
        options.pictures, partial(latents.examples, more=options.more), options.files, options.processes
    ) as pictures:
        for part in pictures.new(least=1):
            trainer.add(part)
        if options.record:
            trainer.record_kernels()
        try:
            trainer.run(pictures, options.minutes, options.cooling, options.save_minutes)
        finally:
            trainer.save()
    trainer.export(options.out / "weights")
    print(f"weights in {options.out / 'weights'}")


if __name__ == "__main__":
    main()
