"""The ``steering`` command."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from .cli_pictures import generate, map_, strip
from .cli_study import evaluate, study
from .cli_tune import tune
from .cli_vectors import combine, contrast, export_lora, greedy
from .terminal import SITES, Device, JsonFlag, answer, console, new_file, progress
from .version import __version__

app = typer.Typer(
    help="Find where a diffusion model holds a concept, and steer it while the picture is made.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def demo(
    concept: Annotated[str, typer.Option(help="dog, van_gogh or violence.")] = "dog",
    out: Annotated[Path, typer.Option(help="Folder of the report; an interrupted demo goes on there.")] = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer prompts: minutes instead of half an hour.")] = False,
    prompts: Annotated[int | None, typer.Option(min=2, max=100, help="Test prompts of each role.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Steer a concept out of the embedded model, and measure it: the whole chain in one command."""
    from .demo import FULL, QUICK, planned_rows, run_demo
    from .evaluate.prompts import load_concept

    load_concept(concept)
    plan, folder = QUICK if quick else FULL, out / (f"{concept}_quick" if quick else concept)
    plan = replace(plan, test=(prompts,) * 3) if prompts else plan
    rows = planned_rows(plan)
    console.print(
        f"{rows:,} UNet rows at most; n = {plan.test} test prompts (target, sibling, unrelated); into {folder}"
    )
    with progress(rows, "demo") as update:
        results = run_demo(concept, folder, plan, update)
    _print_demo(results)
    answer(results, as_json, f"report: {results['report']}")


def _print_demo(results: dict[str, Any]) -> None:
    chosen = results["chosen"]
    n = results["n"]
    table = Table(
        title=f"{results['concept']}, means over test prompts (n = {n['target']}, {n['sibling']}, {n['unrelated']})"
    )
    for heading in ("arm", "presence", "siblings kept", "unrelated kept"):
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    first = next(iter(results["presets"].values()))
    table.add_row(
        "original",
        *(
            f"{v:.1f}"
            for v in (first["presence"]["original"], first["siblings"]["original"], first["unrelated"]["original"])
        ),
    )
    for name, part in results["presets"].items():
        k = str(part["k"])
        values = (part["presence"]["steered"][k], part["siblings"]["steered"][k], part["unrelated"]["steered"][k])
        table.add_row(f"{name} {part['strength']:g}, k={k}", *(f"{value:.1f}" for value in values))
    for name, part in results["controls"].items():
        table.add_row(f"control {name}", f"{part['presence']['mean']:.1f}", "", "")
    console.print(table)
    console.print(
        f"chosen on dev: {chosen['preset']}, k = {chosen['k']}, strength {chosen['strength']:g}, rank {chosen['rank']}"
    )


@app.command()
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

    from .capture import CaptureSettings, capture_rows
    from .capture import capture as run_capture
    from .diffusion import load_model
    from .pairs import load_pairs

    new_file(out, ".safetensors")
    loaded = load_model(model, device)
    pairs = load_pairs(concept, loaded.family)
    settings = CaptureSettings(steps, guidance, seed, size, batch)
    parts = out.with_name(f".{out.stem}_parts")
    with progress(capture_rows(len(pairs), settings), "capture") as update:
        made = run_capture(loaded, pairs, sites, settings, Path(concept).stem, parts, update)
    made.save(out)
    shutil.rmtree(parts, ignore_errors=True)
    values = {"out": str(out), "pairs": made.pairs, "sites": len(made.tensors), "steps": len(made.sigmas)}
    answer(values, as_json, f"{made.pairs} pairs, {len(made.tensors)} sites, {len(made.sigmas)} steps: {out}")


@app.command()
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
    from .activations import Activations
    from .navigator import as_lines
    from .navigator import score as run_score

    for path, suffix, option in ((out, ".json", "--out"), (plot, ".png", "--plot")):
        if path:
            new_file(path, suffix, option=option)
    scores = run_score(Activations.load(activations), mode)
    if out:
        scores.save(out)
    if plot:
        from .evaluate.plots import heat_map

        heat_map(scores, plot)
    best = scores.ranking(10)
    values = {"mode": mode, "best": {site: round(mean, 4) for site, mean in best.items()}}
    answer({**values, "out": str(out) if out else None}, as_json, as_lines(best))


