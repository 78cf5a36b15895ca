"""SAFREE (Yoon et al., arXiv 2410.12761): tokens of a prompt that mean the concept are moved out of its subspace.

With P_c the projection on the span of the concept's words and P_i that on the span of the prompt with each of its
tokens left out in turn, token i means the concept where leaving it out takes the prompt away from the concept more than
leaving out others does,

    |(1 - P_c) e_i| > (1 + α) mean_{j ≠ i} |(1 - P_c) e_j|          e_i: the prompt without token i, its end token

and becomes P_i (1 - P_c) x_i. The changed prompt takes the first t of 50 steps, t = 10 σ(5 (10 β - 5.333)), where β is
one less the cosine of the prompt's tokens before and after; or all of them. Left out: the re-attention of latents by
frequency, and the authors' lists of words: the concept's names stand for it, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steering.models import text
from steering.models.conditioning import Conditioning
from steering.models.diffusion import DiffusionModel

from .learned import Learned, replaced


@dataclass(frozen=True)
class Filter:
    """A setting: α, and whether the changed prompt takes all steps."""

    alpha: float = 0.01
    always: bool = False


@contextmanager
def filtered(learned: Learned, how: Filter) -> Iterator[None]:
    """The model with its prompts' tokens moved out of the concept's subspace."""
    model = learned.model
    encode, clean_of = model.encode, model.guided_clean
    words = torch.cat([encode([name]).context[0, 1 : _end(model, name)] for name in learned.names]).double()
    concept = projection(words)
    safe: dict[bytes, tuple[Tensor, float]] = {}

    def encoded(prompts: Sequence[str]) -> Conditioning:
        plain = encode(prompts)
        for prompt, tokens in zip(prompts, plain.context, strict=True):
            if len(tokens) == text.LENGTH and _end(model, prompt) > 1:
                other, until = moved(model, prompt, tokens, concept, how.alpha)
                safe[_key(tokens)] = other, 1.0 if how.always else until
        return plain

    def guided_clean(x: Tensor, sigma: float, conditional: Conditioning, *others: Any) -> Tensor:
        done, rows = model.schedule.sigma_to_percent(sigma), []
        for tokens in conditional.context:
            other, until = safe.get(_key(tokens), (tokens, 0.0))
            rows.append(other if done < until else tokens)
        return clean_of(x, sigma, Conditioning(torch.stack(rows)), *others)

    with replaced(model, "encode", encoded), replaced(model, "guided_clean", guided_clean):
        yield


@torch.no_grad()
def moved(model: DiffusionModel, prompt: str, tokens: Tensor, concept: Tensor, alpha: float) -> tuple[Tensor, float]:
    """A prompt's tokens ``[T, C]`` with those that mean the concept moved, and the share of steps that they are for."""
    end = _end(model, prompt)
    (chunk,) = text.chunks(prompt, model.tokenizer)
    numbers = list(chunk.tokens)
    pad = model.tokenizer.eos_token_id
    left_out = [[*numbers[:i], *numbers[i + 1 :], pad] for i in range(1, end)]
    ends = model.encoders[0](torch.tensor(left_out), model.device)[0].double()[:, end - 1]
    away = (ends - ends @ concept).norm(dim=1)
    others = (away.sum() - away) / max(len(away) - 1, 1)
    means = away > (1 + alpha) * others
    inside = projection(ends)
    result = tokens.double().clone()
    words = result[1:end]
    result[1:end] = torch.where(means[:, None], (words - words @ concept) @ inside, words)
    apart = 1 - torch.cosine_similarity(words.flatten(), result[1:end].flatten(), dim=0)
    return result.to(tokens.dtype), 10 * torch.sigmoid(5 * (10 * apart - 5.333)).item() / 50


def projection(rows: Tensor) -> Tensor:
    """The orthogonal projection ``[C, C]`` on the span of rows ``[M, C]``."""
    basis = torch.linalg.svd(rows, full_matrices=False)
    kept = 1e-6 * basis.S[0] < basis.S
    return basis.Vh[kept].mT @ basis.Vh[kept]


def _end(model: DiffusionModel, prompt: str) -> int:
    """The place of a prompt's end token."""
    return list(text.chunks(prompt, model.tokenizer)[0].tokens).index(model.tokenizer.eos_token_id)


def _key(tokens: Tensor) -> bytes:
    return tokens.float().numpy().tobytes()
