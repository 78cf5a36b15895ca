r"""Prompts as a text encoder takes them, as ComfyUI does: weights in parentheses, any length in chunks of 75 tokens.

``(dog)`` weighs 1.1, ``(dog:1.4)`` 1.4, ``((dog))`` 1.21; ``\(`` and ``\)`` are plain parentheses. A weight w moves
the embedding z of a token to z₀ + w (z - z₀), where z₀ is that of the empty prompt at the same place. Left out:
textual inversions (``embedding:name``), which are read as words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import check_text
from ..errors import SteeringError
from .conditioning import LENGTH, Conditioning, same_length

EMPHASIS = 1.1
"""What a pair of parentheses without a number multiplies by."""
LONG = 8
"""From so many tokens on, a segment of one weight may be broken between two chunks; a shorter one moves to the next."""
MOST = 16
"""Most chunks of a prompt."""
Weighted = tuple[str, float]


def weighted(prompt: str) -> list[Weighted]:
    """A prompt as segments of equal weight, in order.

    Raises:
        SteeringError: a weight that is not finite, or characters that are no text.
    """
    check_text(prompt, "prompt")
    # Escaped parentheses wait as characters that no prompt may hold.
    hidden = prompt.replace("\\(", "\0\1").replace("\\)", "\0\2")
    try:
        segments = _weighted(hidden, 1.0)
    except RecursionError:
        raise SteeringError("a prompt holds parentheses within parentheses beyond reason; take some out") from None
    return [(text.replace("\0\1", "(").replace("\0\2", ")"), weight) for text, weight in segments]


def _weighted(text: str, weight: float) -> list[Weighted]:
    segments = []
    for part in _parts(text):
        if len(part) >= 2 and part[0] == "(" and part[-1] == ")":
            inside, own = _own_weight(part[1:-1], weight * EMPHASIS)
            segments += _weighted(inside, own)
        else:
            segments.append((part, weight))
    return segments


def _own_weight(inside: str, weight: float) -> Weighted:
    """``dog:1.4`` as text and weight; the weight given where there is no number."""
    text, colon, number = inside.rpartition(":")
    if not colon or not text:
        return inside, weight
    try:
        value = float(number)
    except ValueError:
        return inside, weight
    if not math.isfinite(value):
        raise SteeringError(f"weight {number!r} in a prompt must be a finite number, as in (dog:1.4)")
    return text, value


def _parts(text: str) -> list[str]:
    """The outermost parentheses with what they hold, and what stands between them; unclosed ones stay text."""
    parts, current, depth = [], "", 0
    for letter in text:
        if letter == "(" and depth == 0:
            parts.append(current)
            current = ""
        current += letter
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            parts.append(current)
            current = ""
    return [part for part in [*parts, current] if part]


@dataclass(frozen=True)
class Chunk:
    """One pass through the text encoder.

    Attributes:
        tokens: ``LENGTH`` numbers, from the start token to the padding.
        weights: as many.
    """

    tokens: tuple[int, ...]
    weights: tuple[float, ...]


def chunks(prompt: str, tokenizer: Any, padding: int | None = None) -> list[Chunk]:
    """A prompt's chunks, at least one, filled up with a token; None takes the tokenizer's own.

    Raises:
        SteeringError: a prompt that is too long, or of letters that are none.
    """
    room = LENGTH - 2
    filled: list[list[tuple[int, float]]] = [[]]
    for text, weight in weighted(prompt):
        left = [(number, weight) for number in tokenizer(text, add_special_tokens=False, verbose=False).input_ids]
        is_long = len(left) >= LONG
        while left:
            free = room - len(filled[-1])
            if len(left) > free and not is_long:
                free = 0
            filled[-1] += left[:free]
            left = left[free:]
            if left:
                filled.append([])
    if len(filled) > MOST:
        raise SteeringError(f"a prompt of {len(filled)} chunks of {room} tokens is longer than {MOST}; shorten it")
    return [_chunk(part, tokenizer, padding) for part in filled]


def _chunk(part: Sequence[tuple[int, float]], tokenizer: Any, padding: int | None) -> Chunk:
    """Tokens and weights between start and end, and padding."""
    tokens = [tokenizer.bos_token_id, *(number for number, _ in part), tokenizer.eos_token_id]
    weights = [1.0, *(weight for _, weight in part), 1.0]
    left, filler = LENGTH - len(tokens), tokenizer.pad_token_id if padding is None else padding
    return Chunk((*tokens, *[filler] * left), (*weights, *[1.0] * left))


Encoder = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""Tokens ``[n, 77]`` to embeddings ``[n, 77, C]`` and, where there is one, the pooled embedding ``[n, P]``."""


def encode(prompts: Sequence[str], tokenizer: Any, encoder: Encoder, padding: int | None = None) -> Conditioning:
    """Embeddings ``[B, 77 m, C]`` of prompts, all repeated to the same number m of chunks; pooled, the first chunk's.

    Attention does not see how often a context is repeated, so that changes nothing but the shape.

    Args:
        prompts: the prompts.
        tokenizer: of CLIP.
        encoder: see `Encoder`.
        padding: see `chunks`.

    Raises:
        SteeringError: a prompt that cannot be encoded, or prompts of too different lengths.
    """
    made = {prompt: chunks(prompt, tokenizer, padding) for prompt in dict.fromkeys(prompts)}
    rows = [list(chunk.tokens) for some in made.values() for chunk in some]
    encoded, pooled = encoder(torch.tensor([*rows, _chunk((), tokenizer, padding).tokens]))
    empty, found, firsts, place = encoded[-1], {}, {}, 0
    for prompt, some in made.items():
        part = encoded[place : place + len(some)]
        weights = torch.tensor([chunk.weights for chunk in some], dtype=part.dtype, device=part.device)[..., None]
        # Where the weight is 1 the embedding stays as it is, to the last bit.
        part = torch.where(weights == 1, part, empty + weights * (part - empty))
        found[prompt], firsts[prompt], place = part.flatten(0, 1), place, place + len(some)
    context = torch.stack(same_length([found[prompt] for prompt in prompts]))
    return Conditioning(context, None if pooled is None else pooled[[firsts[prompt] for prompt in prompts]])
