"""The commands that make something of vectors: ``steering combine`` and ``steering export-lora``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .terminal import Device, JsonFlag, Mode, Target, answer, console, file_and_strength, new_file


def combine(
    vectors: Annotated[list[str], typer.Argument(help="FILE or FILE:WEIGHT; the first is what the others act on.")],
    how: Annotated[
        str, typer.Option(help="add, subtract, average, orthogonalise (the first against the others) or gram-schmidt.")
    ] = "add",
    out: Annotated[
        Path | None, typer.Option(help="Vector to write, .safetensors; only cosines are printed if not given.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the cosine matrix to write, .png.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Vector arithmetic, and how alike vectors are: the cosine matrix is always printed."""
    from .combine import combine as run_combine
    from .combine import cosine_table, cosines
    from .vector import SteeringVector

    for path, suffix in ((out, ".safetensors"), (plot, ".png")):
        if path:
            new_file(path, suffix)
    named = [file_and_strength(item) for item in vectors]
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
        from .evaluate.plots import cosine_matrix

        cosine_matrix(names, matrix.numpy(), plot)
    answer(values, as_json, text)


def _rounded(row: list[float]) -> list[float | None]:
    """JSON has no NaN: null where two vectors share no site."""
    return [None if value != value else round(value, 4) for value in row]


def export_lora(
    vector: Annotated[Path, typer.Argument(help="The vector's file.")],
    model: Annotated[str, typer.Argument(help="The model whose weights it goes into; see generate.")],
    out: Annotated[Path, typer.Option(help="LoRA to write, .safetensors.")],
    strength: Annotated[
        float | None,
        typer.Option(help="Baked in; loaded at weight w it acts with w times as much. The usual one if not given."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="comfyui (also Forge; A1111 but for the bias) or diffusers.")
    ] = "comfyui",
    preset: Annotated[
        str, typer.Option(help="What it is to do: lora, or another preset, which has to be approximated.")
    ] = "lora",
    reference: Annotated[
        str | None, typer.Option(help="zero or negative: what strength 1 moves to; the preset's if not given.")
    ] = None,
    mode: Mode = "suppress",
    target: Target = None,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Export the nearest LoRA where none is exact, and measure the gap.")
    ] = False,
    prompt: Annotated[
        list[str] | None, typer.Option(help="What the gap is measured on; 'a photo of' the concept if not given.")
    ] = None,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Write steering as a LoRA: exact and at no cost while sampling, where that is possible.

    It is for a vector built constant in time at attn1, attn2 and ff sites (build --time constant). What a LoRA
    cannot hold is refused with the reason, or approximated on request with its measured gap.
    """
    from dataclasses import replace

    from .bake import FORMATS, bake, linear_layers, linearised, obstacles
    from .diffusion import load_model
    from .lora import save_lora
    from .steer import make_entry
    from .vector import SteeringVector

    new_file(out, ".safetensors")
    if format_ not in FORMATS:
        raise ValueError(f"--format {format_!r} is not one of {', '.join(FORMATS)}")
    if strength == 0:
        raise ValueError("a LoRA of strength 0 does nothing; give another strength")
    second = None if target is None else SteeringVector.load(target)
    wanted = make_entry(SteeringVector.load(vector), strength, preset, mode=mode, target=second)
    if reference:
        wanted = replace(wanted, settings=replace(wanted.settings, reference=reference))
    inexact = obstacles(wanted)
    if inexact and not approximate:
        raise ValueError(
            f"{vector.name} cannot be a LoRA exactly: {'; '.join(inexact)}. --approximate exports the nearest one"
        )
    loaded = load_model(model, device)
    held = linearised(wanted) if inexact else wanted
    deltas = bake(held, linear_layers(loaded.unet, list(held.vector.sites)))
    gap = _measured(loaded, wanted, deltas, prompt) if inexact else None
    about = save_lora(out, format_, wanted, deltas, loaded.weights_hash(), loaded.family, inexact, gap)
    _warn_of_other_weights(wanted, about)
    exactly = "exact" if gap is None else f"approximated, gap {gap:.2f} (0: the same picture, 1: as far off as none)"
    text = f"{len(deltas)} layers, strength {wanted.strength:g}, {exactly}: {out}"
    answer({"out": str(out), **about}, as_json, "\n".join([*(f"approximated: {line}" for line in inexact), text]))


def _measured(model: Any, entry: Any, deltas: Any, prompts: list[str] | None) -> float:
    """The relative gap on a few prompts, with the model's own sampling."""
    from .lora import measured_gap
    from .terminal import progress

    concept = entry.vector.metadata.get("concept") or "something"
    texts = prompts or [f"a photo of {concept}"]
    with progress(3 * len(texts) * 2 * GAP_STEPS, "gap") as update:
        return measured_gap(model, entry, deltas, texts, GAP_STEPS, update)


GAP_STEPS = 15
"""Steps of the runs that measure a gap."""


def _warn_of_other_weights(entry: Any, about: dict[str, Any]) -> None:
    known = entry.vector.metadata.get("model", {}).get("weights", about["weights"])
    if known != about["weights"]:
        console.print(
            "the vector was captured on other weights than these; on a fine-tune that often works", style="yellow"
        )
