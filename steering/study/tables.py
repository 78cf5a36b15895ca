"""The source study's tables in its own form, and ours beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluate.nudity import THRESHOLDS
from .choice import Outcome
from .detectors import Flagged
from .figures import FEATURES, MARGIN, TEXTS
from .records import ArmFigures, Figures
from .removal import SPACES
from .table import Table, interval, p_text

MAIN = ("study", "cpca", "chosen", "steered", "control", "negative")
"""Groups of arms that every table of ours shows."""


def arms_of(figures: Figures, *groups: str) -> dict[str, ArmFigures]:
    """The arms of some groups."""
    return {name: arm for name, arm in figures.items() if arm.group in groups}


def _distance_name(figures: Figures) -> str:
    """FID where Inception was measured, else FD-CLIP."""
    known = [name for name in FEATURES.values() if any(name in arm.distance for arm in figures.values())]
    return known[0] if known else ""


def _distance(arm: ArmFigures, name: str, part: str) -> str:
    value = getattr(arm.distance[name], part) if name in arm.distance else None
    digits = 1 if name == "FID" else 4
    return "" if value is None else f"{value:.{digits}f}"


def source_clip(concepts: Mapping[str, Figures]) -> Table:
    """The source study's first table: CLIP change and distance per k."""
    distance = next((name for name in map(_distance_name, concepts.values()) if name), "distance")
    rows = []
    for concept, figures in concepts.items():
        for name, arm in arms_of(figures, "study", "cpca", "steered").items():
            clip = arm.clip["clip_prompt"]
            cells = (clip.weakest, clip.mean.mean, clip.strongest)
            rows.append((concept, name, *(f"{cell:+.2f}" for cell in cells), _distance(arm, distance, "same_seed")))
    return Table(
        f"The source study's form: change of the CLIP score in percent, and {distance}, by number of layers",
        ("concept", "arm", "weakest", "mean", "strongest", distance),
        tuple(rows),
        "Score (cos + 1) / 2 with the full prompt, per prompt, against the original of the same seed; ordered by "
        f"suppression, so 'weakest' is the largest change. {distance} is of steered and original pictures of the same "
        "seeds, which measures how far pictures moved and not how good they are.",
    )


def our_clip(concepts: Mapping[str, Figures]) -> Table:
    """The same with what a reviewer asks: intervals, three texts, floor, excess, kernel distance."""
    distance = next((name for name in map(_distance_name, concepts.values()) if name), "distance")
    rows = []
    for concept, figures in concepts.items():
        for name, arm in arms_of(figures, *MAIN, "floor").items():
            texts = [interval(arm.clip[text].mean, 2) if text in arm.clip else "" for text in TEXTS]
            parts = [_distance(arm, distance, part) for part in ("floor", "excess")]
            known = arm.distance.get(distance)
            kernel = f"{known.kernel:.3g} ({p_text(known.kernel_p)})" if known else ""
            rows.append((concept, name, *texts, *parts, kernel))
    kernel_name = "KID×1000 (p)" if distance == "FID" else "kernel distance×1000 (p)"
    return Table(
        "Ours beside it: three texts with intervals, and distances with their floor",
        ("concept", "arm", *(f"CLIP, {text}, %" for text in TEXTS.values()), "floor", "excess", kernel_name),
        tuple(rows),
        "Means over prompts with 95 % intervals. The prompt without the concept must not fall. Floor: the distance of "
        "two sets of originals with different seeds, of as many pictures; excess: how much farther the steered "
        "pictures are from the second set. Kernel distance (KID where features are Inception's): paired U-statistic "
        "against the originals, p by swaps within pairs.",
    )


def source_presence(concepts: Mapping[str, Figures], source: str) -> Table:
    """The source study's second table: a vision language model's score, or what stands in for it."""
    judged = any(arm.judge and arm.judge.scores for figures in concepts.values() for arm in figures.values())
    source, rows = "a vision language model" if judged else source, []
    for concept, figures in concepts.items():
        for name, arm in arms_of(figures, "study", "cpca", "steered").items():
            before, after = _scores(figures["original"], arm)
            rows.append((concept, name, f"{before:.1f}", f"{after:.1f}"))
    return Table(
        f"The source study's form: presence of the concept, 0 to 100, by {source}",
        ("concept", "arm", "original", "steered"),
        tuple(rows),
    )


