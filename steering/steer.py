"""Steering a UNet while it samples: hooks that fetch, call the pure functions, and place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .hooks import as_tokens, like_output, site_hooks
from .interventions import INTERVENTIONS, Rows, Settings, get_preset, mask_tokens, orthonormalise, within
from .schedule import NoiseSchedule
from .sites import Site, find_sites, module_width, sort_sites
from .vector import SteeringVector

DEFAULT_PRESET = "precise"
ALWAYS = (float("inf"), 0.0)
"""The window of an entry that acts at every noise level."""


@dataclass(frozen=True)
class Call:
    """What one UNet call is about, which the tensors do not say.

    Attributes:
        sigmas: noise level of every row.
        conditional: whether a row belongs to the prompt (True) or to the negative prompt (False).
        latent: height and width of the latents, which a mask needs.
        batch: number of latents; the rows hold the batch once or several times, one after the other. None
            means that all rows are one batch.
    """

    sigmas: tuple[float, ...]
    conditional: tuple[bool, ...]
    latent: tuple[int, int] | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if len(self.sigmas) != len(self.conditional):
            raise ValueError(f"{len(self.sigmas)} sigmas do not match {len(self.conditional)} conditional flags")

    def acting(self, sigma: float, half: str) -> list[int]:
        """The rows at a noise level that are steered: the prompts', or those of ``both`` halves of guidance."""
        rows = enumerate(zip(self.sigmas, self.conditional, strict=True))
        return [i for i, (level, conditional) in rows if level == sigma and (conditional or half == "both")]

    def check_rows(self, site: Site, output: Tensor) -> None:
        """Raise RuntimeError where a site's output has other rows than the call."""
        if len(self.sigmas) != len(output):
            raise RuntimeError(
                f"the call describes {len(self.sigmas)} rows, {site} computed {len(output)}; something else cuts the "
                f"picture up there, as HyperTile does with attn1: take it out, or leave {site.kind} alone"
            )


class SteerableModel(Protocol):
    """What `steer` needs of a model: its UNet, its schedule, and a description of the running call."""

    unet: nn.Module
    schedule: NoiseSchedule
    call: Call | None


@dataclass(frozen=True, eq=False)
class Entry:
    """One vector with the way it is applied.

    Attributes:
        vector: the steering vector.
        strength: λ; larger always means more of what the mode says, 0 means nothing at all.
        settings: reference, gate, norm, half.
        window: (first, last) noise level at which it acts, ``first >= last``.
        mode: a name of `steering.interventions.INTERVENTIONS`.
        mask: where in the picture it acts, weights from 0 to 1 ``[M, H, W]`` with M = 1 or one for each
            picture of the batch; None means everywhere.
        target: the vector of the concept that takes this one's place, under mode ``replace`` only. Where it has no
            direction, this concept is suppressed and nothing takes its place; at which noise levels it would be
            steered itself plays no part.
    """

    vector: SteeringVector
    strength: float
    settings: Settings
    window: tuple[float, float] = ALWAYS
    mode: str = "suppress"
    mask: Tensor | None = None
    target: SteeringVector | None = None

    def __post_init__(self) -> None:
        if self.mode not in INTERVENTIONS:
            raise ValueError(f"mode {self.mode!r} is not one of {', '.join(INTERVENTIONS)}")
        _check_target(self.mode, self.vector, self.target)
        if not torch.isfinite(torch.tensor(float(self.strength))):
            raise ValueError(f"strength {self.strength} must be a finite number")
        if self.window[0] < self.window[1]:
            raise ValueError(f"the window {self.window} ends before it starts; noise levels fall from first to last")
        if self.mask is not None and self.mask.ndim != 3:
            raise ValueError(f"a mask of shape {tuple(self.mask.shape)} is not [M, H, W]; one mask a picture, or one")
        if self.mode != "suppress":
            levels = self.vector.active_knots
            _check_certain(self.mode, self.vector, [p.active & p.certain[levels] for p in self.vector.sites.values()])
            if self.target is not None:  # where it would be steered itself plays no part
                _check_certain(self.mode, self.target, [p.certain for p in self.target.sites.values()])
        gated = self.settings.gate == "threshold" and self.mode != "add"
        if gated and any(e.threshold is None for e in self.vector.sites.values()):
            raise ValueError("the vector has no thresholds for gate 'threshold'; calibrate it or use gate 'positive'")

    def reaches(self, site: Site, sigma: float) -> bool:
        """Whether a site and noise level are the entry's, whatever its strength."""
        inside = self.window[1] <= sigma <= self.window[0]
        return inside and site in self.vector.sites and self.vector.is_active(site, sigma)

    def acts(self, site: Site, sigma: float) -> bool:
        """Whether this entry changes anything at a site and noise level.

        What is measured in γ is not done where γ lies within its standard error.
        """
        if not self.strength or not self.reaches(site, sigma):
            return False
        return self.mode == "suppress" or self.vector.is_certain(site, sigma)

    def rows(self, site: Site, sigma: float) -> Rows:
        """Its rows at a site and noise level, before other entries are taken into account."""
        if self.mode == "add":
            return self._rows_added(site, sigma)
        rows = self._rows_taken(site, sigma)
        return rows if self.target is None else replace(rows, directions=self._towards(rows, site, sigma))

    def _rows_added(self, site: Site, sigma: float) -> Rows:
        entry, knot = self.vector.sites[site], self.vector.knot(sigma)
        directions, gaps = entry.direction[knot].float(), entry.gap[knot]
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
        entry, knot = self.vector.sites[site], self.vector.knot(sigma)
        directions = entry.direction[knot].float()
        readouts = directions if entry.readout is None else entry.rows_read[knot].float()
        offsets = self.offsets(site, sigma, readouts)
        if self.settings.gate == "threshold" and entry.threshold is not None:
            offsets = torch.cat([entry.threshold[knot, :1].float(), offsets[1:]])
        strengths = torch.full_like(offsets, self.strength)
        return Rows(directions, offsets, strengths, torch.zeros(len(offsets), dtype=torch.long), readouts)

    def offsets(self, site: Site, sigma: float, readouts: Tensor) -> Tensor:
        """μ of every readout row ``[K]``: the negative mean's coordinate, or zero."""
        if self.settings.reference == "zero":
            return readouts.new_zeros(len(readouts))
        return readouts @ self.vector.sites[site].negative_mean[self.vector.knot(sigma)].float()


