"""The commands around vectors: ``steering greedy``, ``contrast``, ``combine`` and ``export-lora``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from ..errors import SteeringError
from ..sites import BLOCKS
from ..vectors.times import Time
from .options import Force, Json, Model, ModeOptions, Preset, file_and_strength, new_file
from .output import answer, progress, tell_of_other_weights
from .placement import HERE, Placement


def greedy(
    model: Model,
    activations: Path,
    concept: str,
    /,
    *,
    sites: str = BLOCKS,
    top_k: PositiveInt = 8,
    direction: str = "mean",
    time: Time = "per-step",
    preset: Preset = None,
    strength: float | None = None,
    placement: Placement = HERE,
    as_json: Json = False,
) -> None:
    """Choose sites together, one by one, by what steering does to the model's own prediction.

    Scores rate every site for itself. This asks the model, on a few pairs and noise levels: what is left of the
    difference between both prompts (1: all of it) plus what the prompts without the concept suffer. The list is for
    steering build --select.

    Args:
        activations: A file written by steering capture with this model.
        concept: The captured concept: a built-in one, a folder of one, or a file of pairs.
        sites: Among which to choose: kinds and site names.
        top_k: Most sites.
        direction: As in steering build.
        time: per-step directions, or one constant in time.
        strength: Strength; the preset's usual one if not given.
    """
    from ..activations.store import Activations
    from ..concepts.pairs import load_pairs
    from ..tune.greedy import forward_selection, noised_pairs, rows_at_most
    from ..vectors.build import build

    captured = Activations.load(activations)
    loaded = placement.load(model)
    pairs = load_pairs(concept, loaded.family)
    vector = build(captured, select_by=sites, direction=direction, time=time)
    entry = vector.entry(strength=strength, preset=preset)
    with progress(rows_at_most(len(vector.sites), top_k), "greedy") as update:
        found = forward_selection(noised_pairs(loaded, pairs, progress=update).rate, entry, top_k)
    names = ",".join(str(one.site) for one in found)
    rounds = [{"site": str(one.site), "left": one.rating.left, "damage": one.rating.damage} for one in found]
    lines = [f"{one['site']:<14}{one['left']:8.3f}{one['damage']:8.3f}" for one in rounds]
    answer({"sites": names, "rounds": rounds}, as_json, "\n".join([f"{'site':<17}left  damage", *lines, names]))


def contrast(
    activations: Path,
    /,
    *,
    sites: str = BLOCKS,
    every: PositiveInt = 5,
    plot: Path | None = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Search the alpha and the number of components of direction cpca-paired (build --alpha A --components N).

    Each is judged by how well the mean difference within its span tells pairs apart that it has not seen, averaged over
    sites and noise levels (0 to 1; 1: every pair moves as far). That says how well it reads, not how well it
    suppresses; and the best of many is a little too good. The plain mean difference is printed beside it.

    Args:
        activations: A file written by steering capture.
        sites: Kinds and site names, separated by commas.
        every: Look at every N-th noise level only.
        plot: Picture to write, .png.
    """
    from ..activations.store import Activations
    from ..directions.search import search
    from ..sites import choose_sites

    new_file(plot, "picture", option="--plot", inputs=[activations], force=force)
    captured = Activations.load(activations)
    chosen = choose_sites(captured.tensors, sites)
    with progress(len(chosen) * len(range(0, len(captured.sigmas), every)), "search") as update:
        found = search(captured, chosen, every, progress=update)
    if plot:
        from ..plots.figures import contrast_map

        contrast_map(found, plot)
    alpha, count, value = found.best()
    values = {
        "alpha": alpha,
        "components": count,
        "held_out": round(value, 4),
        "mean_difference": round(found.mean_difference, 4),
        "site_steps": found.site_steps,
        "table": {
            "alphas": list(found.alphas),
            "components": list(found.components),
            "held_out": found.table.tolist(),
        },
    }
    text = (
        f"best: alpha {alpha:.3g}, {count} component(s): {value:.3f} held out, over {found.site_steps} sites and noise "
        f"levels; the mean difference {found.mean_difference:.3f}"
    )
    answer(values, as_json, text)


