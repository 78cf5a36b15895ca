"""From activations and scores to a steering vector."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .activations import Activations
from .directions import CONTRASTS, Method, get_direction, parse_alpha
from .navigator import FOLDS, Scores, score, select
from .sites import Site
from .vector import SiteVector, SteeringVector

TIMES = ("per-step", "constant")


def build(
    activations: Activations,
    scores: Scores | None = None,
    top_k: int = 5,
    select_by: str = "per-step",
    direction: str = "mean",
    time: str = "per-step",
    rank: int = 1,
    alpha: float | str = 1.0,
    components: int | None = None,
) -> SteeringVector:
    """A steering vector from a capture.

    Args:
        activations: from a capture.
        scores: from `steering.score`; made cross-fitted (in-sample below ten pairs) when not given.
        top_k: how many sites, per noise level or overall.
        select_by: ``per-step``, ``overall``, or kinds and site names separated by commas.
        direction: a name of `steering.directions.DIRECTIONS`.
        time: one direction ``per-step``, or one ``constant`` in time (the average over the active
            noise levels), which a LoRA can hold.
        rank: number of directions per site and noise level.
        alpha: weight of the background in contrastive PCA, or ``auto``; plays no part in other directions.
        components: of direction ``cpca-paired``, in whose span the directions lie; ``rank`` of them if not given.

    Raises:
        ValueError: an unknown name, or nothing to steer.
    """
    if time not in TIMES:
        raise ValueError(f"time {time!r} is not one of {', '.join(TIMES)}")
    method = get_direction(direction, alpha, components)
    if scores is None:
        scores = score(activations, "cross-fitted" if activations.pairs >= 2 * FOLDS else "paper")
    chosen = select(scores, select_by, top_k)
    make = _constant if time == "constant" else _per_step
    sites = {site: make(activations.tensors[site], active, method, rank) for site, active in chosen.items()}
    sigmas = activations.sigmas if time == "per-step" else _middle(activations.sigmas)
    metadata: dict[str, Any] = {
        **{name: value for name, value in activations.metadata.items() if name != "negatives"},
        "method": {
            "direction": direction,
            "rank": rank,
            **({"alpha": parse_alpha(alpha), "components": components} if direction in CONTRASTS else {}),
            "select": select_by,
            "top_k": top_k,
            "time": time,
            "scores": scores.mode,
        },
        "scores": {str(site): round(float(scores.sites[site].score.mean()), 4) for site in chosen},
    }
    return SteeringVector(sites, sigmas.float(), activations.sigmas.float(), metadata)


def recommend(vector: SteeringVector, **recommendation: Any) -> SteeringVector:
    """The same vector with a recommended preset, strength or window in its metadata."""
    merged = {**vector.metadata.get("recommended", {}), **recommendation}
    return replace(vector, metadata={**vector.metadata, "recommended": merged})


def with_thresholds(vector: SteeringVector, thresholds: dict[Site, Tensor]) -> SteeringVector:
    """The same vector with a gate threshold ``[S, K]`` at every site (see `steering.recording.quantiles`)."""
    sites = {site: replace(entry, threshold=thresholds[site].float()) for site, entry in vector.sites.items()}
    return replace(vector, sites=sites)


def _middle(sigmas: Tensor) -> Tensor:
    return sigmas[len(sigmas) // 2].reshape(1)


def _per_step(tensor: Tensor, active: Tensor, method: Method, rank: int) -> SiteVector:
    """Directions at every noise level; where the site is not steered, the unit vectors e_k fill the gap."""
    positive, negative = tensor
    difference = (positive - negative).mean(0)
    rows = []
    for step in range(tensor.shape[2]):
        directions = method(positive[:, step].double(), negative[:, step].double(), rank).float()
        # A step without any difference has no direction; a legal placeholder keeps the file regular.
        legal = active[step] or directions[0].norm() > 0.5
        rows.append(directions if legal else torch.eye(*directions.shape))
    return SiteVector(torch.stack(rows), negative.mean(0), difference, active)


def _constant(tensor: Tensor, active: Tensor, method: Method, rank: int) -> SiteVector:
    """One direction, from the activations averaged over the steered noise levels."""
    positive, negative = tensor[:, :, active].mean(2).double()
    rows = method(positive, negative, rank).float()
    return SiteVector(
        rows[None],
        negative.mean(0, keepdim=True).float(),
        (positive - negative).mean(0, keepdim=True).float(),
        active,
    )
