"""What is done to an activation: pure functions of tensors.

One token or pixel x, orthonormal rows q_j, strengths λ_j and offsets μ_j:

    suppress     x' = x - Σ_j λ_j g_j q_j        with s_j = <x, q_j> (or <x, w_j> where a vector has a
                                                 readout w of its own) and the displacement g_j:
      gate all          g_j = s_j - μ_j
      gate positive     g_j = (s_j - μ_j) [s_lead > μ_lead]
      gate threshold    the same with μ_lead = τ, the upper quantile on negative prompts

``lead`` is the row of the same vector that points along its mean difference; with one row this is
g = s - μ, max(s - μ, 0) and max(s - τ, 0). The reference μ is 0 (plain projection, the study's and
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
from types import MappingProxyType

import torch
from torch import Tensor

REFERENCES = ("zero", "negative")
GATES = ("all", "positive", "threshold")
HALVES = ("cond", "both")


@dataclass(frozen=True)
class Settings:
    """How an intervention acts, without its strength.

    Attributes:
        reference: ``zero``, or ``negative`` (the negative mean's coordinate).
        gate: ``all`` tokens, ``positive`` ones only, or those above the ``threshold``.
        keep_norm: whether every token keeps its length.
        half: steer the ``cond`` rows only, or ``both`` halves of classifier-free guidance.
    """

    reference: str = "negative"
    gate: str = "positive"
    keep_norm: bool = False
    half: str = "cond"

    def __post_init__(self) -> None:
        for name, value, legal in (
            ("reference", self.reference, REFERENCES),
            ("gate", self.gate, GATES),
            ("half", self.half, HALVES),
        ):
            if value not in legal:
                raise ValueError(f"{name} {value!r} is not one of {', '.join(legal)}")


@dataclass(frozen=True)
class Preset:
    """Settings with the strength usually used with them."""

    settings: Settings
    usual_strength: float


PRESETS = MappingProxyType(
    {
        "study": Preset(Settings("zero", "all", False, "cond"), 2.5),
        "casteer": Preset(Settings("zero", "positive", False, "cond"), 2.0),
        "precise": Preset(Settings("negative", "positive", False, "cond"), 1.0),
        "selective": Preset(Settings("negative", "threshold", False, "cond"), 2.0),
        "lora": Preset(Settings("negative", "all", False, "both"), 1.0),
    }
)
"""Named settings: the source study's, CASteer's, the one that means "as in the negative set", the one that
touches only tokens above what 95 % of the negative set's tokens reach, and the one that a LoRA can hold."""


def get_preset(name: str) -> Preset:
    """The preset of a name; raises ValueError naming the legal ones."""
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is not one of {', '.join(PRESETS)}")
    return PRESETS[name]


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
    """

    directions: Tensor
    offsets: Tensor
    strengths: Tensor
    leads: Tensor
    readouts: Tensor

    def to(self, device: torch.device) -> Rows:
        """The same rows on another device."""
        parts = (self.directions, self.offsets, self.strengths, self.leads, self.readouts)
        return Rows(*(part.to(device) for part in parts))


def suppress(x: Tensor, rows: Rows, settings: Settings) -> Tensor:
    """Suppress: x' = x - Σ_j λ_j g_j q_j for tokens ``x [..., C]``; see the module's docstring.

    Computed in float32, returned in x's dtype; x itself is never changed.
    """
    tokens = x.float()
    displacement = tokens @ rows.readouts.T - rows.offsets  # [..., J]
    if settings.gate != "all":
        displacement = displacement * (displacement[..., rows.leads] > 0)
    moved = tokens - (displacement * rows.strengths) @ rows.directions
    return (restore_norm(moved, tokens) if settings.keep_norm else moved).to(x.dtype)


def add(x: Tensor, rows: Rows, settings: Settings) -> Tensor:
    """Add: x' = x + Σ_j λ_j γ_j q_j, the same for every token; the rows' strengths being λ_j γ_j.

    Computed in float32, returned in x's dtype; of the settings only ``keep_norm`` matters here.
    """
    tokens = x.float()
    moved = tokens + rows.strengths @ rows.directions
    return (restore_norm(moved, tokens) if settings.keep_norm else moved).to(x.dtype)


def restore_norm(moved: Tensor, original: Tensor) -> Tensor:
    """Rescale every token of ``moved [..., C]`` to its length in ``original``; a zero token stays zero."""
    length = moved.norm(dim=-1, keepdim=True)
    return moved * (original.norm(dim=-1, keepdim=True) / length.clamp_min(torch.finfo(torch.float32).tiny))


def within(x: Tensor, moved: Tensor, weights: Tensor) -> Tensor:
    """Only inside a mask: x' = x + m (moved - x) for tokens ``[B, T, C]`` and weights ``[B, T, 1]`` in 0..1.

    Where m is 0, x stays as it is, bit for bit.
    """
    mixed = x.float() + weights * (moved.float() - x.float())
    return torch.where(weights == 0, x, mixed.to(x.dtype))


def token_grid(tokens: int, latent: tuple[int, int]) -> tuple[int, int]:
    """Height and width in which a site's tokens lie, row by row; every level of the UNet halves them, rounding up.

    Raises:
        ValueError: no level of the UNet has that many tokens.
    """
    height, width = latent
    while height * width > tokens:
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width != tokens:
        raise ValueError(f"{tokens} tokens are no level of a UNet on latents of {latent[0]} x {latent[1]}")
    return height, width


def mask_tokens(mask: Tensor, tokens: int, latent: tuple[int, int]) -> Tensor:
    """A mask ``[M, H, W]`` as weights of a site's tokens ``[M, T, 1]``, averaged over each token's area.

    Args:
        mask: weights from 0 to 1, over the whole picture.
        tokens: number of tokens T of the site.
        latent: height and width of the latents.

    Raises:
        ValueError: no level of the UNet has that many tokens.
    """
    height, width = token_grid(tokens, latent)
    fitted = torch.nn.functional.interpolate(mask[:, None].float(), (height, width), mode="area")
    return fitted.flatten(1)[..., None]


INTERVENTIONS: MappingProxyType[str, Callable[[Tensor, Rows, Settings], Tensor]] = MappingProxyType(
    {"suppress": suppress, "replace": suppress, "add": add}
)
"""Mode name -> function, in the order in which they act where several do. Under ``replace`` the rows that tokens are
moved along are q_j - t_j, read with q_j; the formula is the same."""


LEAST = 0.1
"""A direction of which less than this is left beside others is dropped: a short remainder is mostly noise."""


def orthonormalise(entries: list[Rows], minimum: float = LEAST) -> tuple[list[Tensor], list[Tensor]]:
    """Gram-Schmidt over the rows of several entries in their order.

    Returns for each entry its orthonormal rows ``[J', C]`` and the indices ``[J']`` of the rows they
    came from. A row whose residual is shorter than ``minimum`` is dropped: it says what earlier rows
    say already, and dividing by a short residual would blow up noise. Without its leading row an entry
    has none.
    """
    basis: list[Tensor] = []
    kept, sources = [], []
    for entry in entries:
        mine, indices = [], []
        for index, row in enumerate(entry.directions.double()):
            residual = row
            for _ in range(2):  # twice is enough (Kahan): the second pass removes what rounding left
                for earlier in basis:
                    residual = residual - (residual @ earlier) * earlier
            if residual.norm() >= minimum:
                basis.append(residual / residual.norm())
                mine.append(basis[-1])
                indices.append(index)
            elif index == 0:
                break  # an entry is gated by its leading row; without it the others must not act
        width = entry.directions.shape[1]
        kept.append(torch.stack(mine).float() if mine else torch.empty(0, width))
        sources.append(torch.tensor(indices, dtype=torch.long))
    return kept, sources
