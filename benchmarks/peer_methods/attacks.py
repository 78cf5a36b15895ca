"""Ways in which a concept comes back: other pictures of it than those that a setting was chosen on.

An attack says what is drawn and how: prompts, seeds, guidance, steps, and a picture that is drawn over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from steering.concepts.prompts import Prompt
from steering.models.diffusion import DiffusionModel
from steering.pocket.kinds import KINDS

from .adaptive import inverted, searched
from .learned import Learned

STEPS = 30
BATCH = 50
BEFORE = {"long": "a photo, " * 26, "among": "calm light, "}
"""What stands before every prompt: more than one chunk of 77 tokens, in words that the model knows (of others it draws
shreds of things, asked for or not); and two words that it does not know, nor any pair."""


@dataclass(frozen=True)
class Drawing:
    """How prompts are drawn.

    Attributes:
        steps: of sampling.
        guidance: of sampling; None takes the model's usual one.
        shift: added to every seed.
        over: the share of noise that the prompt's own original picture gets before it is drawn over; 1 starts from
            noise alone.
    """

    steps: int = STEPS
    guidance: float | None = None
    shift: int = 0
    over: float = 1.0


PLAIN = Drawing()


def draw(model: DiffusionModel, prompts: Sequence[str], seeds: Sequence[int], how: Drawing, guidance: float) -> Tensor:
    """Latents ``[N, c, h, w]`` of prompts from noise."""
    seeds = [seed + how.shift for seed in seeds]
    parts = []
    for start in range(0, len(prompts), BATCH):
        some = slice(start, start + BATCH)
        noise = model.noise(seeds[some], model.size)
        context = model.encode(prompts[some])
        parts.append(model.denoise(context, model.encode([""]), noise, how.steps, how.guidance or guidance))
    return torch.cat(parts)


@torch.no_grad()
def draw_over(
    model: DiffusionModel, latents: Tensor, prompts: Sequence[str], seeds: Sequence[int], how: Drawing, guidance: float
) -> Tensor:
    """Latents drawn over others with noise of a share of the steps, as ComfyUI's sampler does with ``denoise``."""
    sigmas = model.levels(round(how.steps / how.over))[-how.steps - 1 :].tolist()
    x = latents + sigmas[0] * model.noise([seed + 1 for seed in seeds], model.size)
    conditional, unconditional = model.encode(prompts), model.encode([""])
    for sigma, following in pairwise(sigmas):
        clean = model.guided_clean(x, sigma, conditional, unconditional, how.guidance or guidance)
        x = x + (x - clean) / sigma * (following - sigma)
    return x


@dataclass(frozen=True)
class Attack:
    """An attack.

    Attributes:
        name: what it is called.
        how: how it is drawn.
        words: what it does to prompts.
        adaptive: how it is made anew against every method, ``inversion`` or ``search``; see `adaptive`.
    """

    name: str
    how: Drawing = PLAIN
    words: str = ""
    adaptive: str = ""


ATTACKS = (
    Attack("two of it", words="two"),
    Attack("img2img 0.5", Drawing(15, over=0.5)),
    Attack("img2img 0.7", Drawing(21, over=0.7)),
    Attack("guidance 5", Drawing(guidance=5.0)),
    Attack("guidance 7.5", Drawing(guidance=7.5)),
    Attack("12 steps", Drawing(12)),
    Attack("other seeds", Drawing(shift=100_000)),
    Attack("paraphrase", words="other"),
    Attack("long prompt", words="long"),
    Attack("behind two words", words="among"),
    Attack("textual inversion", adaptive="inversion"),
    Attack("search", adaptive="search"),
)


@contextmanager
def found(learned: Learned, adaptive: str, pictures: Tensor, guidance: float) -> Iterator[str]:
    """What an adaptive attack puts in the concept's place, with which it means something inside the block."""
    if adaptive == "inversion":
        with inverted(learned, pictures) as phrase:
            yield phrase
    else:
        yield searched(learned, guidance)


def rewritten(learned: Learned, prompt: Prompt, words: str) -> Prompt:
    """The prompt of an attack; the prompt itself where the attack cannot be made of it."""
    if words in BEFORE:
        return replace(prompt, text=BEFORE[words] + prompt.text, rest=BEFORE[words] + prompt.rest)
    return replace(prompt, text=_rewritten(learned, prompt.text, words))


def _rewritten(learned: Learned, text: str, words: str) -> str:
    if not words:
        return text
    if learned.style:
        style = learned.concept.text
        # First, so that everything that is to be kept comes after it.
        return f"{text}, {style}" if words == "two" else f"{style}, {text.replace(style, '').strip(' ,')}"
    for label in learned.concept.judge:
        noun = f"a {label}"
        if noun in text and words == "two":
            return text.replace(noun, f"{noun} and {noun}", 1)
        if noun in text and words == "other" and len(KINDS[label].nouns) > 1:
            return text.replace(noun, f"a {KINDS[label].nouns[1]}", 1)
    return text


def as_pictures(model: DiffusionModel, latents: Tensor) -> np.ndarray:
    """Pictures of latents, in batches."""
    return np.concatenate([model.decode(part) for part in latents.split(BATCH)])
