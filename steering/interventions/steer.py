"""Steering a UNet while it samples: hooks that fetch, call the pure functions, and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, overload

import torch
from torch import nn

from ..errors import SteeringError
from ..models.call import Call, SteerableModel, running_call
from ..models.hooks import BEFORE, hooked, site_hooks
from ..schedule import NoiseSchedule
from ..sites import Site, find_sites
from ..vectors.fit import check_fit
from ..vectors.vector import SteeringVector
from .engine import Steering
from .entry import ALWAYS, Entry, make_entry
from .presets import EditSettings, Mode


@overload
def steer(
    model: SteerableModel | nn.Module,
    what: SteeringVector,
    *,
    strength: float | None = None,
    preset: str | None = None,
    settings: EditSettings | None = None,
    start: float | None = None,
    end: float | None = None,
    mode: Mode = "suppress",
    target: SteeringVector | None = None,
    schedule: NoiseSchedule | None = None,
) -> AbstractContextManager[Steering]: ...


@overload
def steer(
    model: SteerableModel | nn.Module, what: Sequence[Entry], *, schedule: NoiseSchedule | None = None
) -> AbstractContextManager[Steering]: ...


def steer(
    model: SteerableModel | nn.Module,
    what: SteeringVector | Sequence[Entry],
    *,
    schedule: NoiseSchedule | None = None,
    **how: Any,
) -> AbstractContextManager[Steering]:
    """Steer a model inside the block; afterwards, however it ends, the model is as before.

    Args:
        model: a loaded model, or a bare UNet of diffusers or ComfyUI. A bare UNet cannot say which
            rows are conditional: it needs ``schedule`` and settings with ``half="both"``.
        what: a vector; or several entries (`SteeringVector.entry`) that act together, each of which says for itself
            how it is applied.
        schedule: the noise schedule of a bare UNet.
        how: for a vector, as of `SteeringVector.entry`: ``strength`` λ (None takes the file's recommendation, else
            the preset's usual one; 1 under add and replace), ``preset`` (a name of
            `steering.interventions.presets.PRESETS`; None takes the file's recommendation), ``settings`` in place of
            the preset's, ``mode`` (suppress, replace or add), ``target`` (what takes the concept's place). And
            ``start`` and ``end``, shares of the schedule from 0 to 1; without both the file's recommendation, else
            all of it.

    Raises:
        SteeringError: arguments beside entries, a site or width the model does not have, or a bare UNet without the
            above.
    """
    noise = schedule if schedule is not None else getattr(model, "schedule", None)
    if isinstance(what, SteeringVector):
        return _steered(model, [_one(what, noise, **how)], noise)
    if how:
        raise SteeringError(
            f"{', '.join(how)} would be ignored beside entries; give them to vector.entry(...), one entry each"
        )
    return _steered(model, what, noise)


def _one(
    vector: SteeringVector,
    noise: NoiseSchedule | None,
    start: float | None = None,
    end: float | None = None,
    **how: Any,
) -> Entry:
    """The entry of a vector, its part of the schedule given in shares."""
    inside = None if start is None and end is None else _window(noise, start or 0.0, 1.0 if end is None else end)
    return make_entry(vector, window=inside, **how)


@contextmanager
def _steered(
    model: SteerableModel | nn.Module, entries: Sequence[Entry], noise: NoiseSchedule | None
) -> Iterator[Steering]:
    steering = Steering(entries)
    unet, family = (model, "") if isinstance(model, nn.Module) else (model.unet, model.family)
    modules = {site: module for site, module in resolve(unet, steering, family).items() if site in steering.sites}
    with (
        _describing(model, noise, steering) as describe,
        site_hooks(modules, lambda site, output: steering.edit(site, output, describe())),
    ):
        yield steering
    steering.finish()


def _window(noise: NoiseSchedule | None, start: float, end: float) -> tuple[float, float]:
    if start > end:
        raise SteeringError(f"start {start} lies after end {end}; both are shares of the schedule, 0 to 1")
    return (noise.percent_to_sigma(start), noise.percent_to_sigma(end)) if noise else ALWAYS


def resolve(unet: nn.Module, steering: Steering, family: str = "") -> dict[Site, nn.Module]:
    """The modules of every site of every entry, acting or not, before anything is installed.

    Args:
        unet: the network.
        steering: what is to be done.
        family: of the model; empty where nobody knows it, as of a bare UNet.

    Raises:
        SteeringError: a vector of another family, or of sites or widths that this model does not have.
    """
    available = find_sites(unet)
    for entry in steering.entries:
        check_fit(entry.vector, available, family)
        if entry.target is not None:
            shared = {site: part for site, part in entry.target.sites.items() if site in entry.vector.sites}
            check_fit(replace(entry.target, sites=shared), available, family)
    wanted = {site for entry in steering.entries for site in entry.vector.sites}
    return {site: module for site, module in available.items() if site in wanted}


@contextmanager
def _describing(
    model: SteerableModel | nn.Module, schedule: NoiseSchedule | None, steering: Steering
) -> Iterator[Callable[[], Call]]:
    """A function that returns the description of the running call."""
    if not isinstance(model, nn.Module):
        yield lambda: running_call(model)
        return
    if schedule is None or any(entry.settings.half != "both" for entry in steering.entries):
        raise SteeringError(
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

    with hooked([(model, note)], BEFORE, keywords=True):
        yield lambda: current[0]
