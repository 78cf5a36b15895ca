"""What the figures say about the source study's claims, in sentences made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..evaluate.statistics import Estimate
from ..sites import KINDS
from .figures import MARGIN, compared
from .measurements import Measurements
from .plan import CONTROLS, STUDY, THIRDS
from .records import ArmFigures, Difference, Figures
from .table import interval, p_text
from .tables import arms_of

LEVEL = 0.05
GONE = 10.0
"""Points of presence that may be left of what is said to be taken out."""
CLEAN = 90.0
"""Percent of target prompts that a clean removal is to leave clean."""
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
        _cleanly(figures, f"study_k{study_k}", "The source study's setting"),
        _cleanly(figures, "chosen", "A setting chosen on dev prompts"),
        _suppresses(figures, study_k),
        _is_the_direction(figures, "chosen", "", "It is the direction that does it, and not damage"),
        _is_the_direction(
            figures, f"study_k{study_k}", STUDY, "At the source study's setting it is the direction that does it, too"
        ),
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


def _decided(difference: Estimate, wanted: int) -> str:
    """Whether a difference has the wanted sign, beyond its interval."""
    beyond = difference.low * difference.high > 0
    return "undecided" if not beyond else "holds" if wanted * difference.mean > 0 else "does not hold"


def _suppresses(figures: Figures, k: int) -> Claim | None:
    """Taken out means taken out: presence shown to be below `GONE`, not only lower than before."""
    arm = figures.get(f"study_k{k}")
    if not arm:
        return None
    p, by = (arm.drop_p, "") if arm.drop_p_holm is None else (arm.drop_p_holm, " (Holm)")
    gone, there = arm.presence.high <= GONE and p <= LEVEL, arm.presence.low > GONE
    return Claim(
        f"The source study's setting takes the concept out (at most {GONE:g} left)",
        "holds" if gone else "does not hold" if there else "undecided",
        f"k = {k}: presence {figures['original'].presence.mean:.1f} → {interval(arm.presence)}; "
        f"{interval(arm.drop)} points lost, p {p_text(p)}{by}; n = {arm.n['target']}",
    )


def _cleanly(figures: Figures, name: str, title: str) -> Claim | None:
    arm = figures.get(name)
    found = arm.removal.clean if arm else None
    if arm is None or found is None:
        return None
    parts = (("presence", arm.presence), ("debris", arm.removal.debris), ("kept", arm.removal.kept))
    beside = ", ".join(f"{part} {interval(value)}" for part, value in parts if value)
    return Claim(
        f"{title} removes the concept cleanly (in at least {CLEAN:g} % of the prompts)",
        "holds" if found.low >= CLEAN else "does not hold" if found.high < CLEAN else "undecided",
        f"{name}: clean {interval(found)} %; {beside}; n = {found.n}",
    )


def _is_the_direction(figures: Figures, name: str, prefix: str, claim: str) -> Claim | None:
    """Whether an arm is ahead of its controls, whose names begin with the prefix."""
    arms = {control: figures[prefix + control].drop for control in CONTROLS if prefix + control in figures}
    if not arms or name not in figures:
        return None
    worst, steered = max(arms.values(), key=lambda arm: arm.mean), figures[name].drop
    ahead = steered.low > worst.high
    lost = "; ".join(f"{control} {interval(drop)}" for control, drop in arms.items())
    return Claim(
        claim,
        "holds" if ahead and worst.mean <= PLAIN_DAMAGE else "does not hold" if worst.low > 0 else "undecided",
        f"points lost: {name} {interval(steered)}; edits of the same size along other "
        f"directions: {lost}; up to {PLAIN_DAMAGE:g} are allowed",
    )


def _more_layers(figures: Figures, measurements: Mapping[str, Measurements]) -> Claim | None:
    names = list(arms_of(figures, "study"))
    difference = compared(measurements, names[0], names[-1]) if len(names) > 1 else None
    if not difference:
        return None
    course = ", ".join(f"{figures[name].presence.mean:.1f}" for name in names)
    return Claim(
        "More layers take out more",
        _decided(difference.points, 1),
        f"presence over k: {course}; {names[0]} less {names[-1]}: {_said(difference)}",
    )


def _moves_farther(figures: Figures) -> Claim | None:
    arms = arms_of(figures, "study")
    known = [name for name in ("FID", "FD-CLIP") if all(name in arm.distance for arm in arms.values())]
    if len(arms) < 2 or not known:
        return None
    values = [arm.distance[known[0]].same_seed for arm in arms.values()]
    digits = 1 if known[0] == "FID" else 3
    course = ", ".join(f"{value:.{digits}f}" for value in values)
    rising = sum(after > before for before, after in pairwise(values))
    floor = next(iter(arms.values())).distance[known[0]].floor
    beside = f"; another seed alone is {floor:.{digits}f} away" if floor is not None else ""
    return Claim(
        f"More layers cost picture quality: {known[0]} rises with k",
        "does not hold" if values[-1] <= values[0] else "holds" if rising == len(values) - 1 else "undecided",
        f"{known[0]} to the originals over k: {course} (rises in {rising} of {len(values) - 1} steps){beside}. Prompts "
        "and seeds are the same on both sides, so this says how far pictures moved, the concept's absence included",
    )


def _kept(arm: ArmFigures | None, name: str, claim: str) -> Claim | None:
    if arm is None or len(arm.losses) < 2:
        return None
    kept = all(part.within for part in arm.losses.values())
    beyond = any(part.loss.low > MARGIN for part in arm.losses.values())
    text = "; ".join(
        f"{role} prompts lose {interval(part.loss)} (≤ {part.bound:.1f})" for role, part in arm.losses.items()
    )
    return Claim(claim, "holds" if kept else "does not hold" if beyond else "undecided", f"{name}: {text}")


def _keeps_the_rest(figures: Figures, k: int) -> Claim | None:
    claim = f"The source study's setting leaves other content alone (within {MARGIN:g} points)"
    return _kept(figures.get(f"study_k{k}"), f"study_k{k}", claim)


def _keeps_the_rest_when_chosen(figures: Figures) -> Claim | None:
    claim = f"A setting chosen on dev prompts leaves other content alone (within {MARGIN:g} points)"
    return _kept(figures.get("chosen"), "chosen", claim)


def _refined(measurements: Mapping[str, Measurements], k: int) -> Claim | None:
    difference = compared(measurements, f"study_k{k}", f"cpca_k{k}")
    if not difference:
        return None
    return Claim(
        "Contrastive PCA (foreground positives, background negatives) refines the direction",
        _decided(difference.points, 1),
        f"presence with the mean difference less that with its refined form, k = {k}: {_said(difference)}",
    )


def _best(
    figures: Figures, measurements: Mapping[str, Measurements], names: list[str]
) -> tuple[str, str, Difference | None, str]:
    """The arm of lowest presence, the next one, their difference, and all of them in words."""
    present = sorted((name for name in names if name in figures), key=lambda name: figures[name].presence.mean)
    course = ", ".join(f"{name} {figures[name].presence.mean:.1f}" for name in present)
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
    alone, ahead = whole.points.high <= MARGIN, difference.points.low > 0
    return Claim(
        claim,
        "holds" if alone and ahead else "does not hold" if whole.points.low > MARGIN else "undecided",
        f"presence left: {course}; {first} is ahead of {second} by {interval(difference.points)} and leaves "
        f"{interval(whole.points)} more than study_k{k}, which steers the best sites of all kinds all along",
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
        _decided(difference.points, 1),
        f"presence with the negative prompt less that with the chosen vector: {_said(difference)}",
    )


def _shown(steered: Estimate, floor: Estimate) -> str:
    """Whether a fall of the score is beyond its interval, and beyond that of another seed."""
    if steered.high < min(0, floor.low):
        return "holds"
    return "does not hold" if steered.low >= floor.low else "undecided"


def _said(difference: Difference) -> str:
    return f"{interval(difference.points)}, p {p_text(difference.p)}"


def _score_shows_it(figures: Figures, k: int) -> Claim | None:
    arm, seed = figures.get(f"study_k{k}"), figures.get("other_seed")
    if not arm or not seed or "clip_prompt" not in arm.clip:
        return None
    steered, floor = arm.clip["clip_prompt"], seed.clip["clip_prompt"]
    return Claim(
        "The CLIP score shows the suppression",
        _shown(steered.mean, floor.mean),
        f"change with the full prompt {interval(steered.mean, 2)} %, from {steered.weakest:+.2f} to "
        f"{steered.strongest:+.2f} over prompts; another seed alone {interval(floor.mean, 2)} %, from "
        f"{floor.weakest:+.2f} to {floor.strongest:+.2f}",
    )
