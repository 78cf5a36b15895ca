"""The commands that draw: ``steering generate``, ``steering map`` and ``steering sweep``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SteeringError
from ..interventions.operators import Mode
from .options import Device, JsonFlag, ModeName, Preset, Target, answer, file_and_strength, new_file, progress

Model = Annotated[str, typer.Argument(help="pocket, a diffusers folder, a hub id, or a .safetensors checkpoint.")]
OnePrompt = Annotated[str, typer.Option(help="What the picture shows.")]
Negative = Annotated[str, typer.Option(help="Negative prompt.")]
Seed = Annotated[int, typer.Option(help="Seed of the noise.")]
Steps = Annotated[int, typer.Option(min=1, help="Sampling steps.")]
Guidance = Annotated[float | None, typer.Option(help="Classifier-free guidance; the model's own if not given.")]
Size = Annotated[int | None, typer.Option(help="Width and height in pixels; the model's own if not given.")]
OutPicture = Annotated[Path, typer.Option(help="Picture to write, .png.")]
OneVector = Annotated[str, typer.Option(help="FILE or FILE:STRENGTH.")]


def generate(
    model: Model,
    prompt: OnePrompt,
    out: OutPicture,
    vector: Annotated[
        list[str] | None, typer.Option(help="FILE or FILE:STRENGTH, to be suppressed; repeat to combine.")
    ] = None,
    replace: Annotated[
        list[str] | None, typer.Option(help="FILE=FILE or FILE=FILE:STRENGTH: the second takes the first one's place.")
    ] = None,
    add: Annotated[list[str] | None, typer.Option(help="FILE or FILE:STRENGTH, to be added.")] = None,
    preset: Preset = None,
    negative: Negative = "",
    seed: Seed = 0,
    steps: Steps = 30,
    guidance: Guidance = None,
    size: Size = None,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Make one picture, steered or not."""
    from ..interventions.steer import steer
    from ..models.loading import load_model
    from ..plots.pictures import save_picture

    new_file(out, ".png")
    entries = [entry_of(item, preset) for item in vector or []]
    entries += [_replacement(item, preset) for item in replace or []]
    entries += [entry_of(item, preset, "add") for item in add or []]
    loaded = load_model(model, device)
    with progress(rows_of(1, steps, guidance), "generate") as update, steer(loaded, entries):
        image = loaded.generate(
            prompt, negative, seed=seed, steps=steps, guidance=guidance, size=size, progress=update
        )[0]
    save_picture(image, out)
    used = [{"mode": entry.mode, "strength": entry.strength, **asdict(entry.settings)} for entry in entries]
    answer({"out": str(out), "seed": seed, "vectors": used}, as_json, str(out))