def _scores(original: ArmFigures, arm: ArmFigures) -> tuple[float, float]:
    if arm.judge and arm.judge.scores:
        return arm.judge.scores.paired
    return original.presence.mean, arm.presence.mean


def removals(concepts: Mapping[str, Figures]) -> Table:
    """The five parts of a removal in every arm: what a person looks for."""
    spaces = [
        name
        for name in SPACES.values()
        if any(name in arm.removal.counterfactual for figures in concepts.values() for arm in figures.values())
    ]
    rows = []
    for concept, figures in concepts.items():
        for name, arm in figures.items():
            parts = (arm.removal.clean, arm.removal.presence, arm.removal.debris, arm.removal.kept)
            far = [interval(arm.removal.counterfactual.get(space), 2) for space in spaces]
            rows.append((concept, name, str(arm.n["target"]), *map(interval, parts), *far))
    return Table(
        "Clean removal, and its parts, on target prompts",
        ("concept", "arm", "n", "clean, %", "presence", "debris", "kept", *(f"counterfactual, {s}" for s in spaces)),
        tuple(rows),
        "Clean: the concept absent, nothing broken or ghosted left, and what else the prompt asks for still there; the "
        "share of prompts with its Wilson interval. Presence, debris and kept are 0 to 100. Counterfactual: the "
        "distance to the picture of the same prompt without the concept and the same seed, the original's being 1: 0 "
        "is as if it had never been asked for. Other intervals are the widest of t, BCa, and t over groups of prompts. "
        "The arm counterfactual is that other prompt, isotropic and the controls are steered as far along random or "
        "wrong directions.",
    )


def appeared(concepts: Mapping[str, Figures]) -> Table:
    """What the concept turned into."""
    rows = []
    for concept, figures in concepts.items():
        for name, arm in figures.items():
            found = arm.removal.instead
            if found and arm.group != "original":
                nothing = found.get("nothing", 0.0)
                others = [f"{what} {part:.0f}" for what, part in found.items() if what != "nothing"]
                rows.append((concept, name, str(arm.n["target"]), f"{nothing:.0f}", ", ".join(others)))
    return Table(
        "What appeared in the concept's place",
        ("concept", "arm", "n", "nothing, %", "other things and styles, %"),
        tuple(rows),
        "In percent of the target prompts' pictures, where the concept is absent: what neither the prompt asked for "
        "nor the original showed. A doubled companion counts as nothing; a picture may hold several things.",
    )


def our_presence(concepts: Mapping[str, Figures]) -> Table:
    """Presence with intervals, tests, and what it cost."""
    rows = []
    for concept, figures in concepts.items():
        for name, arm in figures.items():
            cells = [str(arm.n["target"]), interval(arm.presence)]
            blank = ("",) * 7
            rows.append((concept, name, *cells, *(blank if arm.group == "original" else _effect(arm))))
    return Table(
        "Ours beside it: presence with intervals, and what the rest lost",
        (
            "concept",
            "arm",
            "n",
            "presence",
            "points lost",
            "p",
            "siblings lose (≤)",
            "unrelated lose (≤)",
            f"within {MARGIN:g}?",
            "siblings gain",
            "unrelated gain",
        ),
        tuple(rows),
        "p: sign flips of the differences per prompt, adjusted by Holm over k and concepts for the source study's arms "
        "(* not adjusted). In brackets after a loss its one-sided 95 % bound, which holds where losses are rare and "
        "total. "
        f"Then whether both losses, and gains, are shown to lie within {MARGIN:g} points by such bounds. Gain: "
        "points of the concept that appeared where nobody asked for it.",
    )


def _effect(arm: ArmFigures) -> tuple[str, ...]:
    p, mark = (arm.drop_p, "*") if arm.drop_p_holm is None else (arm.drop_p_holm, "")
    parts = [arm.losses.get(role) for role in ("sibling", "unrelated")]
    gains = [f"{part.gains_concept.mean:.1f}" if part else "" for part in parts]
    return interval(arm.drop), p_text(p) + mark, *costs(arm), *gains


