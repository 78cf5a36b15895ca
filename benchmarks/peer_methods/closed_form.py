"""Weights of keys and values in closed form: UCE and RECE.

UCE (Gandikota et al., arXiv 2308.14761): every W of keys and values becomes

    W' = W [Σ_i t_i s_iᵀ + b Σ_j k_j k_jᵀ + ρ 1] [Σ_i s_i s_iᵀ + b Σ_j k_j k_jᵀ + ρ 1]⁻¹

with s_i the tokens of the concept's name from its last word on, t_i those of what takes its place, k_j what is kept.
RECE (Gong et al., arXiv 2407.12383) looks for what brings the concept back after the edit,

    s' = [λ 1 + Σ_W W'ᵀ W']⁻¹ [Σ_W W'ᵀ W] s

and edits that away too, a few times over. Left out of both: lists of hundreds of artists; of RECE the regulariser
beyond what is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from steering.models import text

from .learned import Learned, cross_projections, weights

RIDGE = 0.1
"""ρ, and RECE's λ."""


@dataclass(frozen=True)
class Edit:
    """A setting.

    Attributes:
        pairs: learn from the tokens of all pairs, in place of the concept's name.
        keep: b.
        rounds: of RECE; 0 is UCE.
    """

    pairs: bool = False
    keep: float = 0.1
    rounds: int = 0


@contextmanager
def edited(learned: Learned, edit: Edit) -> Iterator[None]:
    """The model with its keys and values edited."""
    own = {name: value.double() for name, value in cross_projections(learned.model.unet).items()}
    source, target = learned.tokens() if edit.pairs else named_tokens(learned)
    kept = learned.embedding(learned.kept).flatten(0, 1)
    now = closed_form(own, source, target, kept, edit.keep)
    for _ in range(edit.rounds):
        source, target = torch.cat([source, regained(own, now, source)]), torch.cat([target, target])
        now = closed_form(own, source, target, kept, edit.keep)
    with weights(learned.model.unet, {name: value.float() for name, value in now.items()}):
        yield


def closed_form(own: dict[str, Tensor], source: Tensor, target: Tensor, kept: Tensor, keep: float) -> dict[str, Tensor]:
    """W' of every W, from tokens ``[M, C]``."""
    eye = RIDGE * torch.eye(source.shape[1], dtype=source.dtype)
    second = source.mT @ source + keep * kept.mT @ kept + eye
    moved = target.mT @ source + keep * kept.mT @ kept + eye
    return {name: torch.linalg.solve(second, (value @ moved).mT).mT for name, value in own.items()}


def regained(own: dict[str, Tensor], now: dict[str, Tensor], source: Tensor) -> Tensor:
    """The tokens that bring back under the edited weights what ``source [M, C]`` was, ``[M, C]``."""
    second = sum((value.mT @ value for value in now.values()), RIDGE * torch.eye(source.shape[1], dtype=source.dtype))
    mixed = sum((now[name].mT @ own[name] for name in own), torch.zeros_like(second))
    return torch.linalg.solve(second, mixed @ source.mT).mT


def named_tokens(learned: Learned) -> tuple[Tensor, Tensor]:
    """Tokens of the concept's names and of the anchor from their last words on, one to one ``[M, C]``."""
    sources, targets = [], []
    for name in learned.names:
        ends = [_last_word(learned, prompt) for prompt in (name, learned.anchor)]
        one, other = learned.embedding([name, learned.anchor])
        length = len(one) - max(ends)
        sources.append(one[ends[0] : ends[0] + length])
        targets.append(other[ends[1] : ends[1] + length])
    return torch.cat(sources), torch.cat(targets)


def _last_word(learned: Learned, prompt: str) -> int:
    """The place of a prompt's last token before its end."""
    (chunk,) = text.chunks(prompt, learned.model.tokenizer)
    return list(chunk.tokens).index(learned.model.tokenizer.eos_token_id) - 1
