"""Whether the parts of a model are whole, and belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import SteeringError
from ..families import Family
from .encoders import TextEncoder

SENTENCE = "A photo of a dog's house by the sea, watercolour, 1920s"
"""Whose tokens tell a tokenizer that lacks its rules of merging from a whole one."""


def check_lacking(lacking: Sequence[str], part: str, name: str) -> None:
    """Refuse a part of whose tensors the file held none."""
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise SteeringError(f"{name} lacks {lacking[0]}{more} of its {part}; give a whole model")


def check_tokenizer(encoder: TextEncoder, usual: Any, name: str) -> None:
    """Refuse a tokenizer that a library made up where its files are missing or cut; ``usual`` is CLIP's own."""
    known, embedded = len(encoder.tokenizer), encoder.module.config.vocab_size
    if known < embedded:
        raise SteeringError(
            f"{name} has a tokenizer of {known} words and a text encoder of {embedded}: files of its tokenizer are "
            "missing; give a whole model"
        )
    if encoder.tokenizer(SENTENCE).input_ids != usual(SENTENCE).input_ids:
        raise SteeringError(
            f"{name} has a tokenizer that cuts words otherwise than CLIP's, as one whose merges.txt is cut; give a "
            "whole model"
        )


def check_widths(encoders: Sequence[TextEncoder], family: Family, name: str) -> None:
    """Refuse text encoders of other widths than the UNet reads."""
    width = sum(encoder.module.config.hidden_size for encoder in encoders)
    pooled = encoders[-1].module.config.projection_dim if family.pooled_width else 0
    if (width, pooled) != (family.text_width, family.pooled_width):
        raise SteeringError(
            f"{name} has text encoders of width {width}{f' and {pooled}' * bool(pooled)}, where {family.title} has "
            f"{family.text_width}{f' and {family.pooled_width}' * bool(pooled)}; give parts that belong together"
        )
