"""What the figures say about the study's claims, in sentences made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..sites import KINDS
from .figures import MARGIN, compared
from .measurements import Measurements
from .plan import CONTROLS, THIRDS
from .tables import Figures, arms_of, interval, p_text

LEVEL = 0.05
PLAIN_DAMAGE = 15.0
"""Points that a control direction may take out before its vector's effect counts as damage in part."""


@dataclass(frozen=True)
class Claim:
    """One claim about one concept.

    Attributes:
        claim: what was to be tested.
        answer: ``holds``, ``does not hold`` or ``undecided``.
        evidence: the figures in a sentence.
    """

    claim: str
    answer: str
    evidence: str


def claims(figures: Figures, measurements: Mapping[str, Measurements], study_k: int) -> list[Claim]:
    """The claims that these arms can test."""
    made = [
        _suppresses(figures, study_k),
        _is_the_direction(figures),
        _more_layers(figures, measurements),
        _moves_farther(figures),
        _keeps_the_rest(figures, study_k),
        _keeps_the_rest_when_chosen(figures),
        _refined(measurements, study_k),
        _kinds(figures, measurements, study_k),
        _windows(figures, measurements, study_k),
        _beats_the_negative_prompt(measurements),
        _score_shows_it(figures, study_k),
    ]
    return [claim for claim in made if claim]


def _decided(difference: Mapping[str, Any], wanted: int) -> str:
    """Whether a difference has the wanted sign, beyond its interval."""
    if wanted * difference["mean"] > 0 and difference["low"] * difference["high"] > 0:
        return "holds"
    return "does not hold" if difference["low"] * difference["high"] > 0 else "undecided"


def _suppresses(figures: Figures, k: int) -> Claim | None:
    arm = figures.get(f"study_k{k}")
    if not arm:
        return None
    p = arm.get("drop_p_holm", arm["drop_p"])
    answer = "holds" if p <= LEVEL and arm["drop"]["mean"] > 0 else "undecided" if p > LEVEL else "does not hold"
    return Claim(
        "Projection at several layers, strength 2.5, takes the concept out",
        answer,
        f"k = {k}: presence {figures['original']['presence']['mean']:.1f} → {interval(arm['presence'])}; "
        f"{interval(arm['drop'])} points lost, p {p_text(p)} (Holm); n = {arm['n']['target']}",
    )


def _is_the_direction(figures: Figures) -> Claim | None:
    arms = {name: figures[name]["drop"] for name in CONTROLS if name in figures}
    if not arms or "chosen" not in figures:
        return None
    worst, chosen = max(arms.values(), key=lambda arm: arm["mean"]), figures["chosen"]["drop"]
    ahead = chosen["low"] > worst["high"]
    lost = "; ".join(f"{name} {interval(arm)}" for name, arm in arms.items())
    return Claim(
        "It is the direction that does it, and not damage",
        "holds" if ahead and worst["mean"] <= PLAIN_DAMAGE else "does not hold" if worst["low"] > 0 else "undecided",
        f"points lost: the chosen vector {interval(chosen)}; edits of the same size along other "
        f"directions: {lost}; up to {PLAIN_DAMAGE:g} are allowed",
    )


def _more_layers(figures: Figures, measurements: Mapping[str, Measurements]) -> Claim | None:
    names = list(arms_of(figures, "study"))
    difference = compared(measurements, names[0], names[-1]) if len(names) > 1 else None
    if not difference:
        return None
    course = ", ".join(f"{figures[name]['presence']['mean']:.1f}" for name in names)
    return Claim(
        "More layers take out more",
        _decided(difference, 1),
        f"presence over k: {course}; {names[0]} less {names[-1]}: {interval(difference)}, p {p_text(difference['p'])}",
    )


def _moves_farther(figures: Figures) -> Claim | None:
    arms = arms_of(figures, "study")
    known = [name for name in ("FID", "FD-CLIP") if all(name in arm["distance"] for arm in arms.values())]
    if len(arms) < 2 or not known:
        return None
    values = [arm["distance"][known[0]]["same_seed"] for arm in arms.values()]
    digits = 1 if known[0] == "FID" else 3
    course = ", ".join(f"{value:.{digits}f}" for value in values)
    rising = sum(after > before for before, after in pairwise(values))
    floor = next(iter(arms.values()))["distance"][known[0]].get("floor")
    beside = f"; another seed alone is {floor:.{digits}f} away" if floor is not None else ""
    return Claim(
        f"More layers cost picture quality: {known[0]} rises with k",
        "does not hold" if values[-1] <= values[0] else "holds" if rising == len(values) - 1 else "undecided",
        f"{known[0]} to the originals over k: {course} (rises in {rising} of {len(values) - 1} steps){beside}. Prompts "
        "and seeds are the same on both sides, so this says how far pictures moved, the concept's absence included",
    )


