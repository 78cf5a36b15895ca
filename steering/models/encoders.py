"""Text encoders of CLIP's kind, each with its tokenizer and the layer that its UNet reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """A text encoder.

    Attributes:
        tokenizer: of CLIP.
        module: `CLIPTextModel` or `CLIPTextModelWithProjection` of transformers.
        layer: ``last``, after the final norm, or ``penultimate``, before any.
        padding: the token that fills a prompt up in training; None is the tokenizer's own.
    """

    tokenizer: Any
    module: Any
    layer: str = "last"
    padding: int | None = None

    def __call__(self, tokens: Tensor, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Embeddings ``[n, T, C]`` of tokens ``[n, T]``, and the pooled ones ``[n, P]`` where there is a projection."""
        with placed(self.module, device):
            said = self.module(tokens.to(device), output_hidden_states=self.layer == "penultimate")
        hidden = said.hidden_states[-2] if self.layer == "penultimate" else said.last_hidden_state
        return hidden, getattr(said, "text_embeds", None)


@contextmanager
def placed(module: nn.Module, device: torch.device) -> Iterator[None]:
    """The module on a device for a block; afterwards it is where it was, so that what is idle may wait on the CPU."""
    home = next(module.parameters()).device
    module.to(device)
    try:
        yield
    finally:
        module.to(home)