def _check_certain(mode: str, vector: SteeringVector, certain: Sequence[Tensor]) -> None:
    if not any(flags.any() for flags in certain):
        concept = vector.metadata.get("concept") or "the concept"
        raise ValueError(
            f"mode {mode!r} measures in gaps between prompts with and without {concept}, and at every site the gap of "
            "this vector lies within its standard error; build it from more pairs or with direction mean, or suppress"
        )


def _check_target(mode: str, vector: SteeringVector, target: SteeringVector | None) -> None:
    if mode == "replace" and target is None:
        raise ValueError("mode 'replace' takes a second vector; give that of what takes the first one's place")
    if mode != "replace" and target is not None:
        raise ValueError(f"mode {mode!r} takes no second vector; leave it out, or use mode replace")
    if target is not None and not set(vector.sites) & set(target.sites):
        raise ValueError("the two vectors share no site, so nothing can take the first one's place; build both at more")


def make_entry(
    vector: SteeringVector,
    strength: float | None = None,
    preset: str | None = None,
    settings: Settings | None = None,
    window: tuple[float, float] | None = None,
    mode: str = "suppress",
    mask: Tensor | None = None,
    target: SteeringVector | None = None,
) -> Entry:
    """An entry with every blank filled: from the vector's recommendation, else from the preset.

    Args:
        vector: the steering vector.
        strength: None takes the file's recommendation (for this preset), else the preset's usual one; under modes
            ``add`` and ``replace`` 1, since those say how far to suppress.
        preset: None takes the file's recommendation, else ``precise``.
        settings: replace the preset's settings.
        window: (first, last) noise level; None takes the file's recommendation (for this preset), else all.
        mode: what is done, a name of `steering.interventions.INTERVENTIONS`.
        mask: where in the picture, ``[M, H, W]``; None means everywhere.
        target: the vector that takes this one's place, under mode ``replace``.
    """
    advice: Mapping[str, Any] = vector.metadata.get("recommended", {})
    name = preset or advice.get("preset", DEFAULT_PRESET)
    chosen = get_preset(name)
    if mode != "suppress" or advice.get("preset") != name:
        advice = {}
    if strength is None:
        advised, usual = advice.get("strength"), chosen.usual_strength if mode == "suppress" else 1.0
        strength = usual if advised is None else float(advised)
    if window is None:
        first, last = advice.get("window", ALWAYS)
        window = (ALWAYS[0] if first is None else float(first), float(last))
    return Entry(vector, float(strength), settings or chosen.settings, window, mode, mask, target)


@dataclass(frozen=True, eq=False)
class _Step:
    """Rows applied together at a site and noise level, and how."""

    rows: Rows
    settings: Settings
    mode: str
    mask: Tensor | None


