"""Gate thresholds: how far the tokens of prompts without the concept reach along its direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..checks import check_finite, short
from ..errors import SteeringError
from ..models.recording import Reducer
from ..models.sampling import CapturableModel, CaptureSettings, Progress, silent
from ..sites import Site
from .fit import check_fit
from .vector import SteeringVector


def calibrate(
    model: CapturableModel,
    vector: SteeringVector,
    prompts: str | Sequence[str],
    settings: CaptureSettings | None = None,
    progress: Progress = silent,
) -> dict[Site, Tensor]:
    """Gate thresholds ``[S, K]``: the 95 % quantile of per-token coordinates on negative prompts.

    A read-only pass; put the result into the vector with `steering.vectors.calibration.with_thresholds`. The pass
    runs at the noise levels of its own steps, and a knot of the vector takes those nearest to it.

    Raises:
        SteeringError: no prompts, or a vector of another family, or of sites or widths that the model does not have.
    """
    prompts = [prompts] if isinstance(prompts, str) else prompts
    if not prompts:
        raise SteeringError("gate thresholds need at least one prompt without the concept")
    check_fit(vector, model.sites(), model.family)
    sampling = (settings or CaptureSettings()).on(model)
    values: dict[Site, list[list[Tensor]]] = {site: [[] for _ in vector.sigmas] for site in vector.sites}
    knots = [vector.knot(sigma) for sigma in model.sigmas(sampling.steps).tolist()]
    reduce = coordinates(vector)
    for start in range(0, len(prompts), sampling.batch):
        part = list(prompts[start : start + sampling.batch])
        seeds = [sampling.seed + start + i for i in range(len(part))]
        steps = model.recorded(list(vector.sites), part, seeds, sampling, reduce, progress)
        for knot, kept in zip(knots, steps, strict=True):
            for site, value in kept.items():
                values[site][knot].append(value)
    return quantiles(_fill(values))


def captured_negatives(model: CapturableModel, captured: Mapping[str, Any]) -> tuple[list[str], CaptureSettings]:
    """The negative prompts of a capture and how it sampled, which is what `calibrate` wants.

    Raises:
        SteeringError: a capture of the text, metadata that lack something, or another model.
    """
    if "tokens" in captured:
        raise SteeringError(
            "gate thresholds are measured while sampling, and this is a capture of the text, whose vectors need none; "
            "leave the model out"
        )
    missing = [name for name in ("negatives", "model", "steps", "guidance", "seed", "size") if name not in captured]
    if missing:
        raise SteeringError(
            f"gate thresholds need {', '.join(missing)} of the capture, which the file lacks; capture again"
        )
    if model.weights_hash() != captured["model"].get("weights"):
        raise SteeringError(
            f"gate thresholds need the model that was captured ({captured['model'].get('name')}), and this is another; "
            "give that one, or do without thresholds"
        )
    return _texts(captured["negatives"]), CaptureSettings(*(_number(captured, name) for name in SETTINGS))


REACH = 0.95
"""The share of tokens without the concept that stay below a threshold."""
SETTINGS = ("steps", "guidance", "seed", "size")


def _texts(negatives: Any) -> list[str]:
    if not isinstance(negatives, list) or not negatives or not all(isinstance(text, str) for text in negatives):
        raise SteeringError(f"the capture's negatives {short(negatives)} must be a list of prompts; capture again")
    return negatives


def _number(captured: Mapping[str, Any], name: str) -> Any:
    """A setting of the capture: guidance is a number, a size may be a pair, the rest are whole numbers."""
    value = captured[name]
    parts = value if name == "size" and isinstance(value, list) and len(value) == 2 else [value]
    for part in parts:
        if name == "guidance":
            check_finite(part, "the capture's guidance")
        elif isinstance(part, bool) or not isinstance(part, int):
            raise SteeringError(f"the capture's {name} {short(value)} must be a whole number; capture again")
    return tuple(parts) if len(parts) == 2 else value


def _fill(values: dict[Site, list[list[Tensor]]]) -> dict[Site, list[list[Tensor]]]:
    """Give a knot that no step came near the values of its nearest filled neighbour."""
    filled = {}
    for site, knots in values.items():
        full = [i for i, parts in enumerate(knots) if parts]
        filled[site] = [knots[min(full, key=lambda j, i=i: abs(j - i))] for i in range(len(knots))]
    return filled


def coordinates(vector: SteeringVector) -> Reducer:
    """A reducer to the coordinates <x, r_k> of every token, ``[B, T, C]`` to ``[B, T, K]``; read as a gate reads."""

    def reduce(site: Site, tokens: Tensor, sigma: float) -> Tensor:
        rows = vector.sites[site].rows_read[vector.knot(sigma)]
        return tokens.float() @ rows.to(tokens.device).float().T

    return reduce


def quantiles(values: Mapping[Site, list[list[Tensor]]]) -> dict[Site, Tensor]:
    """Gate thresholds ``[S, K]``: the `REACH` quantile over all tokens of ``values[site][step]``.

    Each step holds a list of coordinates ``[B, T, K]``.
    """
    result = {}
    for site, steps in values.items():
        flat = [torch.cat([part.flatten(0, 1) for part in parts]) for parts in steps]
        # torch.quantile refuses more than 16 million values; kthvalue does not.
        result[site] = torch.stack(
            [tokens.kthvalue(max(1, round(REACH * len(tokens))), dim=0).values for tokens in flat]
        )
    return result


def with_thresholds(vector: SteeringVector, thresholds: dict[Site, Tensor]) -> SteeringVector:
    """The same vector with a gate threshold ``[S, K]`` at every site (see `steering.vectors.calibration.quantiles`)."""
    sites = {site: replace(entry, threshold=thresholds[site].float()) for site, entry in vector.sites.items()}
    return replace(vector, sites=sites)
