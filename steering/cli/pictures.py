"""The commands that draw: ``steering generate``, ``steering map`` and ``steering sweep``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cyclopts.types import PositiveInt

from ..checks import check_finite
from ..errors import SteeringError
from .options import (
    Drawing,
    Force,
    Json,
    Model,
    ModeOptions,
    OneVector,
    OutPicture,
    Preset,
    file_and_strength,
    new_file,
)
from .output import answer, progress, tell_of_other_weights
from .placement import HERE, Placement


def generate(
    model: Model,
    /,
    *,
    prompt: str,
    out: OutPicture,
    vector: list[str] | None = None,
    replace: list[str] | None = None,
    add: list[str] | None = None,
    lora: list[str] | None = None,
    preset: Preset = None,
    drawing: Drawing = Drawing(),
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make one picture, steered or not.

    Args:
        prompt: What the picture shows.
        vector: FILE or FILE:STRENGTH, to be suppressed; repeat to combine.
        replace: FILE=FILE or FILE=FILE:STRENGTH: the second takes the first one's place.
        add: FILE or FILE:STRENGTH, to be added.
        lora: FILE or FILE:WEIGHT of export-lora, at weight 1 if not given; repeat to combine.
    """
    from ..interventions.steer import steer
    from ..plots.pictures import save_picture

    new_file(out, "picture", force=force)
    entries = [ModeOptions().entry(*file_and_strength(item), preset) for item in vector or []]
    entries += [_replacement(item, preset) for item in replace or []]
    entries += [ModeOptions(mode="add").entry(*file_and_strength(item), preset) for item in add or []]
    loras = [_lora_and_weight(item) for item in lora or []]
    loaded = placement.load(model)
    with progress(drawing.rows(1), "generate") as update, _with(loaded, loras), steer(loaded, entries):
        image = drawing.draw(loaded, prompt, update)[0]
    save_picture(image, out)
    used = [{"mode": entry.mode, "strength": entry.strength, **asdict(entry.settings)} for entry in entries]
    held = [{"file": str(stored.path), "weight": weight} for stored, weight in loras]
    answer({"out": str(out), "seed": drawing.seed, "vectors": used, "loras": held}, as_json, str(out))


def map_(
    model: Model,
    /,
    *,
    prompt: str,
    vector: OneVector,
    out: OutPicture,
    preset: Preset = None,
    does: ModeOptions = ModeOptions(),
    drawing: Drawing = Drawing(),
    columns: PositiveInt = 6,
    rows: PositiveInt = 6,
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Paint over the picture where the model holds a concept, and where steering moves it.

    Args:
        prompt: What the picture shows.
        columns: Noise levels shown, spread evenly.
        rows: Sites shown, those that hold most.
    """
    import numpy as np

    from ..interventions.maps import maps_of, mean_of
    from ..interventions.observation import settle, steer_and_observe
    from ..plots.maps import TITLES, map_figure
    from ..plots.pictures import as_array, save_picture

    new_file(out, "picture", force=force)
    entry = does.entry(*file_and_strength(vector), preset)
    loaded = placement.load(model)
    figures, shares = [], {}
    with progress(drawing.rows(2), "map") as update:
        for what, part in (("held", replace(entry, strength=0.0)), ("moved", entry)):
            with steer_and_observe(loaded, [part]) as seen:
                image = drawing.draw(loaded, prompt, update)[0]
            maps = maps_of([part], settle(seen), what)
            title = TITLES[what].format(entry.vector.metadata.get("concept") or "the concept")
            figures.append(as_array(map_figure(image, maps, title, columns, rows)))
            shares[what] = {str(site): round(mean_of(part), 4) for site, part in maps.items()}
    width = max(figure.shape[1] for figure in figures)
    padded = [np.pad(f, ((0, 0), (0, width - f.shape[1]), (0, 0)), constant_values=255) for f in figures]
    save_picture(np.concatenate(padded), out)
    answer({"out": str(out), "seed": drawing.seed, "strength": entry.strength, **shares}, as_json, str(out))


def sweep(
    model: Model,
    /,
    *,
    prompt: list[str],
    vector: str,
    out: OutPicture,
    strengths: str = "0,0.5,1,1.5,2,2.5",
    preset: Preset = None,
    does: ModeOptions = ModeOptions(),
    drawing: Drawing = Drawing(),
    placement: Placement = HERE,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The same prompts and seeds at several strengths, with presence, debris and drift under each picture.

    Presence and debris are the embedded judge's, so they are left out for other models than the embedded one; drift is
    the root mean square difference from the first picture in grey levels.

    Args:
        prompt: What the pictures show; repeat for more rows.
        vector: The vector's FILE.
        strengths: Numbers separated by commas; the first is what drift is measured from.
    """
    from ..interventions.steer import steer
    from ..plots.pictures import save_picture
    from ..plots.strength_sweep import JUDGED, draw_sweep, judge_labels, parse_strengths

    new_file(out, "picture", force=force)
    path, strength = file_and_strength(vector)
    if strength is not None:
        raise SteeringError(f"--vector {vector!r}: a sweep takes its strengths from --strengths; give the FILE alone")
    values, entry = parse_strengths(strengths), does.entry(path, None, preset)
    loaded = placement.load(model)
    labels = judge_labels(str(entry.vector.metadata.get("concept", "")), loaded.family)
    with progress(drawing.rows(len(values) * len(prompt)), "sweep") as update:

        def draw(strength: float) -> Any:
            with steer(loaded, [replace(entry, strength=strength)]):
                return drawing.draw(loaded, prompt, update)

        made = draw_sweep(draw, values, labels)
    save_picture(made.picture(), out)
    judged = {name: made.judged[name].round(2).tolist() if name in made.judged else None for name in JUDGED}
    figures = {"strengths": values, **judged, "drift": made.drift.round(2).tolist()}
    answer({"out": str(out), "seed": drawing.seed, **figures}, as_json, f"{made}\n{out}")


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
    return ModeOptions(mode="replace", target=path).entry(source, strength, preset)


def _lora_and_weight(item: str) -> tuple[Any, float]:
    """``FILE`` or ``FILE:WEIGHT`` of a LoRA, which is read before a model is loaded."""
    from ..lora.formats import StoredLora

    path, given = file_and_strength(item, "--lora")
    weight = check_finite(1.0 if given is None else given, f"--lora {item}: its weight")
    return StoredLora.read(Path(path)), weight


@contextmanager
def _with(model: Any, loras: list[tuple[Any, float]]) -> Iterator[None]:
    """Some LoRAs in a model's weights inside the block, with a word about those that were made from others."""
    from ..lora.bake import merged

    weights = model.weights_hash() if loras else ""
    for lora, _ in loras:
        if lora.about.get("weights") != weights:
            tell_of_other_weights(f"{lora.path.name} was made from")
    deltas = [(lora.deltas(model.unet, model.family), weight) for lora, weight in loras]
    with ExitStack() as changed:
        for one, weight in deltas:
            changed.enter_context(merged(model.unet, one, weight))
        yield