def costs(arm: ArmFigures) -> tuple[str, str, str]:
    """What siblings and unrelated prompts lose, with bounds, and whether both are shown to be kept."""
    parts = [arm.losses.get(role) for role in ("sibling", "unrelated")]
    texts = [f"{part.loss.mean:.1f} ({part.bound:.1f})" if part else "" for part in parts]
    if not all(parts):
        return texts[0], texts[1], ""
    return texts[0], texts[1], "yes" if all(part.within for part in parts if part) else "no"


def source_nudity(concepts: Mapping[str, Figures]) -> Table:
    """The source study's third table: NudeNet's score, original and steered."""
    rows = []
    for concept, figures in concepts.items():
        for name, arm in arms_of(figures, *MAIN).items():
            if "nudity" in arm.nudity:
                found = arm.nudity["nudity"]
                sides = (found.original, found.steered)
                rows.append((concept, name, *(f"{v:.1f}" for s in sides for v in (s.min, s.mean, s.max))))
    heads = tuple(f"{side} {part}" for side in ("original", "steered") for part in ("min", "mean", "max"))
    return Table(
        "The source study's form: NudeNet's score, 0 to 100",
        ("concept", "arm", *heads),
        tuple(rows),
        "100 times the largest raw confidence of five exposed classes, without the package's floor of 0.25.",
    )


def our_nudity(concepts: Mapping[str, Figures]) -> Table:
    """Shares of flagged prompts at the thresholds in use."""
    rows = []
    for concept, figures in concepts.items():
        for name, arm in arms_of(figures, *MAIN).items():
            if "nudity" in arm.nudity:
                flags = arm.nudity["nudity"].flagged
                rows.append((concept, name, *(_flag(flags[f"{threshold:g}"]) for threshold in THRESHOLDS)))
    return Table(
        "Ours beside it: prompts whose pictures NudeNet flags, percent",
        ("concept", "arm", *(f"from {threshold:g}" for threshold in THRESHOLDS)),
        tuple(rows),
        "Original → steered with its Wilson interval, and the p-value of McNemar's exact test.",
    )


def _flag(flag: Flagged) -> str:
    return f"{flag.original.mean:.0f} → {flag.steered} ({p_text(flag.p)})"


def judge_counts(concepts: Mapping[str, Figures]) -> Table:
    """What the judge did not answer."""
    rows = []
    for concept, figures in concepts.items():
        for name, arm in figures.items():
            judged = arm.judge
            if judged:
                verdicts = "/".join(str(judged.verdicts[word]) for word in ("yes", "partly", "no"))
                counts = [str(count) for count in (judged.answered, judged.refused, judged.failed)]
                made = judged.scores
                score, lost, worst = ("",) * 3
                if made:
                    score, lost = interval(made.score), f"{interval(made.drop)} ({p_text(made.drop_p)})"
                    worst = f"{made.worst_case[0]:.1f} to {made.worst_case[1]:.1f}"
                rows.append((concept, name, score, lost, *counts, verdicts, worst))
    return Table(
        "The judge's answers",
        ("concept", "arm", "score", "points lost (p)", "answered", "refused", "failed", "yes/partly/no", "worst case"),
        tuple(rows),
        "Points lost are of prompts answered on both sides. Refused and failed pictures are missing, never 0; the "
        "worst case puts 0 or 100 in their place.",
    )


def compared_settings(title: str, outcomes: Sequence[Outcome]) -> Table:
    """Settings that were compared on dev prompts."""
    heads = ("worth", "clean, %", "presence", "debris", "kept", "counterfactual", "siblings lose", "unrelated lose")
    return Table(
        title,
        ("setting", *heads),
        tuple(
            (one.setting.name, *("" if value is None else f"{value:.1f}" for value in _numbers(one)))
            for one in outcomes
        ),
        "Worth is what is chosen by. Counterfactual: the distance to it in percent of the original's.",
    )


def _numbers(one: Outcome) -> tuple[float | None, ...]:
    far = None if one.counterfactual is None else 100 * one.counterfactual
    return one.worth, one.clean, one.presence, one.debris, one.kept, far, one.sibling, one.unrelated


def tables_of(concepts: Mapping[str, Figures], source: str) -> list[Table]:
    """Every table that has rows."""
    made = [
        removals(concepts),
        source_clip(concepts),
        our_clip(concepts),
        source_presence(concepts, source),
        our_presence(concepts),
        judge_counts(concepts),
        source_nudity(concepts),
        our_nudity(concepts),
        appeared(concepts),
    ]
    return [table for table in made if table.rows]
