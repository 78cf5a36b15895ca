"""Every method that is compared, with what is tried of it on dev prompts: at most four settings each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from steering.study.setting import Recipe, Setting

from .closed_form import Edit, edited
from .gloce import Gate, gated
from .guidance import (
    MAXIMAL,
    MEDIUM,
    STRONG,
    WEAK,
    NegativeGuidance,
    NegativePrompt,
    PerpNeg,
    Safe,
    SafeRule,
    guided,
)
from .learned import Learned, Method
from .ours import across, steered
from .safree import Filter, filtered
from .trained import Training, trained

WEIGHTS = (0.5, 1.0, 2.0, 4.0)


@contextmanager
def nothing(_learned: Learned, _setting: Any) -> Iterator[None]:
    """The model as it is."""
    yield


@contextmanager
def safe(learned: Learned, setting: Safe) -> Iterator[None]:
    """SLD with a memory of its own."""
    with guided(learned, SafeRule(setting)):
        yield


def _edits(**more: Any) -> dict[str, Edit]:
    return {f"keep {keep:g}": Edit(keep=keep, **more) for keep in (0.01, 0.1, 1.0)}


ORIGINAL = Method("original", {"": None}, nothing)
METHODS = (
    ORIGINAL,
    Method(
        "conditional map of the text",
        {
            "local": Setting.of_map(),
            **{f"rank {rank}": Setting.of_map("affine", rank) for rank in (4, 8, 16)},
        },
        steered,
        ours=True,
    ),
    Method(
        "directions at blocks",
        {
            "precise 1, k = 8": Setting(Recipe(8), "precise", 1.0),
            "precise 1.5, attn2": across("mean", "precise", 1.5),
            "lora 1, attn2": across("mean", "lora", 1.0),
            "projection 1.5, k = 5": Setting(Recipe(5), "projection", 1.5),
        },
        steered,
        ours=True,
    ),
    Method(
        "the source study",
        {f"projection 2.5, k = {k}": Setting(Recipe(k), "projection", 2.5) for k in (1, 3, 5, 10)},
        steered,
    ),
    Method(
        "CASteer",
        {f"β = {beta:g}": across("mean", "casteer", beta) for beta in (1.0, 1.5, 2.0, 3.0)},
        steered,
    ),
    Method(
        "LEACE",
        {f"λ = {one:g}": across("whitened", "lora", one) for one in (0.5, 1.0, 1.5, 2.0)},
        steered,
    ),
    Method(
        "MidSteer's affine map",
        {f"rank {rank}": across("affine", "affine", 1.0, rank) for rank in (1, 2, 4, 8)},
        steered,
    ),
    Method("UCE", _edits(), edited),
    Method("UCE, from the pairs", _edits(pairs=True), edited),
    Method("RECE", {f"{n} rounds": Edit(keep=0.1, rounds=n) for n in (1, 2, 3)}, edited),
    Method(
        "GLoCE",
        {f"{n:g} spreads": Gate(n) for n in (0.0, 1.0, 2.0)} | {"1 spread, from the start": Gate(1.0, 0.0)},
        gated,
    ),
    Method(
        "SLD",
        {"weak": WEAK, "medium": MEDIUM, "strong": STRONG, "maximal": MAXIMAL},
        safe,
    ),
    Method(
        "SAFREE",
        {
            "α = 0.01": Filter(),
            "α = 0.01, all steps": Filter(always=True),
            "α = 0, all steps": Filter(0.0, always=True),
            "α = -0.1, all steps": Filter(-0.1, always=True),
        },
        filtered,
    ),
    Method("Perp-Neg", {f"w = {w:g}": PerpNeg(w) for w in WEIGHTS}, guided),
    Method("negative prompt", {"": NegativePrompt()}, guided),
    Method("negative guidance", {f"w = {w:g}": NegativeGuidance(w) for w in WEIGHTS}, guided),
    Method("ESD-x", {f"η = {eta:g}": Training(eta=eta) for eta in (1.0, 2.0)}, trained),
    Method(
        "concept slider",
        {f"scale {scale:g}": Training(slider=True, scale=scale) for scale in (1.0, 1.25, 1.5, 2.0)},
        trained,
    ),
)
