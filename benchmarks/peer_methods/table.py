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
    Safe,
    SafeRule,
    guided,
    negative_guidance,
    negative_prompt,
    perp_neg,
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
def safe(learned: Learned, setting: tuple[Safe, int]) -> Iterator[None]:
    """SLD with its settings, for a number of steps, with a memory of its own."""
    with guided(learned, SafeRule(*setting)):
        yield


def _edits(**more: Any) -> dict[str, Edit]:
    return {f"keep {keep:g}": Edit(keep=keep, **more) for keep in (0.01, 0.1, 1.0)}


METHODS = [
    Method("original", "", {"": None}, nothing),
    Method(
        "conditional map of the text",
        "",
        {f"rank {rank}": Setting(Recipe.of_text(rank), "conditional", 1.0) for rank in (4, 6, 8, 16)},
        steered,
    ),
    Method(
        "directions at blocks",
        "",
        {
            "precise 1, k = 8": Setting(Recipe(8), "precise", 1.0),
            "precise 1.5, attn2": across("mean", "precise", 1.5),
            "lora 1, attn2": across("mean", "lora", 1.0),
            "projection 1.5, k = 5": Setting(Recipe(5), "projection", 1.5),
        },
        steered,
    ),
    Method(
        "the source study",
        "",
        {f"projection 2.5, k = {k}": Setting(Recipe(k), "projection", 2.5) for k in (1, 3, 5, 10)},
        steered,
    ),
    Method(
        "CASteer",
        "2503.09630",
        {f"β = {beta:g}": across("mean", "casteer", beta) for beta in (1.0, 1.5, 2.0, 3.0)},
        steered,
    ),
    Method(
        "LEACE",
        "2306.03819",
        {f"λ = {one:g}": across("whitened", "lora", one) for one in (0.5, 1.0, 1.5, 2.0)},
        steered,
    ),
    Method(
        "MidSteer's affine map",
        "",
        {f"rank {rank}": across("affine", "affine", 1.0, rank) for rank in (1, 2, 4, 8)},
        steered,
    ),
    Method("UCE", "2308.14761", _edits(), edited),
    Method("UCE, from the pairs", "2308.14761", _edits(pairs=True), edited),
    Method("RECE", "2407.12383", {f"{n} rounds": Edit(keep=0.1, rounds=n) for n in (1, 2, 3)}, edited),
    Method(
        "GLoCE",
        "2503.12356",
        {f"{n:g} spreads": Gate(n) for n in (0.0, 1.0, 2.0)} | {"1 spread, from the start": Gate(1.0, 0.0)},
        gated,
    ),
    Method(
        "SLD",
        "2211.05105",
        {
            name: (setting, 30)
            for name, setting in {"weak": WEAK, "medium": MEDIUM, "strong": STRONG, "maximal": MAXIMAL}.items()
        },
        safe,
    ),
    Method(
        "SAFREE",
        "2410.12761",
        {
            "α = 0.01": Filter(),
            "α = 0.01, all steps": Filter(always=True),
            "α = 0, all steps": Filter(0.0, always=True),
            "α = -0.1, all steps": Filter(-0.1, always=True),
        },
        filtered,
    ),
    Method("Perp-Neg", "2304.04968", {f"w = {w:g}": perp_neg(w) for w in WEIGHTS}, guided),
    Method("negative prompt", "", {"": negative_prompt}, guided),
    Method("negative guidance", "", {f"w = {w:g}": negative_guidance(w) for w in WEIGHTS}, guided),
    Method("ESD-x", "2303.07345", {f"η = {eta:g}": Training(eta=eta) for eta in (1.0, 2.0)}, trained),
    Method(
        "concept slider",
        "2311.12092",
        {f"scale {scale:g}": Training(slider=True, scale=scale) for scale in (1.0, 1.25, 1.5, 2.0)},
        trained,
    ),
]
