"""What every method learns from, and what a method is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from steering.concepts.prompts import Concept
from steering.families import family_named
from steering.models.diffusion import DiffusionModel
from steering.sites import TEXT
from steering.study.subject import Subject
from steering.study.vectors import Vectors

PICTURE_STEPS = 20
"""Sampling steps of the pictures that trainings look at."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What every method learns from: the model, the concept's name and its 50 pairs, the same for all.

    Attributes:
        model: the model, which every method leaves as it was.
        subject: the concept.
        vectors: its captures and vectors.
        folder: where trained weights are kept.
    """

    model: DiffusionModel
    subject: Subject
    vectors: Vectors
    folder: Path

    @property
    def concept(self) -> Concept:
        """The concept."""
        return self.subject.concept

    @property
    def style(self) -> bool:
        """Whether the concept is a style, which is in all of a picture."""
        return self.concept.text.startswith(("in the style", "as a"))

    @property
    def names(self) -> list[str]:
        """The concept in words, for methods that take a name: a set of unlike things has one each."""
        return [self.concept.text] if self.style else [f"a {label}" for label in self.concept.judge]

    @property
    def anchor(self) -> str:
        """What stands in the concept's place, for methods that take a name."""
        return "a picture" if self.style else "an empty scene"

    @property
    def positives(self) -> list[str]:
        """The pairs' prompts with the concept."""
        return [pair.positive for pair in self.subject.pairs]

    @property
    def without(self) -> list[str]:
        """The same prompts with nothing in the concept's place."""
        return [pair.without for pair in self.subject.pairs]

    @property
    def kept(self) -> list[str]:
        """Prompts without the concept: the pairs' negatives, something else in its place every second time."""
        return [pair.negative for pair in self.subject.pairs]

    @cached_property
    def pictures(self) -> Tensor:
        """Latents of the pairs' prompts with the concept, drawn by the model as it is; to be asked for unchanged."""
        guidance = family_named(self.model.family).guidance
        noise = self.model.noise(range(len(self.positives)), self.model.size)
        contexts = self.model.encode(self.positives), self.model.encode([""])
        return self.model.denoise(*contexts, noise, PICTURE_STEPS, guidance)

    def tokens(self) -> tuple[Tensor, Tensor]:
        """Matched text tokens of positives and of the same prompts without the concept, ``[T N, C]`` each."""
        assert self.vectors.captured.text is not None
        positive, negative = self.vectors.captured.text.tensors[TEXT][:, :, 0].double()
        return positive, negative

    def embedding(self, prompts: Sequence[str]) -> Tensor:
        """Text embeddings ``[N, T, C]`` in double precision."""
        return self.model.encode(prompts).context.double()


Apply = Callable[[Learned, Any], AbstractContextManager[None]]
"""Inside it the model draws without the concept; of what was learned, and one setting."""


@dataclass(frozen=True, eq=False)
class Method:
    """A way to take a concept out.

    Attributes:
        name: as its authors call it.
        settings: what is tried on dev prompts, at most four by name, so that all have the same budget.
        apply: see `Apply`.
        ours: whether this package is its source.
    """

    name: str
    settings: dict[str, Any]
    apply: Apply
    ours: bool = False


@contextmanager
def replaced(model: DiffusionModel, name: str, function: Callable) -> Iterator[None]:
    """A function of a model in another one's place; for rules of guidance and of the text."""
    with patch.object(model, name, function):
        yield


@contextmanager
def weights(unet: torch.nn.Module, changed: dict[str, Tensor]) -> Iterator[None]:
    """Some weights of a UNet in place of its own, by their names."""
    own = dict(unet.named_parameters())
    before = {name: own[name].detach().clone() for name in changed}
    try:
        with torch.no_grad():
            for name, value in changed.items():
                own[name].copy_(value)
        yield
    finally:
        with torch.no_grad():
            for name, value in before.items():
                own[name].copy_(value)


def cross_projections(unet: torch.nn.Module) -> dict[str, Tensor]:
    """The weights that cross-attention reads the text with, keys and values, by name ``[out, C]``."""
    ends = ("attn2.to_k.weight", "attn2.to_v.weight")
    return {name: value.detach() for name, value in unet.named_parameters() if name.endswith(ends)}