def map_(
    model: Model,
    prompt: OnePrompt,
    vector: OneVector,
    out: OutPicture,
    preset: Preset = None,
    mode: ModeName = "suppress",
    target: Target = None,
    negative: Negative = "",
    seed: Seed = 0,
    steps: Steps = 30,
    guidance: Guidance = None,
    size: Size = None,
    columns: Annotated[int, typer.Option(min=1, help="Noise levels shown, spread evenly.")] = 6,
    rows: Annotated[int, typer.Option(min=1, help="Sites shown, those that hold most.")] = 6,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Paint over the picture where the model holds a concept, and where steering moves it."""
    import numpy as np

    from ..interventions.maps import maps_of, mean_of
    from ..interventions.observation import settle, steer_and_observe
    from ..models.loading import load_model
    from ..plots.maps import TITLES, map_figure
    from ..plots.pictures import as_array, save_picture

    new_file(out, ".png")
    entry = entry_of(vector, preset, mode, target)
    loaded = load_model(model, device)
    figures, shares = [], {}
    with progress(rows_of(2, steps, guidance), "map") as update:
        for what, part in (("held", replace(entry, strength=0.0)), ("moved", entry)):
            with steer_and_observe(loaded, [part]) as seen:
                image = loaded.generate(
                    prompt, negative, seed=seed, steps=steps, guidance=guidance, size=size, progress=update
                )[0]
            maps = maps_of([part], settle(seen), what)
            title = TITLES[what].format(entry.vector.metadata.get("concept") or "the concept")
            figures.append(as_array(map_figure(image, maps, title, columns, rows)))
            shares[what] = {str(site): round(mean_of(part), 4) for site, part in maps.items()}
    width = max(figure.shape[1] for figure in figures)
    padded = [np.pad(f, ((0, 0), (0, width - f.shape[1]), (0, 0)), constant_values=255) for f in figures]
    save_picture(np.concatenate(padded), out)
    answer({"out": str(out), "seed": seed, "strength": entry.strength, **shares}, as_json, str(out))


def sweep(
    model: Model,
    prompt: Annotated[list[str], typer.Option(help="What the pictures show; repeat for more rows.")],
    vector: Annotated[str, typer.Option(help="The vector's FILE.")],
    out: OutPicture,
    strengths: Annotated[
        str, typer.Option(help="Numbers separated by commas; the first is what drift is measured from.")
    ] = "0,0.5,1,1.5,2,2.5",
    preset: Preset = None,
    mode: ModeName = "suppress",
    target: Target = None,
    negative: Negative = "",
    seed: Seed = 0,
    steps: Steps = 30,
    guidance: Guidance = None,
    size: Size = None,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """The same prompts and seeds at several strengths, with presence and drift under each picture.

    Presence is the embedded judge's, so it is left out for other models than the embedded one; drift is the root
    mean square difference from the first picture in grey levels.
    """
    from ..interventions.steer import steer
    from ..models.loading import load_model
    from ..plots.pictures import save_picture
    from ..plots.strength_sweep import draw_sweep, judge_labels, parse_strengths

    new_file(out, ".png")
    values, entry = parse_strengths(strengths), entry_of(vector, preset, mode, target)
    loaded = load_model(model, device)
    labels = judge_labels(str(entry.vector.metadata.get("concept", "")), loaded.family)
    with progress(rows_of(len(values) * len(prompt), steps, guidance), "sweep") as update:

        def draw(strength: float) -> Any:
            with steer(loaded, [replace(entry, strength=strength)]):
                return loaded.generate(
                    prompt, negative, seed=seed, steps=steps, guidance=guidance, size=size, progress=update
                )

        made = draw_sweep(draw, values, labels)
    save_picture(made.picture(), out)
    presence = None if made.presence is None else made.presence.round(2).tolist()
    figures = {"strengths": values, "presence": presence, "drift": made.drift.round(2).tolist()}
    answer({"out": str(out), "seed": seed, **figures}, as_json, f"{made}\n{out}")


def entry_of(item: str, preset: str | None, mode: Mode = "suppress", target: str | None = None) -> Any:
    """``FILE`` or ``FILE:STRENGTH`` as an entry."""
    from ..interventions.entry import make_entry
    from ..vectors.vector import SteeringVector

    path, strength = file_and_strength(item)
    second = None if target is None else SteeringVector.load(target)
    return make_entry(SteeringVector.load(path), strength=strength, preset=preset, mode=mode, target=second)


def _replacement(item: str, preset: str | None) -> Any:
    """``FILE=FILE`` or ``FILE=FILE:STRENGTH`` as an entry."""
    splits = [(item[:i], item[i + 1 :]) for i, letter in enumerate(item) if letter == "="]
    # Folders may have a = in their name: the first vector is a file.
    source, target = next((split for split in splits if Path(split[0]).is_file()), (splits or [("", "")])[0])
    if not splits:
        raise SteeringError(
            f"--replace {item!r} must be FILE=FILE or FILE=FILE:STRENGTH, as dog.safetensors=cat.safetensors"
        )
    path, strength = file_and_strength(target, "--replace")
    return entry_of(source if strength is None else f"{source}:{strength}", preset, "replace", path)


def rows_of(pictures: int, steps: int, guidance: float | None) -> int:
    """UNet rows that some pictures cost."""
    return pictures * steps * (2 if guidance != 1 else 1)
