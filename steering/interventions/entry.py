"""One vector with the way it is applied: strength, settings, window, mode, mask, target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..checks import check_finite
from ..errors import SteeringError
from ..sites import TEXT, Site
from ..vectors.recommendation import MOST_STRENGTH, Recommendation
from ..vectors.site import SiteVector
from ..vectors.vector import SteeringVector
from .operators import INTERVENTIONS, Rows
from .presets import EditSettings, Mode, get_preset

ALWAYS = (float("inf"), 0.0)
"""The window of an entry that acts at every noise level."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One vector with the way it is applied.

    Attributes:
        vector: the steering vector.
        strength: λ; larger always means more of what the mode says, 0 means nothing at all.
        settings: reference, gate, norm, half.
        window: (first, last) noise level at which it acts, ``first >= last``.
        mode: a name of `steering.interventions.operators.INTERVENTIONS`.
        mask: where in the picture it acts, weights from 0 to 1 ``[M, H, W]`` with M = 1 or one for each
            picture of the batch; None means everywhere.
        target: the vector of the concept that takes this one's place, under mode ``replace`` only. Where it has no
            direction, this concept is suppressed and nothing takes its place; at which noise levels it would be
            steered itself plays no part.
    """

    vector: SteeringVector
    strength: float
    settings: EditSettings
    window: tuple[float, float] = ALWAYS
    mode: Mode = "suppress"
    mask: Tensor | None = None
    target: SteeringVector | None = None

    def __post_init__(self) -> None:
        if self.mode not in INTERVENTIONS:
            raise SteeringError(f"mode {self.mode!r} is not one of {', '.join(INTERVENTIONS)}")
        _check_target(self.mode, self.vector, self.target)
        if not any(part.active.any() for part in self.vector.sites.values()):
            raise SteeringError("the vector is active at no noise level of any site, so it would never act; build anew")
        check_finite(self.strength, "strength", MOST_STRENGTH)
        if not self.window[0] >= self.window[1]:  # what is not a number is neither
            raise SteeringError(f"the window {self.window} ends before it starts; noise levels fall from first to last")
        if self.mask is not None and self.mask.ndim != 3:
            raise SteeringError(
                f"a mask of shape {tuple(self.mask.shape)} is not [M, H, W]; one mask a picture, or one"
            )
        if self.mask is not None and TEXT in self.vector.sites:
            raise SteeringError(
                "a mask says where in the picture, and the vector steers the text embedding, which is nowhere in it; "
                "leave the mask out, or build at other sites"
            )
        if self.mode != "suppress":
            levels = self.vector.active_knots
            _check_certain(self.mode, self.vector, [p.active & p.certain[levels] for p in self.vector.sites.values()])
            if self.target is not None:  # where it would be steered itself plays no part
                _check_certain(self.mode, self.target, [p.certain for p in self.target.sites.values()])
        if self.mode == "replace" and any(part.local for part in self.vector.sites.values()):
            raise SteeringError(
                "a vector of direction 'kernel' moves tokens to where its own pairs lead, so nothing else can take the "
                "concept's place; build it from pairs that say what it becomes (Write Prompt Pairs, or steering "
                "concept WORD --becomes OTHER), or with another direction"
            )
        if self.mode != "add":  # which no gate and no reference has a part in
            _check_settings(self.settings, list(self.vector.sites.values()))

    def reaches(self, site: Site, sigma: float) -> bool:
        """Whether a site and noise level are the entry's, whatever its strength."""
        inside = self.window[1] <= sigma <= self.window[0]
        return inside and site in self.vector.sites and self.vector.is_active(site, sigma)

    def acts(self, site: Site, sigma: float) -> bool:
        """Whether this entry changes anything at a site and noise level.

        Modes add and replace scale by γ, so they leave out levels where γ lies within its standard error.
        """
        if not self.strength or not self.reaches(site, sigma):
            return False
        return self.mode == "suppress" or self.vector.is_certain(site, sigma)

    def knots(self, sigma: float) -> tuple[int, ...]:
        """Which of its levels, and of its target's, counts at a noise level; equal ones have equal rows."""
        return tuple(vector.knot(sigma) for vector in (self.vector, self.target) if vector is not None)

    def rows(self, site: Site, sigma: float) -> Rows:
        """Its rows at a site and noise level, before other entries are taken into account."""
        if self.mode == "add":
            return self._rows_added(site, sigma)
        rows = self._rows_taken(site, sigma)
        return rows if self.target is None else replace(rows, directions=self._towards(rows, site, sigma))

    def _rows_added(self, site: Site, sigma: float) -> Rows:
        part, knot = self.vector.sites[site], self.vector.knot(sigma)
        directions, gaps = part.direction[knot].float(), part.gap[knot]
        nothing = torch.zeros(len(gaps))
        return Rows(directions, nothing, self.strength * gaps, nothing.long(), directions)

    def _towards(self, rows: Rows, site: Site, sigma: float) -> Tensor:
        """Rows q - t ``[J, C]``: along the leading one its concept becomes the target's, unit for unit."""
        assert self.target is not None
        if site not in self.target.sites:
            return rows.directions
        source, knot = self.vector.sites[site], self.vector.knot(sigma)
        if not source.held[knot] or not self.target.is_certain(site, sigma):  # no share to speak of
            return rows.directions
        taken = self.target.sites[site].displacement[self.target.knot(sigma)] / source.gap[knot, 0]
        return torch.cat([rows.directions[:1] - taken, rows.directions[1:]])

    def _rows_taken(self, site: Site, sigma: float) -> Rows:
        part, knot = self.vector.sites[site], self.vector.knot(sigma)
        directions = part.direction[knot].float()
        readouts = directions if part.readout is None else part.rows_read[knot].float()
        offsets = self.offsets(site, sigma, readouts)
        if self.settings.gate == "threshold" and part.threshold is not None:
            offsets = torch.cat([part.threshold[knot, :1].float(), offsets[1:]])
        strengths = torch.full_like(offsets, self.strength)
        leads = torch.zeros(len(offsets), dtype=torch.long)
        condition = None if part.condition is None else part.condition.float()
        return Rows(directions, offsets, strengths, leads, readouts, condition, part.local)

    def offsets(self, site: Site, sigma: float, readouts: Tensor) -> Tensor:
        """μ of every readout row ``[K]``: the negative mean's coordinate, or zero."""
        if self.settings.reference == "zero":
            return readouts.new_zeros(len(readouts))
        return readouts @ self.vector.sites[site].negative_mean[self.vector.knot(sigma)].float()


