"""Steering as a change of weights: a LoRA that costs nothing while it samples.

The sites ``attn1``, ``attn2`` and ``ff`` end in a linear layer, x = W h + b. Moving every token along fixed rows,

    x' = x - Σ_j λ_j (<x, w_j> - μ_j) m_j        w the readouts, m the rows moved along (`steering.interventions`)

is then another linear layer with

    W' = W - Σ_j λ_j m_j (w_jᵀ W)        up = -λ_j m_j, down = w_jᵀ W, alpha = rank
    b' = b - Σ_j λ_j (w_jᵀ b - μ_j) m_j      the bias delta

and under mode ``add`` just b' = b + Σ_j λ_j γ_j r_j. Both are linear in λ, so a LoRA exported at λ and loaded at s
steers with s·λ. This holds for gate ``all``, both halves of guidance, one direction for all noise levels, and no
keep-norm, window or mask; the rest of steering is not linear or not constant, and is refused or approximated.

The weight form of directional ablation is of Arditi et al. (arXiv 2406.11717) and CASteer (arXiv 2503.09630,
W' = (I - s sᵀ) W); the reference μ and the bias are added here. A LoRA belongs to the weights W it was made from:
beside another LoRA on the same layer it does not see that one's share, which steering at run time does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SteeringError
from ..interventions.entry import ALWAYS, Entry
from ..interventions.presets import EditSettings
from ..linalg import lead_first
from ..models.hooks import undone
from ..sites import Site, find_sites
from ..vectors.site import SiteVector
from ..vectors.vector import SteeringVector

LINEAR = MappingProxyType({"attn1": "to_out.0", "attn2": "to_out.0", "ff": "net.2"})
"""Kind of site -> path of the linear layer that it ends in, in either layout."""

Layer = tuple[Tensor, Tensor]
"""Weight ``[C, C_in]`` and bias ``[C]`` of a linear layer."""


@dataclass(frozen=True, eq=False)
class Delta:
    """The change of one linear layer: W + up · down, b + bias.

    Attributes:
        up: ``[C, J]``.
        down: ``[J, C_in]``.
        bias: ``[C]``.
    """

    up: Tensor
    down: Tensor
    bias: Tensor


def obstacles(entry: Entry) -> list[str]:
    """What of an entry a change of weights cannot hold, a sentence each; nothing where it is exact."""
    vector, settings = entry.vector, entry.settings
    found = []
    if len(vector.sigmas) > 1 or (entry.target is not None and len(entry.target.sigmas) > 1):
        found.append("directions differ from step to step (build with time 'constant')")
    if any(part.local is not None for part in vector.sites.values()):
        found.append("its map of tokens is not linear (build with another direction)")
    conv = sorted(str(site) for site in vector.sites if site.kind not in LINEAR)
    if conv:
        verb = "does" if len(conv) == 1 else "do"
        found.append(f"{', '.join(conv)} {verb} not end in a linear layer (build with sites attn1,attn2,ff)")
    partly = [str(site) for site, part in vector.sites.items() if not part.active.all() and site.kind in LINEAR]
    if partly:
        found.append(
            f"{', '.join(partly)} are steered at some noise levels only (build with select overall, or name the sites)"
        )
    if settings.gate != "all" and entry.mode != "add":
        found.append(f"gate {settings.gate!r} leaves some tokens alone (use gate 'all')")
    if settings.half != "both":
        found.append("only the prompt's half of guidance is steered (use half 'both', or a LoRA hook on the prompt)")
    if settings.keep_norm:
        found.append("tokens keep their length (leave keep_norm off)")
    if entry.window != ALWAYS:
        found.append("it acts in a part of the schedule (export without, and schedule the LoRA with hooks)")
    if entry.mask is not None:
        found.append("it acts in a part of the picture (leave the mask out)")
    return found


def check_linear(vector: SteeringVector) -> None:
    """Refuse a vector of which a LoRA could hold nothing, exactly or nearly."""
    if not any(site.kind in LINEAR for site in vector.sites):
        raise SteeringError(
            f"a LoRA cannot hold a vector at {', '.join(sorted({site.kind for site in vector.sites}))}: it changes "
            f"layers of {', '.join(LINEAR)}. Capture these (sites {','.join(LINEAR)}) and build with time constant"
        )


def linearised(entry: Entry) -> Entry:
    """The nearest entry that a change of weights holds exactly.

    Directions are averaged over the noise levels at which they are steered, sites without a linear layer are
    left out, the others are steered always, at every token and in both halves of guidance.

    Raises:
        SteeringError: no site is left, or the vector reads other directions than it moves at several noise levels.
    """
    settings = EditSettings(entry.settings.reference, "all", False, "both")
    target = None if entry.target is None else constant(_always(entry.target))
    return replace(entry, vector=constant(entry.vector), target=target, settings=settings, window=ALWAYS, mask=None)


def constant(vector: SteeringVector) -> SteeringVector:
    """The vector with one direction for all noise levels, at the sites that end in a linear layer.

    The mean displacement and negative mean over the noise levels at which a site is steered; with K rows, the K
    leading singular vectors of all their rows, turned so that the first points along that displacement.
    """
    check_linear(vector)
    parts = {site: part for site, part in vector.sites.items() if site.kind in LINEAR}
    if len(vector.sigmas) > 1 and any(part.readout is not None for part in parts.values()):
        raise SteeringError(
            "the vector reads other directions than it moves, at several noise levels; build it constant"
        )
    sites = {site: _averaged(part, vector.active_knots[part.active]) for site, part in parts.items()}
    return SteeringVector(
        sites, vector.sigmas[len(vector.sigmas) // 2].reshape(1), vector.active_sigmas, vector.metadata
    )


def _always(vector: SteeringVector) -> SteeringVector:
    """The vector at all noise levels: what takes a place does so wherever the place is."""
    sites = {site: replace(part, active=torch.ones_like(part.active)) for site, part in vector.sites.items()}
    return replace(vector, sites=sites)


def _averaged(part: SiteVector, knots: Tensor) -> SiteVector:
    always = torch.ones_like(part.active)
    if len(part.direction) == 1:
        return replace(part, active=always)
    displacement = part.displacement[knots].mean(0)
    rank = part.direction.shape[1]
    rows = torch.linalg.svd(part.direction[knots].flatten(0, 1).float(), full_matrices=False).Vh[:rank]
    lead = torch.nn.functional.normalize(displacement, dim=0)[None]
    direction = lead if rank == 1 else lead_first(rows, displacement)
    mean = part.negative_mean[knots].float().mean(0, keepdim=True)
    return SiteVector(direction[None], mean, displacement[None], always)


def bake(entry: Entry, layers: Mapping[Site, Layer]) -> dict[Site, Delta]:
    """The change of every steered layer that does what the entry does.

    Args:
        entry: what is to be held; its strength is baked in.
        layers: weight and bias of the linear layer of at least the vector's sites (`linear_layers`).

    Raises:
        SteeringError: the entry cannot be held exactly; the message says why and what to do.
    """
    found = obstacles(entry)
    if found:
        raise SteeringError(f"a LoRA cannot hold this steering: {'; '.join(found)}; or ask for the nearest one")
    sigma = float(entry.vector.sigmas[0])
    return {site: _delta(entry, site, *layers[site]) for site in entry.vector.sites if entry.acts(site, sigma)}


def _delta(entry: Entry, site: Site, weight: Tensor, bias: Tensor) -> Delta:
    rows = entry.rows(site, float(entry.vector.sigmas[0]))
    moved, read = rows.directions.double(), rows.readouts.double()
    # On the CPU, since not every accelerator knows float64.
    strengths, weight, bias = rows.strengths.double(), weight.cpu().double(), bias.cpu().double()
    if entry.mode == "add":
        # A LoRA without weights is not a LoRA to most programs, so there are some, of zeros.
        none = torch.zeros(len(weight), 1), torch.zeros(1, weight.shape[1])
        return Delta(*none, (strengths @ moved).float())
    shift = (read @ bias - rows.offsets.double()) * strengths
    parts = (-(moved.mT * strengths), read @ weight, -(shift @ moved))
    return Delta(*(part.float().contiguous() for part in parts))


# --- a UNet's layers ------------------------------------------------------------------------------


def linear_of(site: Site, module: nn.Module) -> nn.Linear:
    """The linear layer that a site's module, of `find_sites`, ends in."""
    layer: Any = module.get_submodule(LINEAR["ff"]) if site.kind == "ff" else module
    return layer


