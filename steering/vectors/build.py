"""From activations and scores to a steering vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ..activations.store import Activations, check_alike
from ..checks import MOST
from ..directions.backgrounds import get_background
from ..directions.condition import condition, holds
from ..directions.kernel import local_map
from ..directions.methods import (
    AUTO,
    CONTRASTS,
    KEEPING,
    LATE,
    LOCAL,
    READOUTS,
    Method,
    get_direction,
    mean_difference,
    parse_alpha,
)
from ..errors import SteeringError
from ..scores.navigator import Scores, score, usual_mode
from ..scores.selection import select
from ..sites import TEXT, Site
from .combine import orthogonalise
from .site import SiteVector
from .times import TIMES, Time
from .vector import SteeringVector

NEGATIVES = "negatives"
"""The usual background of contrastive PCA."""


def build(
    activations: Activations,
    scores: Scores | None = None,
    *,
    top_k: int = 5,
    select_by: str = "per-step",
    direction: str = "mean",
    time: Time = "per-step",
    rank: int = 1,
    alpha: float | str = 1.0,
    components: int | None = None,
    background: str | Activations = NEGATIVES,
    protect: Sequence[Activations] = (),
) -> SteeringVector:
    """A steering vector from a capture.

    Args:
        activations: from a capture.
        scores: from `steering.score`; made cross-fitted (in-sample below ten pairs) when not given.
        top_k: how many sites, per noise level or overall.
        select_by: a rule of `steering.scores.selection.select`, or kinds and site names separated by commas.
        direction: a name of `steering.directions.methods.DIRECTIONS`; ``kernel`` is of captures of the text alone.
        time: one direction ``per-step``, or one ``constant`` in time (the average over the active
            noise levels), which a LoRA can hold.
        rank: number of directions per site and noise level.
        alpha: weight of the background in contrastive PCA, or ``auto``; plays no part in other directions.
        components: of contrastive PCA, in whose span the directions lie; the method's own number if not given.
        background: of contrastive PCA: a name of `steering.directions.backgrounds.BACKGROUNDS`, or a capture of neutral
            pairs.
        protect: captures of what is to be kept: directions are made orthogonal to the mean difference of each, so
            that steering moves nothing along those; ``affine`` and ``kernel`` learn to leave both their sides where
            they are, and the condition of a map of the text not to hold of them.

    Raises:
        SteeringError: an unknown name, captures that do not fit each other, or nothing to steer.
    """
    if time not in TIMES:
        raise SteeringError(f"time {time!r} is not one of {', '.join(TIMES)}")
    method = get_direction(direction, alpha, components)
    maker = _Maker(method, direction, rank, time, alpha, components, background, tuple(protect))
    maker.check(activations)
    rule = _rule(activations, protect) if activations.tokens > 1 else None
    if scores is None:
        scores = score(activations, usual_mode(activations))
    scores.check_fit(activations)
    chosen = select(scores, select_by, top_k)
    made = maker.vector(activations, chosen)
    held = activations.rows - int(activations.folds.bincount().max())  # of which the certainty makes it again
    if activations.pairs > 1 and max(rank, components or 0) <= held:
        made = replace(made, sites=with_certainty(made, activations, maker))
    if direction == LOCAL:
        made = replace(made, sites={TEXT: maker.with_local(activations, made.sites[TEXT])})
    if rule is not None:
        made = replace(made, sites={site: replace(part, condition=rule) for site, part in made.sites.items()})
    how = {"select": select_by, "top_k": top_k, **maker.about(), "scores": scores.mode}
    about = {name: value for name, value in activations.metadata.items() if name != "negatives"}
    rounded = {str(site): round(float(scores.sites[site].score.mean()), 4) for site in made.sites}
    return replace(made, metadata={**about, "method": how, "scores": rounded})


def _name(source: str | Activations) -> Any:
    """What a file says of a background or of what was protected."""
    if isinstance(source, str):
        return source
    return {name: source.metadata.get(name, "") for name in ("concept", "pairs")}


@dataclass(frozen=True)
class _Maker:
    """How the directions of a vector are made, whatever the pairs."""

    method: Method
    direction: str
    rank: int
    time: str
    alpha: float | str
    components: int | None
    background: str | Activations
    protect: tuple[Activations, ...]

    def about(self) -> dict[str, Any]:
        """What a file says of it."""
        method: dict[str, Any] = {"direction": self.direction, "rank": self.rank, "time": self.time}
        if self.direction in CONTRASTS:
            method |= {
                "alpha": parse_alpha(self.alpha),
                "components": self.components,
                "background": _name(self.background),
            }
        if self.protect:
            method |= {"protect": [_name(kept) for kept in self.protect]}
        return method

    def check(self, activations: Activations) -> None:
        """Refuse what does not fit, before any work is done."""
        if self.direction not in CONTRASTS and self.background != NEGATIVES:
            raise SteeringError(
                f"direction {self.direction!r} takes no background; {', '.join(CONTRASTS)} do, or leave it out"
            )
        if self.direction == LOCAL and set(activations.tensors) != {TEXT}:
            raise SteeringError(
                f"direction {LOCAL!r} is a map of the text embedding, which this capture lacks; capture sites 'text'"
            )
        if self.direction in CONTRASTS and self.alpha == AUTO and activations.tokens > 1:
            raise SteeringError(
                "alpha auto holds pairs out, and the rows of a capture of the text are tokens of pairs; give a number, "
                "1 is usual"
            )
        if isinstance(self.background, str):
            get_background(self.background)
        for kind, others in (("background", (self.background,)), ("protected", self.protect)):
            for other in others:
                if isinstance(other, Activations):
                    check_alike(kind, activations, other)

    def with_local(self, activations: Activations, part: SiteVector) -> SiteVector:
        """A part at the text embedding with the map by which its tokens are read."""
        tensor = activations.tensors[TEXT]
        positive, negative = tensor[:, :, 0].double()
        kept = self._beside(tensor, TEXT, part.active, 0).get("kept")
        rows = part.direction[0].double()
        made = local_map(positive, negative, rows, activations.folds, kept).to(torch.device("cpu"))
        return replace(part, **{field.name: getattr(made, field.name) for field in fields(made)})

    def vector(self, activations: Activations, chosen: Mapping[Site, Tensor]) -> SteeringVector:
        """Directions at the chosen sites and noise levels (bool ``[S]`` by site), without metadata."""
        sites = {site: self._site(activations.tensors[site], site, active) for site, active in chosen.items()}
        sigmas = activations.sigmas if self.time == "per-step" else _middle(activations.sigmas)
        made = SteeringVector(sites, sigmas.float(), activations.sigmas.float())
        if self.protect and self.direction not in KEEPING:
            made = orthogonalise([made, *(self._kept(made, other) for other in self.protect)])
        if self.direction in READOUTS:
            parts = {site: self._read(activations.tensors[site], site, part) for site, part in made.sites.items()}
            made = replace(made, sites=parts)
        return made

    def _site(self, tensor: Tensor, site: Site, active: Tensor) -> SiteVector:
        samples = self.samples(tensor, active)
        positive, negative = samples
        used = active if self.time == "per-step" else active.any()[None]
        first = tensor[0, :, int(active.nonzero()[0])].double()
        rows = []
        for knot in range(samples.shape[2]):
            one, other = samples[:, :, knot].double()
            against = self._against(one, other, first, site, active, knot)
            directions = self.method(
                one, other, self.rank, **against, **self._beside(samples, site, active, knot)
            ).float()
            # A step without any difference has no direction; a legal placeholder (the unit vectors e_k) keeps the
            # file regular.
            legal = used[knot] or directions[0].norm() > 0.5
            rows.append(directions if legal else torch.eye(*directions.shape))
        return SiteVector(torch.stack(rows), negative.mean(0), (positive - negative).mean(0), active)

    def _beside(self, samples: Tensor, site: Site, active: Tensor, knot: int) -> dict[str, Tensor]:
        """What the method takes beside the pairs of a noise level."""
        if self.direction in LATE:
            return {"previous": samples[:, :, max(knot - 1, 0)].double()}
        if self.protect and self.direction in KEEPING:
            sides = [self.samples(other.tensors[site], active)[:, :, knot].flatten(0, 1) for other in self.protect]
            return {"kept": torch.cat(sides).double()}
        return {}

    def samples(self, tensor: Tensor, active: Tensor) -> Tensor:
        """Activations ``[2, N, S, C]`` as the directions see them: themselves, or averaged over the active levels."""
        if self.time == "per-step":
            return tensor
        return tensor[:, :, active].double().mean(2, keepdim=True).float()

    def _against(
        self, positive: Tensor, negative: Tensor, first: Tensor, site: Site, active: Tensor, knot: int
    ) -> dict[str, Tensor]:
        """The background as the method takes it; nothing where it is the method's own."""
        if self.background == NEGATIVES:
            return {}
        if isinstance(self.background, Activations):
            one, other = self.samples(self.background.tensors[site], active)[:, :, knot].double()
            return {"background": one - other}
        return {"background": get_background(self.background)(positive, negative, first)}

    def _kept(self, made: SteeringVector, other: Activations) -> SteeringVector:
        """The mean differences of what is protected, where a vector steers."""
        plain = replace(self, method=mean_difference, direction="mean", rank=1, background=NEGATIVES, protect=())
        return plain.vector(other, {site: part.active for site, part in made.sites.items()})

    def _read(self, tensor: Tensor, site: Site, part: SiteVector) -> SiteVector:
        samples = self.samples(tensor, part.active)
        positive, negative = samples.double()
        readout = READOUTS[self.direction]
        rows = []
        for knot, directions in enumerate(part.direction.double()):
            beside = self._beside(samples, site, part.active, knot)
            moved = {} if self.direction in LATE else {"rows": directions}
            rows.append(readout(positive[:, knot], negative[:, knot], **moved, **beside))
        return replace(part, readout=torch.stack(rows).float())


