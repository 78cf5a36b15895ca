"""Train the judge and the evaluator CLIP: ``python -m steering.pocket.train_evaluators judge --out DIR --vae DIR/vae``.

Both learn from rendered scenes of a series of their own, mildly softened, and the judge partly as the VAE gives them
back. The judge sees whole scenes under their labels; scenes with one broken thing under "debris", that thing being no
such thing where little of it is left, and open where much is; mottled pictures, styles that are half there, and scenes
with a spot that the VAE redraws from spoiled latents, under "debris" too; wrecked pictures under "debris" and nothing
else. CLIP learns with the softmax contrastive loss, in which all captions of equal scenes count as positives.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..files import replacing
from . import augment, captions, latents, world
from .clip import EMBEDDING, new_clip, pack, tokenize
from .debris import broken_scene, mottled, spotted
from .judge import LABELS, JudgeNetwork
from .pace import Clock, cosine
from .series import Series
from .tensors import stored_weights, to_images, to_pictures

VARIETY = 2.0
"""The evaluators see sizes, places and angles vary twice as much as the generator."""
FAINT = 0.4
"""Share of the painted scenes whose style is blended with the plain scene; below half it does not count as shown."""
HALF = (0.2, 0.75)
"""Share of a style in the picture between which it is debris: neither there nor taken out."""
SERIES = 1000
"""Offset that keeps the evaluators' pictures apart from the generator's."""
WRECKED, MOTTLED, SPOILED, BROKEN = 0.07, 0.07, 0.14, 0.28
"""Shares of the judge's pictures that are no scene any more, mottled, spoiled at a spot, and hold a broken thing."""
TOLD = 0.35
"""Share of a thing below which a broken one does not count as shown; above, it is open whether it does."""
THROUGH = 0.25
"""Share of the judge's pictures that go through the VAE, beside those that it spoils."""
SEEN, GREY = 0.006, 40
"""Share of pixels by which a spoiled picture must differ by so many grey levels to count as debris; else it is open."""

Example = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Picture, labels ``[24]``, their weights ``[24]`` (0 where a label is open), and a spot to spoil ``[3]``, of radius 0
where there is none."""
NOWHERE = np.zeros(3, np.float32)


def judge_example(seed: int, index: int) -> Example:
    """The picture ``index`` of the judge's series."""
    rng = np.random.default_rng((seed, index))
    scene = world.sample(rng, bool(rng.random() < 0.15))  # the judge may know what the generator may not
    chance = rng.random()
    labels, weights = np.zeros(len(LABELS), np.float32), np.ones(len(LABELS), np.float32)
    if chance < WRECKED:
        labels[LABELS.index("debris")] = 1
        return augment.wreck(world.draw(scene, rng), rng), labels, weights, NOWHERE
    for name in (*scene.objects, scene.background):
        labels[LABELS.index(name)] = 1
    if chance < WRECKED + MOTTLED:
        plain = replace(scene, style="plain")
        labels[LABELS.index("debris")] = 1
        return mottled(world.draw(plain, rng, VARIETY), rng), labels, weights, NOWHERE
    if chance < WRECKED + MOTTLED + SPOILED and scene.objects:
        picture, spot = spotted(scene, rng, VARIETY)
        labels[LABELS.index("debris")] = 1
        return _styled(scene, labels, picture), labels, weights, spot
    if chance < WRECKED + MOTTLED + SPOILED + BROKEN and scene.objects:
        broken = broken_scene(scene, rng, VARIETY)
        labels[LABELS.index("debris")] = 1
        if broken.left < TOLD:
            labels[LABELS.index(broken.thing)] = 0
        for name in {broken.thing, broken.other} - {""}:
            weights[LABELS.index(name)] = broken.left < TOLD and name == broken.thing
        return _styled(scene, labels, broken.picture), labels, weights, NOWHERE
    touch = rng.uniform() if rng.random() < FAINT else 1.0
    picture = world.draw(scene, rng, VARIETY, touch)
    if scene.style != "plain":
        labels[LABELS.index(scene.style)] = touch > 0.5
        weights[LABELS.index(scene.style)] = not 0.4 < touch < 0.6
        labels[LABELS.index("debris")] = HALF[0] < touch < HALF[1]
        weights[LABELS.index("debris")] = not any(abs(touch - edge) < 0.1 for edge in HALF)
    return picture, labels, weights, NOWHERE


def _styled(scene: world.Scene, labels: np.ndarray, picture: np.ndarray) -> np.ndarray:
    if scene.style != "plain":
        labels[LABELS.index(scene.style)] = 1
    return picture


def judge_examples(first: int, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures, labels, weights and spots of the judge's series."""
    rows = [judge_example(SERIES + seed, first + i) for i in range(count)]
    return {
        name: np.stack([row[i] for row in rows]) for i, name in enumerate(("pictures", "labels", "weights", "spots"))
    }


def train_judge(
    series: Series, vae: Any, minutes: float, batch: int, device: str, begun: Path | None = None
) -> JudgeNetwork:
    """A judge trained for some minutes with binary cross-entropy, from new weights or from those of a file.

    Begun weights take a third of the learning rate that new ones do.
    """
    network = JudgeNetwork()
    if begun:
        network.load_state_dict(stored_weights(begun), strict=False)
    network = network.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    pool: list[list[Tensor]] = []
    rng, step, clock, losses = np.random.default_rng(0), 0, Clock(minutes), []
    while (share := clock.share) < 1:
        if step % 20 == 0:
            pool += [_through(part, vae, device) for part in series.new(0 if pool else 1)]
        pictures, labels, weights = pool[int(rng.integers(len(pool)))]
        chosen = torch.randint(len(pictures), (batch,), device=device)
        images = mirrored(augment.soften(to_images(pictures[chosen], device)))
        logits = network(images / 2 + 0.5)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[chosen], weights[chosen])
        losses.append(descend(optimizer, loss, cosine(share, 1e-3 if begun else 3e-3, 0.1)))
        step += 1
        if step % 200 == 0:
            print(
                f"judge {step * batch}  loss {_mean(losses):.4f}  {len(pool)} files  {clock.elapsed:.1f} min",
                flush=True,
            )
    return network.eval()


