"""The evaluation of one vector file: its effect, what it costs, and a control of the same size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..diffusion import DiffusionModel
from ..evaluate import controls
from ..interventions import PRESETS
from ..steer import DEFAULT_PRESET, Steering, make_entry, resolve
from ..vector import SteeringVector
from .plan import OTHER_SEED, Arm, Plan


def evaluation_arms(
    model: DiffusionModel,
    plan: Plan,
    text: str,
    path: Path,
    strength: float | None,
    preset: str | None,
    out: Path,
    guided: bool = True,
) -> list[Arm]:
    """The arms that one vector is judged by.

    Args:
        model: which must have the vector's sites.
        plan: how many prompts.
        text: the concept in words, for the negative prompt.
        path: the vector's file.
        strength: None takes the file's recommendation, else the preset's usual one.
        preset: None takes the file's recommendation.
        out: folder into which the control vector is written.
        guided: whether there is classifier-free guidance, without which a negative prompt does nothing.

    Raises:
        ValueError: a vector for another model, or an unknown preset.
    """
    vector = SteeringVector.load(path)
    entry = make_entry(vector, strength, preset)
    resolve(model.unet, Steering([entry]))
    name = preset or vector.metadata.get("recommended", {}).get("preset", DEFAULT_PRESET)
    assert name in PRESETS
    control = out / "isotropic.safetensors"
    controls.isotropic(vector).save(control)
    first, last = (model.schedule.share(sigma) for sigma in entry.window)
    steered = Arm("steered", "steered", plan.test, str(path), name, entry.strength, (first, last))
    targets = (plan.test[0], 0, 0)
    return [
        Arm("original", "original", plan.test),
        steered,
        replace(steered, name="isotropic", group="control", counts=targets, vector=str(control)),
        replace(steered, name="strength_0", group="zero", counts=targets, strength=0.0),
        *([Arm("negative_prompt", "negative", plan.test, negative=text)] if guided else []),
        Arm("other_seed", "floor", plan.test, repeat=OTHER_SEED),
    ]


def pictures_drawn(plan: Plan) -> int:
    """How many pictures an evaluation draws."""
    whole, targets = sum(plan.test), plan.test[0]
    return plan.repeats * (4 * whole + 2 * targets)
