"""What the comparisons share: prompts of one concept drawn with and without a vector, by the stages of a study."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

import steering
from steering.cli.options import ClusterOptions
from steering.evaluate.measures import Measures, metrics_of
from steering.evaluate.metrics import Metric
from steering.evaluate.statistics import upper_bound
from steering.models.sampling import CaptureSettings
from steering.study.choice import Outcome
from steering.study.figures import matched, removal_figures
from steering.study.measurements import Measurements, lost, presence
from steering.study.outcome import outcome_of
from steering.study.plan import COUNTERFACTUAL, Arm, Counts, Plan
from steering.study.pool import ALONE, Bench, Pool
from steering.study.results import Result
from steering.study.run import Study
from steering.study.setting import Setting
from steering.study.subject import load_subject
from steering.study.table import interval
from steering.study.vectors import load_or_capture


def measured_by(model: steering.DiffusionModel) -> list[Metric]:
    """What pictures of the embedded model are measured by."""
    return metrics_of(Measures(), model.family, (), Path(), str(model.device))


def add_workers(parser: argparse.ArgumentParser) -> None:
    """The options that `shared` reads."""
    parser.add_argument("--workers", type=int, help="processes that share the work (extra cluster)")
    parser.add_argument("--ray", help="address of a running Ray, auto or HOST:PORT")


@contextmanager
def shared(options: argparse.Namespace) -> Iterator[tuple[steering.DiffusionModel, Pool]]:
    """The embedded model, and who draws with it: this process, or as many as the options say."""
    model = steering.load_model("pocket")
    bench = Bench(model, measured_by(model))
    with ClusterOptions(workers=options.workers, ray=options.ray).pool("pocket", {}, Measures(), (), bench) as pool:
        yield model, pool


HEAD = "clean, % | presence | debris | counterfactual | siblings lose | unrelated lose"
"""What `Compared.cells` gives."""


@dataclass(frozen=True, eq=False)
class Compared:
    """An arm beside the original, one value a prompt.

    Attributes:
        measured: of the arm.
        original: of the unsteered pictures.
        without: of the pictures of the prompts without the concept.
        setting: how the arm is steered; None for the original itself.
    """

    measured: Measurements
    original: Measurements
    without: Measurements
    setting: Setting | None = None

    @cached_property
    def presence(self) -> np.ndarray:
        """Presence of the concept on target prompts ``[N]``."""
        return presence(self.measured)[self.measured.role("target")]

    @cached_property
    def sibling(self) -> np.ndarray:
        """Points that sibling prompts lost ``[N]``."""
        return self._lost("sibling")

    @cached_property
    def unrelated(self) -> np.ndarray:
        """Points that unrelated prompts lost ``[N]``."""
        return self._lost("unrelated")

    def _lost(self, role: str) -> np.ndarray:
        return lost(self.measured, self.original)[self.measured.role(role)]

    @property
    def outcome(self) -> Outcome:
        """The means, as settings are chosen by."""
        setting = self.setting or Setting("", "precise", 0.0)
        return outcome_of(setting, self.measured, self.original, self.without)

    def cells(self) -> str:
        """The cells of a table that `HEAD` names: means with intervals, losses with their one-sided bounds."""
        targets, before = matched(self.measured, self.original, "target")
        parts = removal_figures(targets, before, self.without)
        removal = (interval(part) for part in (parts.clean, parts.presence, parts.debris))
        losses = (f"{part.mean():.1f} (≤ {upper_bound(part):.1f})" for part in (self.sibling, self.unrelated))
        return " | ".join((*removal, f"{100 * (parts.distance or 0):.0f}", *losses))


class Arms:
    """Prompts of one concept and split on the embedded model; pictures are kept, and drawn once."""

    def __init__(
        self,
        model: steering.DiffusionModel,
        name: str,
        split: str,
        counts: Counts,
        work: Path,
        steps: int,
        pool: Pool = ALONE,
    ) -> None:
        plan = replace(Plan(), batch=400 if model.device.type == "cuda" else None, steps=steps)
        self.study = Study(model, plan, work / "study", measured_by(model), pool)
        self.subject = load_subject(name, model.family, plan)
        self.split, self.counts = split, counts

    def unsteered(self) -> Compared:
        """The original pictures."""
        return self._compared(None)

    def steered(self, vector: steering.SteeringVector, strength: float | None, preset: str | None) -> Compared:
        """With a vector; None leaves strength, or preset and window, to its file."""
        path = self.study.out / "vectors" / f"{vector.digest(lengths=True)}.safetensors"
        vector.save(path)
        return self._compared(Setting.of_file(path, vector, self.study.model.schedule, strength, preset))

    def _compared(self, setting: Setting | None) -> Compared:
        targets = (self.counts[0], 0, 0)
        arms = [
            Arm("original", "original", self.counts, split=self.split),
            Arm(COUNTERFACTUAL, COUNTERFACTUAL, targets, split=self.split, rest=True),
        ]
        if setting is not None:
            arms.append(Arm("steered", "steered", self.counts, setting, split=self.split))
        (result,) = self.study.measure([Result(self.subject, arms, {})], self.counts)
        made = result.measurements
        return Compared(
            made["original" if setting is None else "steered"], made["original"], made[COUNTERFACTUAL], setting
        )


def capture_of(model: steering.DiffusionModel, name: str, folder: Path, batch: int = 10) -> steering.Activations:
    """The capture of a concept's pairs, from the file of an earlier run where it fits."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = CaptureSettings(batch=batch)
    return load_or_capture(model, steering.load_pairs(f"pocket/{name}"), settings, folder / f"{name}.safetensors", name)