class Steering:
    """Entries resolved against sites: ``edit(site, output, call)`` is all that a hook needs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._cache: dict[tuple[Site, float, torch.device], list[_Step]] = {}
        self._masks: dict[tuple[int, int, tuple[int, int], torch.device], Tensor] = {}

    @property
    def sites(self) -> list[Site]:
        """Every site that some entry of non-zero strength may touch."""
        return sort_sites({site for entry in self.entries if entry.strength for site in entry.vector.sites})

    def edit(self, site: Site, output: Tensor, call: Call) -> Tensor | None:
        """The steered output of a site, or None where nothing acts on it."""
        call.check_rows(site, output)
        result = None
        for sigma in sorted(set(call.sigmas)):
            for step in self._steps(site, sigma, output.device):
                chosen = _acting_rows(call, sigma, step.settings.half, output.device)
                if len(chosen):
                    weights = self._weights(step.mask, output, chosen, call)
                    result = _edit_rows(output if result is None else result, chosen, step, weights)
        return result

    def _weights(self, mask: Tensor | None, output: Tensor, chosen: Tensor, call: Call) -> Tensor | None:
        """The mask's weight of every token of the chosen rows ``[n, T, 1]``; masks follow the batch in turn."""
        if mask is None:
            return None
        if call.latent is None:
            raise ValueError("a mask needs the size of the latents; steer a loaded model, or leave the mask out")
        key = (id(mask), as_tokens(output).shape[1], call.latent, output.device)
        if key not in self._masks:
            self._masks[key] = mask_tokens(mask, key[1], call.latent).to(output.device)
        weights = self._masks[key]
        latents = chosen % (call.batch or len(call.sigmas))
        return weights[latents % len(weights)]

    def _steps(self, site: Site, sigma: float, device: torch.device) -> list[_Step]:
        key = (site, sigma, device)
        if key not in self._cache:
            acting = [entry for entry in self.entries if entry.acts(site, sigma)]
            steps = [
                _Step(_join(group, site, sigma).to(device), group[0].settings, group[0].mode, group[0].mask)
                for group in _together(acting)
            ]
            self._cache[key] = [step for step in steps if len(step.rows.directions)]
        return self._cache[key]


