"""What is done to an activation: pure functions of tensors.

One token or pixel x, orthonormal rows q_j, strengths λ_j and offsets μ_j:

    suppress     x' = x - Σ_j λ_j g_j q_j        with s_j = <x, q_j> (or <x, w_j> where a vector has a
                                                 readout w of its own) and the displacement g_j:
      gate all          g_j = s_j - μ_j
      gate positive     g_j = (s_j - μ_j) [s_lead > μ_lead]
      gate threshold    the same with μ_lead = τ, the upper quantile on negative prompts
      gate prompt       g_j = (s_j - μ_j) [a prompt that holds the concept], `directions.condition`

A vector with a local map (`directions.kernel`) has its g_j(x) in place of s_j - μ_j.

``lead`` is the row of the same vector that points along its mean difference; with one row this is
g = s - μ, max(s - μ, 0) and max(s - τ, 0). The reference μ is 0 (plain projection, the source study's and
CASteer's choice) or the negative mean's own coordinate (strength 1 then means "as in the negative
set", ACE, arXiv 2411.09003). The positive gate is CASteer's (arXiv 2503.09630); its factor
max(β<x, s>, 0) per patch is the case of one row and μ = 0.

    add          x' = x + Σ_j λ_j γ_j q_j        γ_j = <d, q_j>, d the mean difference positive - negative
    replace      x' = x - Σ_j λ_j g_j (q_j - t_j)    t_lead = D_b / γ_a, the others 0

so that strength 1 of ``add`` is one mean difference (activation addition, as repeng and CASteer's "add" do it)
on every token: reference and gate play no part. ``replace`` takes g out of concept a as ``suppress`` does,
and puts the same share g / γ_a of the other concept's displacement D_b = Σ_k γ_k q_k in its place: what is as
much of a as the positive prompts were becomes as much of b (CASteer's "switch", in units of each concept).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import torch
from torch import Tensor

from ..directions.condition import holds
from ..directions.kernel import LocalMap
from .presets import EditSettings


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that are applied together.

    Attributes:
        directions: rows that tokens are moved along ``[J, C]`` float32; orthonormal but under ``replace``.
        offsets: μ_j ``[J]`` (τ in the leading row under the threshold gate).
        strengths: λ_j ``[J]``; λ_j γ_j under ``add``.
        leads: index of the row that gates row j ``[J]``.
        readouts: rows that coordinates are read with ``[J, C]``; the directions themselves for a
            plain projection.
        condition: row and number ``[C + 1]`` of the gate ``prompt``.
        local: what tells the displacements in place of readouts and offsets.
    """

    directions: Tensor
    offsets: Tensor
    strengths: Tensor
    leads: Tensor
    readouts: Tensor
    condition: Tensor | None = None
    local: LocalMap | None = None

    @cached_property
    def moves(self) -> Tensor:
        """λ_j q_j ``[J, C]``: how far a displacement of 1 moves a token."""
        return self.strengths[:, None] * self.directions

    @cached_property
    def shifts(self) -> Tensor:
        """-μ_j ``[J]``."""
        return -self.offsets

    def to(self, device: torch.device) -> Rows:
        """The same rows on another device."""
        condition = None if self.condition is None else self.condition.to(device)
        parts = (self.directions, self.offsets, self.strengths, self.leads, self.readouts)
        directions, offsets, strengths, leads, readouts = (part.to(device) for part in parts)
        local = None if self.local is None else self.local.to(device)
        return Rows(directions, offsets, strengths, leads, readouts, condition, local)


def suppress(tokens: Tensor, rows: Rows, settings: EditSettings) -> Tensor:
    """Suppress: x' = x - Σ_j λ_j g_j q_j for tokens ``float32 [B, T, C]``, which stay; see the module's docstring."""
    if rows.local is None:
        displacement = torch.nn.functional.linear(tokens, rows.readouts, rows.shifts)  # [B, T, J]
    else:
        displacement = rows.local(tokens)
    moved = subtract_along(tokens, _gated(displacement, tokens, rows, settings.gate), rows.moves)
    return restore_norm(moved, tokens) if settings.keep_norm else moved


def _gated(displacement: Tensor, tokens: Tensor, rows: Rows, gate: str) -> Tensor:
    """The displacements g ``[B, T, J]``, from s - μ by the gate."""
    if gate == "all":
        return displacement
    if gate == "prompt":
        assert rows.condition is not None  # entries without one are refused where they are made
        return displacement * holds(tokens, rows.condition)[..., None]
    if len(rows.leads) == 1:
        return displacement.relu()  # the same, in one pass
    return displacement * (displacement[..., rows.leads] > 0)


def subtract_along(tokens: Tensor, steps: Tensor, rows: Tensor) -> Tensor:
    """Tokens ``[B, T, C]`` less steps c ``[B, T, J]`` along rows q ``[J, C]``: x - Σ_j c_j q_j, in one pass."""
    return torch.baddbmm(tokens, steps, rows.expand(len(tokens), -1, -1), alpha=-1)


def add(tokens: Tensor, rows: Rows, settings: EditSettings) -> Tensor:
    """Add: x' = x + Σ_j λ_j γ_j q_j, the same for every token ``float32 [B, T, C]``; the rows' strengths are λ_j γ_j.

    Of the settings only ``keep_norm`` matters here.
    """
    moved = tokens + rows.moves.sum(0)
    return restore_norm(moved, tokens) if settings.keep_norm else moved


def restore_norm(moved: Tensor, original: Tensor) -> Tensor:
    """Rescale every token of ``moved [..., C]`` to its length in ``original``; a zero token stays zero."""
    length = moved.norm(dim=-1, keepdim=True)
    return moved * (original.norm(dim=-1, keepdim=True) / length.clamp_min(torch.finfo(torch.float32).tiny))


INTERVENTIONS: MappingProxyType[str, Callable[[Tensor, Rows, EditSettings], Tensor]] = MappingProxyType(
    {"suppress": suppress, "replace": suppress, "add": add}
)
"""Mode name -> function, in the order in which they act where several do. Under ``replace`` the rows that tokens are
moved along are q_j - t_j, read with q_j; the formula is the same."""