def combine(
    *vectors: str,
    how: str = "add",
    out: Path | None = None,
    plot: Path | None = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Vector arithmetic, and how alike vectors are: the cosine matrix is always printed.

    Args:
        vectors: FILE or FILE:WEIGHT; the first is what the others act on.
        how: add, subtract, average, orthogonalise (the first against the others) or gram-schmidt.
        out: Vector to write, .safetensors; only cosines are printed if not given.
        plot: Picture of the cosine matrix to write, .png.
    """
    from ..vectors.combine import COMBINATIONS
    from ..vectors.combine import combine as run_combine
    from ..vectors.similarity import cosine_table, cosines
    from ..vectors.vector import SteeringVector

    named = [file_and_strength(item, "vector") for item in vectors]
    if not named:
        raise SteeringError("combine takes the FILEs of at least one vector")
    read = [path for path, _ in named]
    new_file(out, "vector", inputs=read, force=force)
    new_file(plot, "picture", option="--plot", inputs=read, force=force)
    if how not in COMBINATIONS:
        raise SteeringError(f"--how {how!r} is not one of {', '.join(COMBINATIONS)}")
    loaded = [SteeringVector.load(path) for path, _ in named]
    weights = [1.0 if weight is None else weight for _, weight in named]
    matrix, names = cosines(loaded), [Path(path).stem for path, _ in named]
    values: dict[str, Any] = {"names": names, "cosines": [_rounded(row) for row in matrix.tolist()], "out": None}
    text = cosine_table(names, matrix)
    if out:
        made = run_combine(loaded, how, weights)
        made.save(out)
        values |= {"out": str(out), "concept": made.metadata["concept"], "sites": [str(site) for site in made.sites]}
        text += f"\n{made.metadata['concept']}, {len(made.sites)} sites: {out}"
    if plot:
        from ..plots.figures import cosine_matrix

        cosine_matrix(names, matrix.numpy(), plot)
    answer(values, as_json, text)


def _rounded(row: list[float]) -> list[float | None]:
    """JSON has no NaN: null where two vectors share no site."""
    return [None if value != value else round(value, 4) for value in row]


def export_lora(
    vector: Path,
    model: Model,
    /,
    *,
    out: Path,
    strength: float | None = None,
    format_: Annotated[str, Parameter(name="--format")] = "comfyui",
    preset: str = "lora",
    reference: str | None = None,
    does: ModeOptions = ModeOptions(),
    approximate: bool = False,
    prompt: list[str] | None = None,
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write steering as a LoRA: exact and at no cost while sampling, where that is possible.

    It is for a vector built constant in time at attn1, attn2 and ff sites (build --select overall --time
    constant). What a LoRA cannot hold is refused with the reason, or approximated on request with its measured gap.

    Args:
        vector: The vector's file.
        out: LoRA to write, .safetensors.
        strength: Baked in; loaded at weight w it acts with w times as much. The usual one if not given.
        format_: comfyui (also Forge; A1111 but for the bias) or diffusers.
        preset: What it is to do: lora, or another preset, which has to be approximated.
        reference: zero or negative: what strength 1 moves to; the preset's if not given.
        approximate: Export the nearest LoRA where none is exact, and measure the gap.
        prompt: What the gap is measured on; 'a photo of' the concept if not given.
    """
    from ..interventions.engine import Steering
    from ..interventions.steer import resolve
    from ..lora.bake import linear_layers
    from ..lora.export import make_lora, save_lora
    from ..lora.formats import FORMATS

    new_file(out, "lora", inputs=[vector, model], force=force)
    if prompt and not approximate:
        raise SteeringError("--prompt is what --approximate measures on; give both, or leave it out")
    if format_ not in FORMATS:
        raise SteeringError(f"--format {format_!r} is not one of {', '.join(FORMATS)}")
    wanted = does.entry(str(vector), strength, preset)
    if reference:
        wanted = replace(wanted, settings=replace(wanted.settings, reference=reference))
    loaded = placement.load(model)
    resolve(loaded.unet, Steering([wanted]), loaded.family)
    lora = make_lora(
        wanted,
        lambda sites: linear_layers(loaded.unet, sites),
        (lambda deltas: _measured(loaded, wanted, deltas, prompt)) if approximate else None,
        "--approximate exports the nearest one",
    )
    about = save_lora(out, format_, lora, loaded.weights_hash(), loaded.family)
    _warn_of_other_weights(wanted, about)
    use = "; in ComfyUI it goes into models/loras, and into any graph by Load LoRA" if format_ == "comfyui" else ""
    answer({"out": str(out), **about}, as_json, f"{lora}\nstrength {wanted.strength:g}: {out}{use}")


def _measured(model: Any, entry: Any, deltas: Any, prompts: list[str] | None) -> float:
    """The relative gap on a few prompts, with the model's own sampling."""
    from ..lora.export import GAP_STEPS, gap_prompt, measured_gap

    texts = prompts or [gap_prompt(entry)]
    with progress(3 * len(texts) * 2 * GAP_STEPS, "gap") as update:
        return measured_gap(model, entry, deltas, texts, progress=update)


def _warn_of_other_weights(entry: Any, about: dict[str, Any]) -> None:
    known = entry.vector.metadata.get("model", {}).get("weights", about["weights"])
    if known != about["weights"]:
        tell_of_other_weights("the vector was captured on")