def _together(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries in the groups that act at once: suppressions of equal settings and mask, then each of the others."""
    groups: dict[tuple, list[Entry]] = {}
    for number, entry in enumerate(entries):
        alike = (entry.settings, id(entry.mask)) if entry.mode == "suppress" else number
        groups.setdefault((entry.mode, alike), []).append(entry)
    order = list(INTERVENTIONS)
    return sorted(groups.values(), key=lambda group: order.index(group[0].mode))


@lru_cache(maxsize=128)
def _acting_rows(call: Call, sigma: float, half: str, device: torch.device) -> Tensor:
    """`Call.acting` on the device; the same for all sites of a call."""
    return torch.tensor(call.acting(sigma, half), dtype=torch.long, device=device)


def _join(group: list[Entry], site: Site, sigma: float) -> Rows:
    """The rows of several entries of equal settings, orthonormalised in order."""
    alone = [entry.rows(site, sigma) for entry in group]
    if len(alone) == 1:
        return alone[0]
    if any(rows.readouts is not rows.directions for rows in alone):
        raise ValueError("a vector with a readout of its own cannot act together with others of equal settings")
    kept, sources = orthonormalise(alone)
    offsets, strengths, leads, total = [], [], [], 0
    for entry, rows, directions, source in zip(group, alone, kept, sources, strict=True):
        if len(source) < len(rows.directions):
            warnings.warn(f"{site}: a direction that earlier vectors already cover was dropped", stacklevel=2)
        # A threshold lies as far above the negative mean along the turned row as along the vector's own.
        above = rows.offsets - entry.offsets(site, sigma, rows.readouts)
        offsets.append(entry.offsets(site, sigma, directions) + above[source])
        strengths.append(rows.strengths[source])
        leads.append(torch.full_like(source, total))
        total += len(source)
    basis = torch.cat(kept)
    return Rows(basis, torch.cat(offsets), torch.cat(strengths), torch.cat(leads), basis)


def _edit_rows(output: Tensor, chosen: Tensor, step: _Step, weights: Tensor | None) -> Tensor:
    everything = len(chosen) == len(output)
    part = output if everything else output[chosen]
    tokens = as_tokens(part)
    moved = INTERVENTIONS[step.mode](tokens, step.rows, step.settings)
    if weights is not None:
        moved = within(tokens, moved, weights)
    if everything:
        return like_output(moved, output)
    result = output.clone()
    result[chosen] = like_output(moved, part)
    return result


@contextmanager
def steer(
    model: SteerableModel | nn.Module,
    vector: SteeringVector | Sequence[Entry],
    strength: float | None = None,
    preset: str | None = None,
    *,
    settings: Settings | None = None,
    start: float | None = None,
    end: float | None = None,
    mode: str = "suppress",
    target: SteeringVector | None = None,
    schedule: NoiseSchedule | None = None,
) -> Iterator[Steering]:
    """Steer a model inside the block; afterwards, however it ends, the model is as before.

    Args:
        model: a loaded model, or a bare UNet of diffusers or ComfyUI. A bare UNet cannot say which
            rows are conditional: it needs ``schedule`` and settings with ``half="both"``.
        vector: a vector, or several entries (`make_entry`) that act together.
        strength: λ; None takes the file's recommendation, else the preset's usual one; 1 under add and replace.
        preset: ``study``, ``casteer``, ``precise``, ``selective`` or ``lora``; None takes the file's recommendation.
        settings: replace the preset's settings.
        start: share of the schedule at which steering starts, 0 to 1; without ``start`` and ``end`` the file's
            recommendation, else all of it.
        end: share of the schedule at which it ends.
        mode: ``suppress``, ``replace`` (with ``target``) or ``add``.
        target: the vector of what takes the concept's place.
        schedule: the noise schedule of a bare UNet.

    Raises:
        ValueError: a site or width the model does not have, or a bare UNet without the above.
    """
    noise = schedule if schedule is not None else getattr(model, "schedule", None)
    if isinstance(vector, SteeringVector):
        window = None if start is None and end is None else _window(noise, start or 0.0, 1.0 if end is None else end)
        entries: Sequence[Entry] = [make_entry(vector, strength, preset, settings, window, mode, target=target)]
    else:
        entries = vector
    steering = Steering(entries)
    unet = model if isinstance(model, nn.Module) else model.unet
    modules = {site: module for site, module in resolve(unet, steering).items() if site in steering.sites}
    with (
        _describing(model, noise, steering) as describe,
        site_hooks(modules, lambda site, output: steering.edit(site, output, describe())),
    ):
        yield steering


def _window(noise: NoiseSchedule | None, start: float, end: float) -> tuple[float, float]:
    if start > end:
        raise ValueError(f"start {start} lies after end {end}; both are shares of the schedule, 0 to 1")
    return (noise.percent(start), noise.percent(end)) if noise else ALWAYS


def resolve(unet: nn.Module, steering: Steering) -> dict[Site, nn.Module]:
    """The modules of every site of every entry, acting or not; raises ValueError before anything is installed."""
    available = find_sites(unet)
    for entry in steering.entries:
        _check_fit(entry.vector, available)
        if entry.target is not None:
            shared = {site: part for site, part in entry.target.sites.items() if site in entry.vector.sites}
            _check_fit(replace(entry.target, sites=shared), available)
    wanted = {site for entry in steering.entries for site in entry.vector.sites}
    return {site: module for site, module in available.items() if site in wanted}


def _check_fit(vector: SteeringVector, available: Mapping[Site, nn.Module]) -> None:
    for site, part in vector.sites.items():
        if site not in available:
            raise ValueError(f"the vector steers {site}, which this model lacks; use a vector made for this model")
        width = module_width(available[site], site.kind)
        if width != part.width:
            family = vector.metadata.get("model", {}).get("family", "another model")
            raise ValueError(
                f"{site} has {width} channels here and {part.width} in the vector, which was made for {family}; "
                "use a vector made for this model"
            )


@contextmanager
def _describing(
    model: SteerableModel | nn.Module, schedule: NoiseSchedule | None, steering: Steering
) -> Iterator[Callable[[], Call]]:
    """A function that returns the description of the running call."""
    if not isinstance(model, nn.Module):
        yield lambda: running_call(model)
        return
    if schedule is None or any(entry.settings.half != "both" for entry in steering.entries):
        raise ValueError(
            "a bare UNet cannot tell conditional rows from others nor its noise level; "
            "pass schedule=NoiseSchedule.scaled_linear() and settings with half='both', or a loaded model"
        )
    current: list[Call] = []

    def note(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        timestep = kwargs.get("timestep", kwargs.get("timesteps", args[1] if len(args) > 1 else None))
        rows = len(kwargs.get("sample", kwargs.get("x", args[0] if args else ())))
        times = torch.as_tensor(timestep).flatten().tolist()  # the one synchronisation of this call
        sigmas = [schedule.sigma(time) for time in times]
        current[:] = [Call(tuple(sigmas * rows if len(sigmas) == 1 else sigmas), (True,) * rows)]

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield lambda: current[0]
    finally:
        handle.remove()


def running_call(model: SteerableModel) -> Call:
    """The UNet call that a model is in; raises RuntimeError outside of its own sampling."""
    if model.call is None:
        raise RuntimeError(
            "the UNet runs outside of this model's own sampling; use model.generate or steer the bare UNet"
        )
    return model.call