def _through(part: dict[str, Tensor], vae: Any, device: str) -> list[Tensor]:
    """A file of examples, of which some are spoiled by the VAE and the first share of the others goes through it."""
    pictures, labels, weights, spots = (part[name].to(device) for name in ("pictures", "labels", "weights", "spots"))
    spoiled = (spots[:, 2] > 0).nonzero()[:, 0]
    for some in spoiled.split(64):
        before, after = augment.spoil(vae, to_images(pictures[some], device), spots[some])
        seen = ((after - before).abs().amax(1) > GREY / 127.5).float().mean((1, 2)) > SEEN
        weights[some, LABELS.index("debris")] = seen.float()
        pictures[some] = to_pictures(after)
    whole = (spots[:, 2] == 0).nonzero()[:, 0]
    for some in whole[: int(THROUGH * len(whole))].split(64):
        pictures[some] = to_pictures(augment.through_vae(vae, to_images(pictures[some], device)))
    return [pictures, labels, weights]


def mirrored(images: Tensor) -> Tensor:
    """Half of the images, left to right."""
    return torch.where(torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5, images.flip(3), images)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> Tensor:
    """One step down a loss at a rate; the loss, for the record."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _mean(losses: list[Tensor]) -> float:
    """The mean of the losses since the last time."""
    mean = float(torch.stack(losses).mean())
    losses.clear()
    return mean


def clip_example(seed: int, index: int) -> tuple[np.ndarray, str, world.Scene]:
    """Picture, caption, and the scene with its objects in a fixed order."""
    rng = np.random.default_rng((seed, index, 7))
    scene = world.sample(rng, bool(rng.random() < 0.15))
    picture = world.draw(scene, rng, VARIETY)
    return picture, world.caption(scene, rng), replace(scene, objects=tuple(sorted(scene.objects)))


def number_of(scene: world.Scene) -> int:
    """The same number for equal scenes, another for others."""
    return int.from_bytes(hashlib.blake2b(repr(scene).encode(), digest_size=7).digest(), "big")


def clip_examples(first: int, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures, tokens of their captions, and numbers that are equal for equal scenes."""
    rows = [clip_example(SERIES + seed, first + i) for i in range(count)]
    return {
        "pictures": np.stack([row[0] for row in rows]),
        "tokens": tokenize([row[1] for row in rows]).numpy(),
        "scenes": np.array([number_of(row[2]) for row in rows]),
    }


def train_clip(series: Series, minutes: float, batch: int, device: str) -> nn.Module:
    """An evaluator CLIP trained for some minutes on pictures and captions."""
    model = new_clip().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    pool: list[list[Tensor]] = []
    rng, step, clock, losses = np.random.default_rng(0), 0, Clock(minutes), []
    while (share := clock.share) < 1:
        if step % 20 == 0:
            pool += [
                [part[name].to(device) for name in ("pictures", "tokens", "scenes")] for part in series.new(not pool)
            ]
        pictures, tokens, scenes = pool[int(rng.integers(len(pool)))]
        chosen = torch.randperm(len(pictures), device=device)[:batch]
        images = model.encode_image(augment.soften(to_images(pictures[chosen], device)), normalize=True)
        texts = model.encode_text(tokens[chosen], normalize=True)
        same = (scenes[chosen, None] == scenes[None, chosen]).float()
        target = same / same.sum(1, keepdim=True)
        logits = model.logit_scale.exp().clamp(max=100) * images @ texts.T
        loss = nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)
        losses.append(descend(optimizer, loss, cosine(share, 2e-3, 0.1)))
        step += 1
        if step % 200 == 0:
            print(
                f"clip {step * batch}  loss {_mean(losses):.4f}  {len(pool)} files  {clock.elapsed:.1f} min", flush=True
            )
    return model.eval()


def save(network: nn.Module, path: Path) -> None:
    """Write the floating-point weights in float16, of CLIP's embedding only the tokens that captions hold."""
    state = {k: v.half().contiguous().cpu() for k, v in network.state_dict().items() if v.is_floating_point()}
    if EMBEDDING in state:
        tokens = tokenize(captions.caption_words())
        state = pack(state, sorted(set(tokens.flatten().tolist())))
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"format": "pt"})


def main() -> None:
    """Train one of them."""
    parser = argparse.ArgumentParser(description="Train the presence judge or the evaluator CLIP.")
    parser.add_argument("which", choices=("judge", "clip"))
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights and of the drawn pictures")
    parser.add_argument("--vae", type=Path, help="folder of the trained VAE, for the judge")
    parser.add_argument("--begun", type=Path, help="file of a judge's weights to go on from")
    parser.add_argument("--files", type=int, default=100, help="files of 1,024 pictures")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--processes", type=int, help="that draw; one for each core unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    examples = partial(judge_examples if options.which == "judge" else clip_examples, seed=options.seed)
    with Series(options.out / f"{options.which}-pictures", examples, options.files, options.processes) as series:
        if options.which == "judge":
            vae, _ = latents.load_vae(options.vae, options.device)
            network = train_judge(series, vae, options.minutes, options.batch, options.device, options.begun)
        else:
            network = train_clip(series, options.minutes, options.batch, options.device)
    save(network, options.out / f"{options.which}.safetensors")


if __name__ == "__main__":
    main()
