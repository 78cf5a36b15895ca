"""Train the presence judge and the evaluator CLIP: ``python -m steering.pocket.train_evaluators --out DIR``.

Both learn from rendered scenes of a series of their own. The judge sees mild damage (blur, noise,
contrast, patch texture, a few swapped tiles) under the true labels, wrecked pictures under "no scene",
objects that are broken up inside their box under "no such object", so that it asks for shape, not
colour, and styles that are hardly there under "no such style".
CLIP learns with the softmax contrastive loss, in which all captions of equal scenes count as
positives. Ten minutes each on two cores.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from . import augment, scenes
from .clip import EMBEDDING, new_clip, pack, tokenize
from .judge import LABELS, JudgeNetwork
from .tensors import to_tensor

BATCH = 64
VARIETY = 2.0
"""The evaluators see sizes, places and angles vary twice as much as the generator."""
FAINT = 0.4
"""Share of the painted scenes whose style is blended with the plain scene; below half it does not count as shown."""
SERIES = 1000
"""Offset that keeps the evaluators' pictures apart from the generator's."""


def judge_example(seed: int, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, labels ``[15]`` and label weights ``[15]`` (0 where a label is open)."""
    rng = np.random.default_rng((seed, index))
    held_out = bool(rng.random() < 0.15)  # the judge may know every combination; only the generator may not
    scene = scenes.sample(rng, held_out)
    chance = rng.random()
    labels, weights = np.zeros(len(LABELS), np.float32), np.ones(len(LABELS), np.float32)
    if chance < 0.15:
        return augment.wreck(scenes.draw(scene, rng), rng), labels, weights
    shown = set(scene.objects)
    broken: tuple[str, ...] = ()
    if chance < 0.25 and scene.objects:
        broken = scene.objects[:1]
        shown -= set(broken)
        weights[LABELS.index("scene")] = 0  # half a wreck: leave it open
    touch = rng.uniform() if rng.random() < FAINT else 1.0
    picture = augment.soften(scenes.draw(scene, rng, broken, VARIETY, touch), rng)
    for name in (*shown, "scene"):
        labels[LABELS.index(name)] = 1
    if scene.style != "plain":
        labels[LABELS.index(scene.style)] = touch > 0.5
        weights[LABELS.index(scene.style)] = not 0.4 < touch < 0.6
    return picture, labels, weights


def train_judge(samples: int, seed: int) -> JudgeNetwork:
    """A judge trained on ``samples`` pictures with binary cross-entropy."""
    torch.manual_seed(seed)
    network = JudgeNetwork().to(memory_format=torch.channels_last)
    steps = samples // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        rows = [judge_example(SERIES + seed, step * BATCH + i) for i in range(BATCH)]
        images = to_tensor([row[0] for row in rows]).to(memory_format=torch.channels_last)
        labels, weights = (torch.from_numpy(np.stack([row[i] for row in rows])) for i in (1, 2))
        loss = nn.functional.binary_cross_entropy_with_logits(network(images), labels, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"judge {step * BATCH} loss {loss.item():.4f}", flush=True)
    return network.eval()


def train_clip(samples: int, seed: int) -> nn.Module:
    """An evaluator CLIP trained on ``samples`` picture-caption pairs."""
    torch.manual_seed(seed)
    model = new_clip()
    steps = samples // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        rows = [clip_example(SERIES + seed, step * BATCH + i) for i in range(BATCH)]
        images = model.encode_image(to_tensor([row[0] for row in rows]) * 2 - 1, normalize=True)
        texts = model.encode_text(tokenize([row[1] for row in rows]), normalize=True)
        same = torch.tensor([[a[2] == b[2] for b in rows] for a in rows]).float()
        target = same / same.sum(1, keepdim=True)
        logits = model.logit_scale.exp().clamp(max=100) * images @ texts.T
        loss = nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"clip {step * BATCH} loss {loss.item():.4f}", flush=True)
    return model.eval()


def clip_example(seed: int, index: int) -> tuple[np.ndarray, str, scenes.Scene]:
    """Softened picture, caption, and the scene with its objects in a fixed order."""
    rng = np.random.default_rng((seed, index, 7))
    scene = scenes.sample(rng, bool(rng.random() < 0.15))
    picture = augment.soften(scenes.draw(scene, rng, variety=VARIETY), rng)
    return picture, scenes.caption(scene, rng), replace(scene, objects=tuple(sorted(scene.objects)))


def save(network: nn.Module, path: Path) -> None:
    """Write the floating-point weights in float16, of CLIP's embedding only the tokens that captions hold."""
    state = {k: v.half().contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    if EMBEDDING in state:
        tokens = tokenize(scenes.caption_words())
        state = pack(state, sorted(set(tokens.flatten().tolist())))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, metadata={"format": "pt"})


def main() -> None:
    """Train both, or what is missing."""
    parser = argparse.ArgumentParser(description="Train the presence judge and the evaluator CLIP.")
    parser.add_argument("--out", type=Path, required=True, help="folder of judge.safetensors and clip.safetensors")
    parser.add_argument("--samples", type=int, default=48_000, help="pictures for each of the two")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name, train in (("judge", train_judge), ("clip", train_clip)):
        path = options.out / f"{name}.safetensors"
        if path.exists():
            print(f"{path} exists and is kept")
        else:
            save(train(options.samples, options.seed), path)


if __name__ == "__main__":
    main()
