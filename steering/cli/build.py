"""The commands from pairs to a vector: ``steering capture``, ``score`` and ``build``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SteeringError
from ..vectors.build import Time
from .options import SITES, Device, JsonFlag, answer, new_file, progress


def capture(
    model: Annotated[str, typer.Argument(help="pocket, a diffusers folder, a hub id, or a .safetensors checkpoint.")],
    concept: Annotated[str, typer.Argument(help="A built-in concept, or a .csv or .jsonl file of pairs.")],
    out: Annotated[Path, typer.Option(help="File to write, .safetensors.")],
    sites: Annotated[str, typer.Option(help="Kinds and site names, separated by commas.")] = SITES,
    steps: Annotated[int, typer.Option(min=1, help="Sampling steps.")] = 30,
    guidance: Annotated[
        float | None, typer.Option(help="Classifier-free guidance; the model's own if not given, 1 halves the cost.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Pair i starts from the noise of seed + i.")] = 0,
    batch: Annotated[int | None, typer.Option(min=1, help="Pairs computed together; the model's usual number.")] = None,
    size: Annotated[int | None, typer.Option(help="Width and height in pixels; the model's own if not given.")] = None,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Record what every site does on both sides of every pair."""
    import shutil

    from ..activations.capture import capture as run_capture
    from ..activations.capture import capture_rows
    from ..concepts.pairs import load_pairs
    from ..models.loading import load_model
    from ..models.sampling import CaptureSettings

    new_file(out, ".safetensors")
    loaded = load_model(model, device)
    pairs = load_pairs(concept, loaded.family)
    settings = CaptureSettings(steps, guidance, seed, size, batch)
    parts = out.with_name(f".{out.stem}_parts")
    with progress(capture_rows(len(pairs), settings), "capture") as update:
        made = run_capture(
            loaded, pairs, sites=sites, settings=settings, concept=Path(concept).stem, parts=parts, progress=update
        )
    made.save(out)
    shutil.rmtree(parts, ignore_errors=True)
    values = {"out": str(out), "pairs": made.pairs, "sites": len(made.tensors), "steps": len(made.sigmas)}
    answer(values, as_json, f"{made.pairs} pairs, {len(made.tensors)} sites, {len(made.sigmas)} steps: {out}")


def score(
    activations: Annotated[Path, typer.Argument(help="A file written by steering capture.")],
    mode: Annotated[
        str, typer.Option(help="cross-fitted, or paper (fitted and scored on the same pairs).")
    ] = "cross-fitted",
    out: Annotated[Path | None, typer.Option(help="File to write, .json.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Heat map to write, .png.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Score how steerable the concept is at every site and noise level."""
    from ..activations.store import Activations
    from ..scores.navigator import as_lines
    from ..scores.navigator import score as run_score

    for path, suffix, option in ((out, ".json", "--out"), (plot, ".png", "--plot")):
        if path:
            new_file(path, suffix, option=option)
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
    activations: Annotated[Path, typer.Argument(help="A file written by steering capture.")],
    out: Annotated[Path, typer.Option(help="Vector to write, .safetensors.")],
    scores: Annotated[
        Path | None, typer.Option(help="A file written by steering score; made here if not given.")
    ] = None,
    direction: Annotated[str, typer.Option(help="mean, pca, cpca, cpca-paired, cpca-denoised or whitened.")] = "mean",
    rank: Annotated[int, typer.Option(min=1, help="Directions per site and step; above 1 with pca, cpca-paired.")] = 1,
    alpha: Annotated[
        str,
        typer.Option(help="Weight of the background in contrastive PCA, from 0; or auto, which pairs held out choose."),
    ] = "1",
    components: Annotated[
        int | None,
        typer.Option(min=1, help="Of contrastive PCA, in whose span directions lie; the method's own number."),
    ] = None,
    background: Annotated[
        str,
        typer.Option(help="Of contrastive PCA: negatives, within, early, or the FILE of a capture of neutral pairs."),
    ] = "negatives",
    protect: Annotated[
        list[str] | None, typer.Option(help="FILE of a capture whose mean difference is not to be moved; repeatable.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Sites per step, or overall.")] = 5,
    select: Annotated[
        str,
        typer.Option(
            help="per-step, overall (both also among some, as overall:attn2), random:SEED, or kinds and sites."
        ),
    ] = "per-step",
    time: Annotated[Time, typer.Option(help="per-step directions, or one constant in time.")] = "per-step",
    calibrate: Annotated[
        str | None,
        typer.Option(help="The captured MODEL: measures the gate thresholds that the preset selective needs."),
    ] = None,
    recommend: Annotated[
        str | None, typer.Option(help="Preset and strength that the file recommends to its users, as precise:1.")
    ] = None,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Build a steering vector."""
    from ..activations.store import Activations
    from ..scores.navigator import Scores
    from ..vectors.build import build as run_build
    from ..vectors.vector import recommend as recommending

    new_file(out, ".safetensors")
    advice = _advice(recommend) if recommend else {}
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
        alpha=alpha,
        components=components,
        background=behind,
        protect=kept,
    )
    if calibrate:
        vector = _calibrated(vector, captured.metadata, calibrate, device)
    if advice:
        vector = recommending(vector, **advice)
    vector.save(out)
    names = [str(site) for site in vector.sites]
    answer({"out": str(out), "sites": names}, as_json, f"{len(names)} sites ({', '.join(names)}): {out}")


def _advice(text: str) -> dict[str, Any]:
    """``PRESET:STRENGTH`` as a recommendation."""
    from ..interventions.presets import get_preset

    preset, _, strength = text.partition(":")
    try:
        advice = {"preset": preset, "strength": float(strength)}
    except ValueError:
        advice = {"strength": math.nan}
    if not math.isfinite(advice["strength"]):
        raise SteeringError(f"--recommend {text!r} must be PRESET:STRENGTH, as precise:1")
    get_preset(preset)
    return advice


def _calibrated(vector: Any, captured: Mapping[str, Any], model: str, device: str) -> Any:
    """The vector with gate thresholds, measured on the negative prompts as they were captured."""
    from ..activations.capture import capture_rows
    from ..models.loading import load_model
    from ..vectors.calibration import calibrate, captured_negatives, with_thresholds

    loaded = load_model(model, device)
    negatives, settings = captured_negatives(loaded, captured)
    rows = capture_rows(len(negatives), settings) // 2  # one side of every pair
    with progress(rows, "calibrate") as update:
        return with_thresholds(vector, calibrate(loaded, vector, negatives, settings, update))