def with_certainty(made: SteeringVector, activations: Activations, maker: _Maker) -> dict[Site, SiteVector]:
    """A vector's sites with the certainty of γ: mean over standard error of <a⁺_i - a⁻_i, w>, ``[S]``.

    w is the leading row as made without the fifth of the pairs that i is in: in the pairs that made it, even noise
    seems to move along a direction. Where the others leave no direction, the pair has moved by 0.
    """
    chosen = {site: part.active for site, part in made.sites.items()}
    moved: dict[Site, list[Tensor]] = {site: [] for site in chosen}
    folds = activations.folds
    for fold in folds.unique():
        train, test = folds != fold, folds == fold
        part = maker.vector(_of_pairs(activations, train, chosen), chosen)
        for site, active in chosen.items():
            positive, negative = maker.samples(activations.tensors[site][:, test], active)
            rows = _projected(positive - negative, part.sites.get(site))
            # A pair counts once, however many of its tokens are rows.
            moved[site].append(rows.unflatten(0, (activations.tokens, -1)).mean(0))
    return {site: replace(part, certainty=_in_errors(torch.cat(moved[site]))) for site, part in made.sites.items()}


def _rule(activations: Activations, protect: Sequence[Activations]) -> Tensor:
    """What tells the prompts that hold the concept, from captures of the text embedding."""
    positive, negative = _prompts(activations)
    rule = condition(positive, negative, [side for kept in protect for side in _prompts(kept)])
    if holds(positive, rule).sum() <= holds(negative, rule).sum():
        name = activations.metadata.get("concept") or "the pairs"
        raise SteeringError(
            f"the text embedding does not tell the positive prompts of {name} "
            "from the negative ones, since the negatives hold the same words; write negatives without the concept"
        )
    return rule.float()


