"""The text embeddings of pairs, token by token: a capture without sampling.

What cross-attention reads of a prompt depends on nothing but the prompt, so one pass of the text encoder is the whole
capture. Where a pair says what its prompt is with nothing in the concept's place (``rest``), that is the negative here:
an edit of the prompt can take a thing out, and what else might stand there is no part of it.

Tokens of a pair are matched one to one so that they differ as little as they can together (the assignment problem,
Kuhn 1955). Cross-attention does not know in which order tokens stand, so what stands elsewhere in the other prompt is
no difference, and words that are there in one prompt only are matched with padding. Later tokens know of earlier ones
in a causal encoder, and the padding of all of them, so every token is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..checks import short
from ..concepts.pairs import Pair
from ..errors import SteeringError
from ..models.conditioning import LENGTH
from ..models.sampling import CapturableModel
from ..sites import TEXT
from .store import Activations


def capture_text(model: CapturableModel, pairs: Sequence[Pair], about: Mapping[str, Any]) -> Activations:
    """The embeddings of every token of every pair at the site ``text``: ``[2, T N, 1, C]``, a token's pairs in a row.

    Args:
        model: from `load_model`.
        pairs: the prompt pairs, at least one.
        about: where they come from, for the metadata.

    Raises:
        SteeringError: prompts of unequal numbers of chunks, or embeddings that are not finite.
    """
    sides = [[pair.positive for pair in pairs], [pair.without for pair in pairs]]
    embedded, numbers = zip(*(model.embedded(side) for side in sides), strict=True)
    counts = [len(some) for side in numbers for some in side]
    longest, length = max(zip(counts, [*sides[0], *sides[1]], strict=True)), min(counts)
    if longest[0] != length:
        raise SteeringError(
            f"the prompts of a capture of the text embedding must all be as long in chunks of {LENGTH} tokens, and "
            f"{short(longest[1])} takes {longest[0] // LENGTH}, another {length // LENGTH}; shorten it"
        )
    positive, negative = (side.float().cpu() for side in embedded)
    matched = torch.stack([other[partners(one, other)] for one, other in zip(positive, negative, strict=True)])
    # Token after token, as `Activations.folds` has it.
    rows = torch.stack([positive, matched]).transpose(1, 2).flatten(1, 2)
    metadata = {**about, "tokens": length}  # of each pair, which are rows here
    return Activations({TEXT: rows[:, :, None].contiguous()}, model.sigmas(1), metadata)


def partners(positive: Tensor, negative: Tensor) -> Tensor:
    """For every token of one prompt ``[T, C]`` the place of its partner in the other: a permutation ``[T]``."""
    from scipy.optimize import linear_sum_assignment

    distances = torch.cdist(positive.double(), negative.double()).square()
    return torch.as_tensor(linear_sum_assignment(distances.numpy())[1])
