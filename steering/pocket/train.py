"""Train the pocket model from nothing: ``python -m steering.pocket.train --out DIR``.

One command and one seed. Training data is drawn on the fly, so sample number i is the same on every
machine; the state goes to ``DIR/checkpoint.pt`` every few minutes and the same command goes on from
there. Two CPU cores make about 35 pictures a second, a GPU many more.

Loss: clamp(SNR, 1, 5) * sum_c w_c (x0_predicted - x0)_c^2 over uniform timesteps of SD 1.5's noise
schedule, with w_c the codec's scale of channel c, half-way between an equal error in every latent and
an equal error in every pixel; captions dropped with probability 0.1; AdamW, learning rate constant
and then linear to zero over the last 30 %; the exponential moving average of the weights is what gets
exported.
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..schedule import NoiseSchedule
from . import architecture, scenes
from .codec import PatchCodec, fit_codec
from .tensors import to_tensor

BATCH = 16
LEARNING_RATE = 1e-3
EMA_DECAY = 0.999
CAPTION_DROPOUT = 0.1
CODEC_PICTURES = 600
TOKENIZER = Path(__file__).parent.parent / "models" / "sd15" / "tokenizer"


class PocketModel(nn.Module):
    """UNet and text encoder together, as they are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = architecture.new_unet()
        self.text_encoder = architecture.new_text_encoder()

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Clean latents predicted from noisy ones ``[B, 24, h, w]`` and token ids ``[B, 77]``."""
        context = self.text_encoder(tokens).last_hidden_state
        return self.unet(noisy, timesteps, context, return_dict=False)[0]


def training_codec(seed: int) -> PatchCodec:
    """The codec of this seed, from pictures of a series that training does not use."""
    pictures = [scenes.training_example(seed + 1, i)[0] for i in range(CODEC_PICTURES)]
    return fit_codec(to_tensor(pictures))


def draw(seed: int, first: int) -> tuple[list[np.ndarray], list[str]]:
    """Pictures and captions of one batch."""
    examples = [scenes.training_example(seed, first + i) for i in range(BATCH)]
    return [picture for picture, _, _ in examples], [text for _, text, _ in examples]


def alphas_cumulative() -> Tensor:
    """The signal share α = 1 / (1 + σ²) of every training timestep ``[1000]``."""
    table = architecture.SCHEDULER
    sigmas = NoiseSchedule.scaled_linear(table["beta_start"], table["beta_end"], table["num_train_timesteps"]).sigmas
    return (1 / (1 + sigmas.double().square())).float()


def learning_rate(done: int, total: int) -> float:
    """Warm-up over 3,200 samples, then constant, then linear to zero over the last 30 %."""
    return LEARNING_RATE * min(1.0, done / 3200 + 0.01, max(0.0, (total - done) / (0.3 * total)))


class Trainer:
    """The state of a training run, which a checkpoint holds whole."""

    def __init__(self, folder: Path, seed: int, device: str) -> None:
        from transformers import CLIPTokenizer

        torch.manual_seed(seed)
        self.folder, self.seed, self.device = folder, seed, device
        self.model = PocketModel()
        self.model.to(torch.device(device))
        nn.Module.to(self.model.unet, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), LEARNING_RATE, (0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
        self.codec = training_codec(seed)
        self.alphas = alphas_cumulative()
        self.done = 0
        self.drawing = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self.prepared: dict[int, Future[tuple[list[np.ndarray], list[str]]]] = {}

    @property
    def channels(self) -> Tensor:
        """The loss weight of each latent channel ``[24]``, its codec scale normalised to sum 1."""
        return (self.codec.scale / self.codec.scale.sum()).to(self.device)

    @property
    def checkpoint(self) -> Path:
        """Where the state is kept."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state, whole or not at all."""
        state = {
            "done": self.done,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            # The latents are the codec's: a run goes on with the one it began with, come what may.
            "codec": vars(self.codec),
        }
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.checkpoint)

    def resume(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.done = state["done"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.codec = PatchCodec(**state["codec"])

    def batch(self, first: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Noisy latents, timesteps, tokens and clean latents of the batch that starts at a sample."""
        pictures, texts = self.prepared.pop(first).result() if first in self.prepared else draw(self.seed, first)
        # The next batch is drawn by another process while the network computes.
        self.prepared[first + BATCH] = self.drawing.submit(draw, self.seed, first + BATCH)
        clean = self.codec.encode(to_tensor(pictures))
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + first)
        timesteps = torch.randint(0, 1000, (BATCH,), generator=generator)
        alpha = self.alphas[timesteps].view(-1, 1, 1, 1)
        noise = torch.randn(clean.shape, generator=generator)
        keep = torch.rand(BATCH, generator=generator) >= CAPTION_DROPOUT
        captions = [text if kept else "" for text, kept in zip(texts, keep, strict=True)]
        tokens = self.tokenizer(captions, padding="max_length", max_length=77, return_tensors="pt").input_ids
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        return noisy, timesteps, tokens, clean

    def step(self, total: int) -> float:
        """One optimiser step; returns the weighted loss."""
        noisy, timesteps, tokens, clean = self.batch(self.done)
        signal = self.alphas[timesteps]
        weight = (signal / (1 - signal)).clamp(1, 5).to(self.device)
        noisy = noisy.to(self.device, memory_format=torch.channels_last)
        predicted = self.model(noisy, timesteps.to(self.device), tokens.to(self.device))
        error = (predicted - clean.to(self.device)).square().mean((2, 3)) @ self.channels
        loss = (weight * error).mean()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.done, total)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += BATCH
        # A young average follows quickly, so that it never remembers the random start.
        decay = min(EMA_DECAY, self.done / BATCH / (self.done / BATCH + 10))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
        return loss.item()

    def export(self, folder: Path) -> None:
        """Write the averaged weights in float16, in the layout of a diffusers folder."""
        seen = seen_tokens(self.tokenizer)
        text_state = self.average.text_encoder.state_dict()
        name = next(key for key in text_state if key.endswith("token_embedding.weight"))
        # Rows of tokens that no caption holds are still random: an unknown word shall mean nothing.
        table = torch.zeros_like(text_state[name])
        table[seen] = text_state[name][seen]
        text_state[name] = table
        parts = {
            "unet/diffusion_pytorch_model.safetensors": self.average.unet.state_dict(),
            "text_encoder/model.safetensors": text_state,
            "vae/codec.safetensors": {"basis": self.codec.basis, "mean": self.codec.mean, "scale": self.codec.scale},
        }
        for path, state in parts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            dtype = torch.float32 if path.startswith("vae") else torch.float16
            tensors = {k: v.to(dtype).contiguous().cpu() for k, v in state.items() if v.is_floating_point()}
            save_file(tensors, folder / path, metadata={"format": "pt"})
        configs = {
            "unet/config.json": {"_class_name": "UNet2DConditionModel", **architecture.UNET},
            "text_encoder/config.json": {
                "architectures": ["CLIPTextModel"],
                "model_type": "clip_text_model",
                **architecture.TEXT_ENCODER,
            },
            "scheduler/scheduler_config.json": {"_class_name": "EulerDiscreteScheduler", **architecture.SCHEDULER},
        }
        for path, config in configs.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def seen_tokens(tokenizer: Any) -> list[int]:
    """Ids of every token that a training caption can hold."""
    return sorted({token for ids in tokenizer(scenes.caption_words()).input_ids for token in ids})


def main() -> None:
    """Train, or go on training, and export the weights."""
    parser = argparse.ArgumentParser(description="Train the pocket model from nothing.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint, the log and the weights")
    parser.add_argument("--samples", type=int, default=180_000, help="pictures to train on in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--save-minutes", type=float, default=5)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options.out, options.seed, options.device)
    if trainer.checkpoint.exists():
        trainer.resume()
    started, first, saved, losses = time.time(), trainer.done, time.time(), []
    try:
        while trainer.done < options.samples:
            losses.append(trainer.step(options.samples))
            if len(losses) == 100:
                speed = (trainer.done - first) / (time.time() - started)
                line = f"{trainer.done} samples  loss {np.mean(losses):.4f}  {speed:.1f}/s"
                print(line, flush=True)
                losses = []
            if time.time() - saved > 60 * options.save_minutes:
                trainer.save()
                saved = time.time()
    finally:
        trainer.save()
    trainer.export(options.out / "weights")
    print(f"weights in {options.out / 'weights'}")


if __name__ == "__main__":
    main()
