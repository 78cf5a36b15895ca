"""The command ``steering inspect``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..checks import short
from ..errors import SteeringError
from .options import Json
from .output import answer


def inspect(file: Path, /, *, as_json: Json = False) -> None:
    """Say what is in a file of ours, and where it comes from.

    Args:
        file: Activations, scores, a vector or a LoRA.
    """
    values = _described(file)
    shown = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    text = "\n".join(f"{name:<13}{value}" for name, value in shown.items())
    answer(values, as_json, text)


def _described(file: Path) -> dict[str, Any]:
    from ..files import read_header
    from ..scores.navigator import Scores

    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    if file.suffix == ".json":
        scores = Scores.load(file)
        return {"kind": "scores", "mode": scores.mode, "sites": len(scores.sites), "steps": len(scores.sigmas)}
    kind = read_header(file).get("kind")
    if kind not in _DESCRIBERS:
        raise SteeringError(f"{file.name} holds {short(kind)}; inspect knows scores, {', '.join(_DESCRIBERS)}")
    return {"kind": kind, **_DESCRIBERS[kind](file)}


def _activations_described(file: Path) -> dict[str, Any]:
    from ..activations.store import Activations

    made = Activations.load(file)
    counts = {"pairs": made.pairs, "sites": len(made.tensors), "steps": len(made.sigmas)}
    return {**counts, "metadata": dict(made.metadata)}


def _vector_described(file: Path) -> dict[str, Any]:
    from ..vectors.vector import SteeringVector

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
    from ..files import read_header

    return {name: value for name, value in read_header(file).items() if name not in ("kind", "version")}


_DESCRIBERS = {"activations": _activations_described, "vector": _vector_described, "lora": _lora_described}