def linear_layers(unet: nn.Module, sites: Sequence[Site]) -> dict[Site, Layer]:
    """Weight and bias of the last linear layer of some sites.

    Raises:
        SteeringError: a site that the UNet does not have, or a layer without bias, which could not hold the reference.
    """
    available = find_sites(unet)
    missing = [str(site) for site in sites if site not in available]
    if missing:
        raise SteeringError(f"this model lacks {', '.join(missing)}; use a vector made for this model")
    layers = {}
    for site in sites:
        layer = linear_of(site, available[site])
        if layer.bias is None:
            raise SteeringError(f"{site} ends in a linear layer without bias; leave it out of the vector")
        layers[site] = layer.weight.detach(), layer.bias.detach()
    return layers


@contextmanager
def merged(unet: nn.Module, deltas: Mapping[Site, Delta], strength: float = 1.0) -> Iterator[None]:
    """The deltas in the UNet's own weights inside the block; afterwards every bit is as before."""
    available = find_sites(unet)
    layers = {site: linear_of(site, available[site]) for site in deltas}
    before = [(layer.weight.data, layer.bias.data) for layer in layers.values()]

    def put_back() -> None:
        for layer, (weight, bias) in zip(layers.values(), before, strict=True):
            layer.weight.data, layer.bias.data = weight, bias

    with undone(put_back):
        for (site, layer), (weight, bias) in zip(layers.items(), before, strict=True):
            delta = deltas[site]
            change = delta.up.double() @ delta.down.double()
            layer.weight.data = (weight.cpu().double() + strength * change).to(weight)
            layer.bias.data = (bias.cpu().double() + strength * delta.bias.double()).to(bias)
        yield


def relative_gap(plain: Tensor, steered: Tensor, baked: Tensor) -> float:
    """How far a LoRA's latents lie from the steered ones, as a share of what steering changed (rms).

    0 is the same picture, 1 as far off as not steering at all.

    Raises:
        SteeringError: steering changed nothing, so there is nothing to be far from.
    """
    changed = (steered - plain).double().square().mean().sqrt()
    if not changed:
        raise SteeringError(
            "the gap cannot be measured: steering changed nothing in this picture; widen its window, or name a prompt "
            "that shows the concept"
        )
    return float((baked - steered).double().square().mean().sqrt() / changed)
