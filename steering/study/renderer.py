"""The pictures of a study: units of a few prompts, each kept under a hash of everything that makes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..concepts.pairs import spread
from ..concepts.prompts import ROLES, Prompt
from ..families import family_named
from ..files import parse_object, read_text, replacing, write_text
from ..interventions.presets import get_preset
from ..models.diffusion import DiffusionModel
from ..models.sampling import rows_of
from ..vectors.vector import SteeringVector
from ..work_files import digest, whole_or_discarded
from .plan import Arm, Counts, Plan
from .setting import Setting
from .tasks import Draw, Drawn

FORMAT = 1


@dataclass(frozen=True)
class Item:
    """A picture to draw: a prompt and its seed.

    Attributes:
        name: where the prompt stands, ``dog/test/target/003``.
        prompt: the prompt.
        repeat: number of the repetition.
        seed: of its noise.
        draw: which draw of a control it is steered with, if it is.
    """

    name: str
    prompt: Prompt
    repeat: int
    seed: int
    draw: str = ""


def seed_of(name: str, prompt: Prompt, repeat: int) -> int:
    """A prompt's own seed the first time, else one from a hash of where it stands, whatever order and shard."""
    if prompt.seed is not None and repeat == 0:
        return prompt.seed
    return int(hashlib.sha256(f"{name}/{repeat}".encode()).hexdigest()[:8], 16)


def items_of(
    place: str, prompts: Sequence[Prompt], within: Counts, counts: Counts, repeats: Sequence[int]
) -> list[Item]:
    """The pictures of some prompts of each role.

    Args:
        place: beginning of their names, ``dog/test``.
        prompts: all prompts.
        within: how many of each role the widest arm draws, spread evenly over all of them.
        counts: how many of those are drawn here, spread evenly as well.
        repeats: numbers of the repetitions.
    """
    items = []
    for role, most, count in zip(ROLES, within, counts, strict=True):
        same = [prompt for prompt in prompts if prompt.role == role]
        for i in spread(spread(range(len(same)), most), count):
            name = f"{place}/{role}/{i:03d}"
            items += [Item(name, same[i], repeat, seed_of(name, same[i], repeat)) for repeat in repeats]
    return items


@dataclass(frozen=True, eq=False)
class Unit:
    """Pictures that are drawn and written together.

    Attributes:
        key: a hash of everything that makes them.
        items: the pictures.
        arm: how they are drawn.
        vector: the arm's vector, if it steers.
        guidance: of these prompts.
    """

    key: str
    items: tuple[Item, ...]
    arm: Arm
    vector: SteeringVector | None
    guidance: float


@dataclass(eq=False)
class Renderer:
    """A model and how it draws for this study."""

    model: DiffusionModel
    plan: Plan
    folder: Path
    _whole: set[str] = field(default_factory=set, init=False)

    @cached_property
    def mark(self) -> list[Any]:
        """What of the model and the plan decides every picture."""
        return [self.model.digest(), self.plan.size or self.model.size, self.plan.steps]

    def units(self, arm: Arm, items: Sequence[Item], vector: SteeringVector | None) -> list[Unit]:
        """An arm's pictures in units of one role and one guidance."""
        most = self.plan.batch or family_named(self.model.family).batch
        steering = _steering(arm.setting, vector)

        def alike(item: Item) -> tuple[int, float]:
            return ROLES.index(item.prompt.role), self.guidance(item.prompt)

        units = []
        for (_, guidance), group in groupby(sorted(items, key=alike), alike):
            same = list(group)
            for start in range(0, len(same), most):
                part = tuple(same[start : start + most])
                drawn = [[arm.text(item.prompt), item.seed] for item in part]
                key = digest(FORMAT, self.mark, drawn, arm.negative, guidance, steering)
                units.append(Unit(key, part, arm, vector, guidance))
        return units

    def guidance(self, prompt: Prompt) -> float:
        """A prompt's own guidance, else the plan's, else the model's usual one."""
        return self.plan.guidance_on(self.model.family, prompt)

    def finished(self, key: str) -> bool:
        """Whether a unit's pictures are all there as they were drawn; its list is written last."""
        path = self.folder / key / "unit.json"
        if key in self._whole or not path.is_file():
            return key in self._whole

        def as_drawn() -> bool:
            marks = self._record(key)["sha256"]
            pictures = [self.path(key, number) for number in range(len(marks))]
            there = len(list((self.folder / key).glob("*.png")))
            return len(marks) == there > 0 and all(map(_has_mark, pictures, marks))

        if whole_or_discarded(path, as_drawn, "drawn"):
            self._whole.add(key)
        return key in self._whole

    def task(self, unit: Unit) -> Draw:
        """The work that draws a unit."""
        texts = tuple(unit.arm.text(item.prompt) for item in unit.items)
        how = {
            "negative": unit.arm.negative,
            "steps": self.plan.steps,
            "guidance": unit.guidance,
            "size": self.plan.size,
        }
        return Draw(texts, tuple(item.seed for item in unit.items), how, unit.vector, unit.arm.setting)

    def keep(self, key: str, drawn: Drawn) -> None:
        """Write a unit's pictures, and its list last."""
        for i, file in enumerate(drawn.files):
            with replacing(self.path(key, i)) as temporary:
                temporary.write_bytes(file)
        record = {"sha256": drawn.sha256, "seconds": round(drawn.seconds, 3)}
        write_text(self.folder / key / "unit.json", json.dumps(record))

    def path(self, key: str, number: int) -> Path:
        """The file of a unit's picture."""
        return self.folder / key / f"{number:02d}.png"

    def load(self, unit: Unit) -> np.ndarray:
        """A unit's pictures ``uint8 [N, H, W, 3]``."""
        return np.stack([read_picture(self.path(unit.key, i)) for i in range(len(unit.items))])

    def record(self, unit: Unit) -> Mapping:
        """What was written about a unit: the pictures' SHA-256 and the seconds they took."""
        return self._record(unit.key)

    def _record(self, key: str) -> Mapping:
        path = self.folder / key / "unit.json"
        return parse_object(read_text(path), f"{key}/{path.name}")

    def rows(self, unit: Unit) -> int:
        """UNet rows that a unit costs."""
        return rows_of(len(unit.items), self.plan.steps, unit.guidance)


def _steering(setting: Setting | None, vector: SteeringVector | None) -> list[Any] | None:
    """What of a setting decides its pictures."""
    if vector is None or setting is None:
        return None
    settings = get_preset(setting.preset).settings
    mark = vector.digest(thresholds=settings.gate == "threshold")
    return [mark, asdict(settings), setting.strength, setting.window]


def _has_mark(path: Path, mark: str) -> bool:
    """Whether a picture's pixels are those that were drawn."""
    return hashlib.sha256(read_picture(path).tobytes()).hexdigest() == mark


def read_picture(path: Path) -> np.ndarray:
    """A picture as ``uint8 [H, W, 3]``."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