def _prompts(activations: Activations) -> Tensor:
    """The tokens of a capture of the text embedding, prompt by prompt ``[2, N, T, C]``."""
    return activations.tensors[TEXT][:, :, 0].unflatten(1, (activations.tokens, -1)).transpose(1, 2).double()


def _projected(differences: Tensor, part: SiteVector | None) -> Tensor:
    """Differences ``[n, S, C]`` along the leading row read ``[n, S]``."""
    if part is None:
        return differences.new_zeros(differences.shape[:2])
    return torch.einsum("nsc,sc->ns", differences, part.rows_read[:, 0])


def _in_errors(moved: Tensor) -> Tensor:
    """Mean over standard error of ``[N, S]``, per noise level ``[S]``."""
    error = moved.std(0) / len(moved) ** 0.5
    return (moved.mean(0) / error.clamp_min(torch.finfo(moved.dtype).tiny)).clamp(-MOST, MOST)


def _of_pairs(activations: Activations, which: Tensor, sites: Iterable[Site]) -> Activations:
    """Some pairs at some sites; a copy of the whole capture would cost more than the directions."""
    return Activations({site: activations.tensors[site][:, which] for site in sites}, activations.sigmas)


def _middle(sigmas: Tensor) -> Tensor:
    return sigmas[len(sigmas) // 2].reshape(1)