def _check_settings(settings: EditSettings, parts: Sequence[SiteVector]) -> None:
    """Refuse a gate or reference that the parts of a vector cannot follow."""
    if any(part.local for part in parts) and (settings.gate == "threshold" or settings.reference == "zero"):
        raise SteeringError(
            "a vector of direction 'kernel' moves tokens to where its own map says, so reference 'zero' and gate "
            "'threshold' mean nothing to it; take preset conditional, affine, lora or precise"
        )
    if settings.gate == "threshold" and any(part.threshold is None for part in parts):
        raise SteeringError("the vector has no thresholds for gate 'threshold'; calibrate it or use gate 'positive'")
    if settings.gate == "prompt" and any(part.condition is None for part in parts):
        raise SteeringError(
            "gate 'prompt', of preset conditional, asks which prompts hold the concept, which vectors know at the site "
            "'text' alone; build one of captured text, or take another preset"
        )


def _check_certain(mode: str, vector: SteeringVector, certain: Sequence[Tensor]) -> None:
    if not any(flags.any() for flags in certain):
        concept = vector.concept or "the concept"
        raise SteeringError(
            f"mode {mode!r} measures in gaps between prompts with and without {concept}, and at every site the gap of "
            "this vector lies within its standard error; build it from more pairs or with direction mean, or suppress"
        )


def _check_target(mode: str, vector: SteeringVector, target: SteeringVector | None) -> None:
    if mode == "replace" and target is None:
        raise SteeringError("mode 'replace' takes a second vector; give that of what takes the first one's place")
    if mode != "replace" and target is not None:
        raise SteeringError(f"mode {mode!r} takes no second vector; leave it out, or use mode replace")
    if target is not None and not set(vector.sites) & set(target.sites):
        raise SteeringError(
            "the two vectors share no site, so nothing can take the first one's place; build both at more"
        )


def usual_preset(vector: SteeringVector) -> str:
    """What the vector's file recommends, else ``conditional`` if every site has a condition, else ``precise``."""
    knows = all(part.condition is not None for part in vector.sites.values())
    return vector.recommended.preset or ("conditional" if knows else "precise")


def make_entry(
    vector: SteeringVector,
    *,
    strength: float | None = None,
    preset: str | None = None,
    settings: EditSettings | None = None,
    window: tuple[float, float] | None = None,
    mode: Mode = "suppress",
    mask: Tensor | None = None,
    target: SteeringVector | None = None,
) -> Entry:
    """An entry with every blank filled: from the vector's recommendation, else from the preset.

    Args:
        vector: the steering vector.
        strength: None takes the file's recommendation (for this preset and its settings), else the preset's usual
            one; under modes ``add`` and ``replace`` 1, since those say how far to suppress.
        preset: None takes `usual_preset`.
        settings: replace the preset's settings.
        window: (first, last) noise level; None takes the file's recommendation, as of strength, else all.
        mode: what is done, a name of `steering.interventions.operators.INTERVENTIONS`.
        mask: where in the picture, ``[M, H, W]``; None means everywhere.
        target: the vector that takes this one's place, under mode ``replace``.
    """
    advice = vector.recommended
    name = preset or usual_preset(vector)
    chosen = get_preset(name)
    if mode != "suppress" or advice.preset != name or settings not in (None, chosen.settings):
        advice = Recommendation()
    if strength is None:
        usual = chosen.default_strength if mode == "suppress" else 1.0
        strength = usual if advice.strength is None else advice.strength
    window = window or advice.window or ALWAYS
    return Entry(vector, float(strength), settings or chosen.settings, window, mode, mask, target)
