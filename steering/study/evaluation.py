"""The evaluation of one vector file: its effect, what it costs, and a control of the same size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..interventions.engine import Steering
from ..interventions.steer import resolve
from ..models.diffusion import DiffusionModel
from ..vectors import controls
from ..vectors.vector import SteeringVector
from .plan import COUNTERFACTUAL, OTHER_SEED, Arm, Plan
from .setting import Setting
from .subject import Subject


def evaluation_arms(
    model: DiffusionModel,
    plan: Plan,
    subject: Subject,
    path: Path,
    strength: float | None,
    preset: str | None,
    control: Path,
) -> list[Arm]:
    """The arms that one vector is judged by; without guidance a negative prompt does nothing, and is none of them.

    Args:
        model: which must have the vector's sites.
        plan: how many prompts.
        subject: the concept with its prompts.
        path: the vector's file.
        strength: None takes the file's recommendation, else the preset's usual one.
        preset: None takes the file's recommendation.
        control: where the control vector will be, see `write_control`.

    Raises:
        SteeringError: a vector for another model, or an unknown preset.
    """
    vector = SteeringVector.load(path)
    resolve(model.unet, Steering([vector.entry(strength=strength, preset=preset)]), model.family)
    setting = Setting.of_file(path, vector, model.schedule, strength, preset)
    targets, guided = (plan.test[0], 0, 0), plan.guided(model.family, subject.prompts["test"])
    return [
        Arm("original", "original", plan.test),
        Arm(COUNTERFACTUAL, "counterfactual", targets, rest=True),
        Arm("steered", "steered", plan.test, setting),
        Arm("isotropic", "control", targets, replace(setting, vector=str(control))),
        Arm("strength_0", "zero", targets, replace(setting, strength=0.0)),
        *([Arm("negative_prompt", "negative", plan.test, negative=subject.concept.text)] if guided else []),
        Arm("other_seed", "floor", plan.test, repeat=OTHER_SEED),
    ]


def write_control(path: Path, control: Path) -> None:
    """Write the control of a vector's file: random directions in place of its own."""
    controls.isotropic(SteeringVector.load(path)).save(control)


def pictures_drawn(plan: Plan) -> int:
    """How many pictures an evaluation draws."""
    whole, targets = sum(plan.test), plan.test[0]
    return plan.repeats * (4 * whole + 3 * targets)