@app.command()
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
    time: Annotated[str, typer.Option(help="per-step directions, or one constant in time.")] = "per-step",
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
    from .activations import Activations
    from .build import build as run_build
    from .build import recommend as recommending
    from .navigator import Scores

    new_file(out, ".safetensors")
    advice = _advice(recommend) if recommend else {}
    given = Scores.load(scores) if scores else None
    captured = Activations.load(activations)
    behind = Activations.load(background) if Path(background).is_file() else background
    kept = [Activations.load(path) for path in protect or []]
    vector = run_build(captured, given, top_k, select, direction, time, rank, alpha, components, behind, kept)
    if calibrate:
        vector = _calibrated(vector, captured.metadata, calibrate, device)
    if advice:
        vector = recommending(vector, **advice)
    vector.save(out)
    names = [str(site) for site in vector.sites]
    answer({"out": str(out), "sites": names}, as_json, f"{len(names)} sites ({', '.join(names)}): {out}")


def _advice(text: str) -> dict[str, Any]:
    """``PRESET:STRENGTH`` as a recommendation."""
    from .interventions import get_preset

    preset, _, strength = text.partition(":")
    try:
        advice = {"preset": preset, "strength": float(strength)}
    except ValueError:
        advice = {"strength": math.nan}
    if not math.isfinite(advice["strength"]):
        raise ValueError(f"--recommend {text!r} must be PRESET:STRENGTH, as precise:1")
    get_preset(preset)
    return advice


def _calibrated(vector: Any, captured: Mapping[str, Any], model: str, device: str) -> Any:
    """The vector with gate thresholds, measured on the negative prompts as they were captured."""
    from .build import with_thresholds
    from .capture import calibrate, capture_rows, captured_negatives
    from .diffusion import load_model

    loaded = load_model(model, device)
    negatives, settings = captured_negatives(loaded, captured)
    rows = capture_rows(len(negatives), settings) // 2  # one side of every pair
    with progress(rows, "calibrate") as update:
        return with_thresholds(vector, calibrate(loaded, vector, negatives, settings, update))


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="Activations, scores or a vector.")],
    as_json: JsonFlag = False,
) -> None:
    """Say what is in a file of ours, and where it comes from."""
    values = _described(file)
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    text = "\n".join(f"{name:<13}{value}" for name, value in shown.items())
    answer(values, as_json, text)


def _described(file: Path) -> dict[str, Any]:
    from .files import read_header
    from .navigator import Scores

    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    if file.suffix == ".json":
        scores = Scores.load(file)
        return {"kind": "scores", "mode": scores.mode, "sites": len(scores.sites), "steps": len(scores.sigmas)}
    kind = read_header(file).get("kind")
    if kind not in _DESCRIBERS:
        raise ValueError(f"{file.name} holds {kind!r}; inspect knows scores, {', '.join(_DESCRIBERS)}")
    return {"kind": kind, **_DESCRIBERS[kind](file)}


def _activations_described(file: Path) -> dict[str, Any]:
    from .activations import Activations

    made = Activations.load(file)
    counts = {"pairs": made.pairs, "sites": len(made.tensors), "steps": len(made.sigmas)}
    return {**counts, "metadata": dict(made.metadata)}


def _vector_described(file: Path) -> dict[str, Any]:
    from .vector import SteeringVector

    vector = SteeringVector.load(file)
    sites = {str(site): f"{int(part.active.sum())} of {len(part.active)} steps" for site, part in vector.sites.items()}
    gate = "with" if all(part.threshold is not None for part in vector.sites.values()) else "without"
    levels = vector.active_knots
    certain = [part.certain[levels[part.active]] for part in vector.sites.values() if part.certainty is not None]
    known = f"{sum(int(part.sum()) for part in certain)} of {sum(len(part) for part in certain)} site-steps"
    return {
        "sites": sites,
        "certain": known if certain else "not measured",
        "knots": len(vector.sigmas),
        "thresholds": gate,
        "metadata": dict(vector.metadata),
    }


def _lora_described(file: Path) -> dict[str, Any]:
    from .files import read_header

    return {name: value for name, value in read_header(file).items() if name not in ("kind", "version")}


for command in (contrast, greedy, combine, generate, strip, study, tune, evaluate):
    app.command()(command)
app.command("map")(map_)
app.command("export-lora")(export_lora)

_DESCRIBERS = {"activations": _activations_described, "vector": _vector_described, "lora": _lora_described}


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find where a diffusion model holds a concept, and steer it while the picture is made."""


def main() -> None:
    """Run the command: bad input ends with one sentence and status 2, Ctrl-C with status 130."""
    try:
        app()
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to go on")
        sys.exit(130)
    except (ValueError, OSError) as error:
        console.print(f"steering: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