def _kept(arm: Mapping[str, Any], name: str, claim: str) -> Claim | None:
    if len(arm.get("lost", {})) < 2:
        return None
    parts = {role: arm["lost"][role] for role in ("sibling", "unrelated")}
    kept = all(part["equivalence_p"] <= LEVEL for part in parts.values())
    beyond = any(part["loss"]["low"] > MARGIN for part in parts.values())
    text = "; ".join(f"{role} prompts lose {interval(part['loss'])}" for role, part in parts.items())
    return Claim(claim, "holds" if kept else "does not hold" if beyond else "undecided", f"{name}: {text}")


def _keeps_the_rest(figures: Figures, k: int) -> Claim | None:
    claim = f"The study's setting leaves other content alone (within {MARGIN:g} points)"
    return _kept(figures.get(f"study_k{k}", {}), f"study_k{k}", claim)


def _keeps_the_rest_when_chosen(figures: Figures) -> Claim | None:
    claim = f"A setting chosen on dev prompts leaves other content alone (within {MARGIN:g} points)"
    return _kept(figures.get("chosen", {}), "chosen", claim)


def _refined(measurements: Mapping[str, Measurements], k: int) -> Claim | None:
    difference = compared(measurements, f"study_k{k}", f"cpca_k{k}")
    if not difference:
        return None
    return Claim(
        "Contrastive PCA (foreground positives, background negatives) refines the direction",
        _decided(difference, 1),
        f"presence with the mean difference less that with its refined form, k = {k}: {interval(difference)}, "
        f"p {p_text(difference['p'])}",
    )


def _best(
    figures: Figures, measurements: Mapping[str, Measurements], names: list[str]
) -> tuple[str, str, dict | None, str]:
    """The arm of lowest presence, the next one, their difference, and all of them in words."""
    present = sorted((name for name in names if name in figures), key=lambda name: figures[name]["presence"]["mean"])
    course = ", ".join(f"{name} {figures[name]['presence']['mean']:.1f}" for name in present)
    if len(present) < 2:
        return "", "", None, course
    return present[0], present[1], compared(measurements, present[1], present[0]), course


def _alone(
    figures: Figures, measurements: Mapping[str, Measurements], k: int, names: list[str], claim: str
) -> Claim | None:
    first, second, difference, course = _best(figures, measurements, names)
    whole = compared(measurements, first, f"study_k{k}") if first else None
    if not difference or not whole:
        return None
    alone, ahead = whole["high"] <= MARGIN, difference["low"] > 0
    return Claim(
        claim,
        "holds" if alone and ahead else "does not hold" if whole["low"] > MARGIN else "undecided",
        f"presence left: {course}; {first} is ahead of {second} by {interval(difference)} and leaves "
        f"{interval(whole)} more than study_k{k}, which steers the best sites of all kinds all along",
    )


def _kinds(figures: Figures, measurements: Mapping[str, Measurements], k: int) -> Claim | None:
    names = [f"only_{kind}" for kind in KINDS]
    return _alone(figures, measurements, k, names, f"One kind of site carries the concept (k = {k} of it alone)")


def _windows(figures: Figures, measurements: Mapping[str, Measurements], k: int) -> Claim | None:
    names = [f"{third}_third" for third in THIRDS]
    return _alone(figures, measurements, k, names, "One third of the schedule decides")


def _beats_the_negative_prompt(measurements: Mapping[str, Measurements]) -> Claim | None:
    difference = compared(measurements, "negative_prompt", "chosen")
    if not difference:
        return None
    return Claim(
        "Steering takes out more than a negative prompt with the concept's name",
        _decided(difference, 1),
        f"presence with the negative prompt less that with the chosen vector: {interval(difference)}, "
        f"p {p_text(difference['p'])}",
    )


def _shown(steered: Mapping[str, Any], floor: Mapping[str, Any]) -> str:
    """Whether a fall of the score is beyond its interval, and beyond that of another seed."""
    if steered["high"] < min(0, floor["low"]):
        return "holds"
    return "does not hold" if steered["low"] >= floor["low"] else "undecided"


def _score_shows_it(figures: Figures, k: int) -> Claim | None:
    arm, seed = figures.get(f"study_k{k}"), figures.get("other_seed")
    if not arm or not seed or "clip_prompt" not in arm["clip"]:
        return None
    steered, floor = arm["clip"]["clip_prompt"], seed["clip"]["clip_prompt"]
    return Claim(
        "The CLIP score shows the suppression",
        _shown(steered["mean"], floor["mean"]),
        f"change with the full prompt {interval(steered['mean'], 2)} %, from {steered['weakest']:+.2f} to "
        f"{steered['strongest']:+.2f} over prompts; another seed alone {interval(floor['mean'], 2)} %, from "
        f"{floor['weakest']:+.2f} to {floor['strongest']:+.2f}",
    )
