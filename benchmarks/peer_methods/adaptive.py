"""Attacks that are made anew against every method, on the changed model itself.

Textual inversion (Gal et al., arXiv 2208.01618) learns the embedding of one new word from pictures of a concept; Pham
et al. (arXiv 2308.01508) find with it in edited models what its name finds no more. Here: learned on the changed model,
from the pictures that the model as it is draws of the pairs' prompts, with the word in the concept's place. Left out:
captions drawn at random.

The search tries phrases in the concept's place and keeps those that bring most of it back, as searches for prompts do
that only see pictures (red teaming by Chin et al., arXiv 2309.06135, sees gradients; left out). The judge that guides
it is the one that measures afterwards, other pictures.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from steering.evaluate.metrics import judged
from steering.models.conditioning import Conditioning
from steering.models.diffusion import DiffusionModel
from steering.pocket.backgrounds import PLACES
from steering.pocket.kinds import KINDS
from steering.pocket.styles import STYLES

from .learned import Learned

WORD = "sks"
"""A single token that no prompt holds."""
STEPS, BATCH, RATE = 100, 4, 0.01
"""Of learning the word's embedding."""
ROUNDS, PHRASES, TRIED_ON, DRAWN_IN = 4, 10, 2, 8
"""Of the search: rounds, phrases a round, prompts that each is tried in, and steps of their pictures."""
WORDS_AT_MOST = 3


def renamed(learned: Learned, text: str, phrase: str) -> str:
    """A prompt with a phrase in the concept's place."""
    if learned.style:
        return text.replace(learned.concept.text, phrase)
    nouns = [noun for label in learned.concept.judge for noun in KINDS[label].nouns]
    return re.sub(rf"\b({'|'.join(nouns)})\b", phrase, text)


@contextmanager
def inverted(learned: Learned, pictures: Tensor) -> Iterator[str]:
    """The phrase that is learned on the model as it is at the moment, which means something inside the block only.

    ``pictures`` are latents that the unchanged model draws of the pairs' prompts with the concept.
    """
    phrase = f"in the style of {WORD}" if learned.style else WORD
    with torch.enable_grad():
        embedding = _learn(learned, [renamed(learned, text, phrase) for text in learned.positives], pictures)
    with _meaning(learned.model, embedding.detach()):
        yield phrase


def _learn(learned: Learned, texts: Sequence[str], pictures: Tensor) -> Tensor:
    """The embedding of `WORD` ``[C]`` with which the model sees pictures of the concept in their noise."""
    model, generator = learned.model, torch.Generator().manual_seed(0)
    levels = model.schedule.sigmas
    tokens = torch.tensor(model.embedded(texts)[1])
    encoder = model.encoders[0].module
    embedding = encoder.get_input_embeddings().weight.detach().mean(0).clone().requires_grad_()
    optimiser = torch.optim.Adam([embedding], lr=RATE)
    for _ in range(STEPS):
        rows = torch.randint(len(pictures), (BATCH,), generator=generator)
        sigma = float(levels[torch.randint(len(levels), (), generator=generator)])
        x = pictures[rows] + sigma * torch.randn(pictures[rows].shape, generator=generator)
        with _meaning(model, embedding):
            words = Conditioning(encoder(tokens[rows]).last_hidden_state)
        seen = DiffusionModel.guided_clean(model, x, sigma, words, None, 1.0)  # rules of guidance have their own
        # As v-prediction weighs noise levels.
        loss = (seen - pictures[rows]).square().mean() * (1 + sigma**2) / sigma**2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return embedding


@contextmanager
def _meaning(model: DiffusionModel, embedding: Tensor) -> Iterator[None]:
    """An embedding in place of `WORD`'s own."""
    (number,) = model.tokenizer(WORD, add_special_tokens=False).input_ids
    layer = model.encoders[0].module.get_input_embeddings()
    hook = layer.register_forward_hook(
        lambda _layer, inputs, output: torch.where((inputs[0] == number)[..., None], embedding, output)
    )
    try:
        yield
    finally:
        hook.remove()


def searched(learned: Learned, guidance: float) -> str:
    """The phrase that brings most of the concept back, of those that a search tries on the model as it is now."""
    draw = random.Random(0)
    vocabulary = [noun for kind in KINDS.values() for noun in kind.nouns] + [*PLACES, *STYLES]
    vocabulary = [part for words in vocabulary for part in words.replace("_", " ").split()]
    found: dict[str, float] = {}
    for _ in range(ROUNDS):
        best = sorted(found, key=lambda phrase: -found[phrase])[:3]
        for _ in range(PHRASES):
            words = draw.choice(best).split() if best else []
            words = [word for word in words if draw.random() < 0.7]
            words += draw.choices(vocabulary, k=draw.randint(1, WORDS_AT_MOST))
            phrase = " ".join(words[-WORDS_AT_MOST:])
            if phrase not in found:
                found[phrase] = _presence(learned, phrase, guidance)
    return max(found, key=lambda phrase: found[phrase])


def _presence(learned: Learned, phrase: str, guidance: float) -> float:
    """How much of the concept a few pictures show with a phrase in its place, 0 to 100."""
    model, prompts = learned.model, learned.subject.prompts["dev"]
    some = [prompt for prompt in prompts if prompt.role == "target"][:TRIED_ON]
    texts = [renamed(learned, prompt.text, phrase) for prompt in some]
    noise = model.noise(range(len(some)), model.size)
    latents = model.denoise(model.encode(texts), model.encode([""]), noise, DRAWN_IN, guidance)
    return float(judged(model.decode(latents), some, learned.concept)["presence"].mean())
