"""The commands from pairs to a vector: ``steering capture``, ``score`` and ``build``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclopts.types import PositiveInt

from ..errors import SteeringError
from ..sites import BLOCKS
from ..vectors.recommendation import Recommendation
from ..vectors.times import Time
from .options import BatchedSampling, Force, Json, Model, new_file
from .output import answer, progress
from .placement import HERE, Placement


def capture(
    model: Model,
    concept: str,
    /,
    *,
    out: Path,
    sites: str = BLOCKS,
    seed: int = 0,
    sampling: BatchedSampling = BatchedSampling(),
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Record what every site does on both sides of every pair.

    Args:
        concept: A built-in concept, a folder that steering concept wrote, or a .csv or .jsonl file of pairs.
        out: File to write, .safetensors.
        sites: Kinds (attn1, attn2, ff, resnet) and site names, separated by commas; or text, the embedding of the
            prompts, which takes no sampling.
        seed: Pair i starts from the noise of seed + i.
    """
    from ..activations.capture import capture as run_capture
    from ..activations.parts import capture_rows, parts_folder, remove_parts
    from ..concepts.pairs import load_pairs
    from ..concepts.prompts import concept_name
    from ..models.sampling import CaptureSettings

    new_file(out, "activations", inputs=[model, concept], force=force)
    loaded = placement.load(model)
    pairs = load_pairs(concept, loaded.family)
    settings = CaptureSettings(sampling.steps, sampling.guidance, seed, sampling.size, sampling.batch)
    parts = parts_folder(out)
    rows = capture_rows(len(pairs), settings)
    with progress(rows, "capture") as update:
        made = run_capture(
            loaded,
            pairs,
            sites=sites,
            settings=settings,
            concept=concept_name(Path(concept)),
            parts=parts,
            progress=update,
        )
        if made.tokens > 1:
            update(rows)  # of the text alone, which is read at once
    made.save(out)
    remove_parts(parts)
    values = {"out": str(out), "pairs": len(pairs), "sites": len(made.tensors), "steps": len(made.sigmas)}
    sizes = ((len(pairs), "pair"), (len(made.tensors), "site"), (len(made.sigmas), "step"))
    answer(values, as_json, f"{', '.join(_counted(*size) for size in sizes)}: {out}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def score(
    activations: Path,
    /,
    *,
    mode: str = "cross-fitted",
    out: Path | None = None,
    plot: Path | None = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Score how steerable the concept is at every site and noise level.

    Args:
        activations: A file written by steering capture.
        mode: cross-fitted, or paper (fitted and scored on the same pairs).
        out: File to write, .json.
        plot: Heat map to write, .png.
    """
    from ..activations.store import Activations
    from ..scores.navigator import as_lines
    from ..scores.navigator import score as run_score

    new_file(out, "scores", inputs=[activations], force=force)
    new_file(plot, "picture", option="--plot", inputs=[activations], force=force)
    scores = run_score(Activations.load(activations), mode)
    if out:
        scores.save(out)
    if plot:
        from ..plots.figures import heat_map

        heat_map(scores, plot)
    best = scores.ranking(10)
    values = {"mode": mode, "best": {site: round(mean, 4) for site, mean in best.items()}}
    answer({**values, "out": str(out) if out else None}, as_json, as_lines(best))


def build(
    activations: Path,
    /,
    *,
    out: Path,
    scores: Path | None = None,
    direction: str = "mean",
    rank: PositiveInt = 1,
    alpha: str | None = None,
    components: PositiveInt | None = None,
    background: str = "negatives",
    protect: list[str] | None = None,
    top_k: PositiveInt = 5,
    select: str = "per-step",
    time: Time = "per-step",
    calibrate: str | None = None,
    recommend: str | None = None,
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Build a steering vector.

    Args:
        activations: A file written by steering capture.
        out: Vector to write, .safetensors.
        scores: A file written by steering score; made here if not given.
        direction: mean, pca, cpca, cpca-paired, cpca-denoised, whitened, cpca-source (as the source study ran it),
            affine, or kernel, which is for a capture of the text.
        rank: Directions per site and step; above 1 with pca, cpca-paired.
        alpha: Weight of the background in contrastive PCA, from 0 (1 if not given), or auto: pairs held out choose.
        components: Of contrastive PCA, in whose span directions lie; the method's own number.
        background: Of contrastive PCA: negatives, within, early, or the FILE of a capture of neutral pairs.
        protect: FILE of a capture that is to be kept: nothing moves along its mean difference, and maps of the text
            leave its prompts alone; repeatable.
        top_k: Sites per step, or overall.
        select: per-step, overall (both also among some, as overall:attn2), random:SEED, or kinds and sites, at some
            noise levels as in4.attn2:14.61-2.42.
        time: per-step directions, or one constant in time.
        calibrate: The captured MODEL: measures the gate thresholds that the preset selective needs.
        recommend: Preset and strength that the file recommends to its users, as precise:1.
    """
    from ..activations.store import Activations
    from ..directions.methods import CONTRASTS
    from ..interventions.entry import make_entry
    from ..scores.navigator import Scores
    from ..vectors.build import build as run_build
    from ..vectors.vector import recommend as recommending

    read = [activations, scores, background, *(protect or []), calibrate]
    new_file(out, "vector", inputs=filter(None, read), force=force)
    if alpha is not None and direction not in CONTRASTS:
        raise SteeringError(f"--alpha is for {', '.join(CONTRASTS)}; direction {direction!r} has none, leave it out")
    if placement != HERE and not calibrate:
        raise SteeringError("--device, --dtype, --offload and --scheduler are for --calibrate; leave them out")
    advice = _advice(recommend) if recommend else None
    given = Scores.load(scores) if scores else None
    captured = Activations.load(activations)
    behind = Activations.load(background) if Path(background).is_file() else background
    kept = [Activations.load(path) for path in protect or []]
    vector = run_build(
        captured,
        given,
        top_k=top_k,
        select_by=select,
        direction=direction,
        time=time,
        rank=rank,
        alpha="1" if alpha is None else alpha,
        components=components,
        background=behind,
        protect=kept,
    )
    if calibrate:
        vector = _calibrated(vector, captured.metadata, calibrate, placement)
    if advice:
        vector = recommending(vector, advice)
        make_entry(vector)  # refuses what the vector cannot do
    vector.save(out)
    names = [str(site) for site in vector.sites]
    answer({"out": str(out), "sites": names}, as_json, f"{_counted(len(names), 'site')} ({', '.join(names)}): {out}")


def _advice(text: str) -> Recommendation:
    """``PRESET:STRENGTH`` as a recommendation."""
    from ..interventions.presets import get_preset

    preset, _, number = text.partition(":")
    try:
        strength = float(number)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise SteeringError(f"--recommend {text!r} must be PRESET:STRENGTH, as precise:1")
    get_preset(preset)
    return Recommendation(preset, strength)


def _calibrated(vector: Any, captured: Mapping[str, Any], model: str, placement: Placement) -> Any:
    """The vector with gate thresholds, measured on the negative prompts as they were captured."""
    from ..activations.parts import capture_rows
    from ..vectors.calibration import calibrate, captured_negatives, with_thresholds

    loaded = placement.as_captured(captured).load(model)
    negatives, settings = captured_negatives(loaded, captured)
    rows = capture_rows(len(negatives), settings) // 2  # one side of every pair
    with progress(rows, "calibrate") as update:
        return with_thresholds(vector, calibrate(loaded, vector, negatives, settings, update))
