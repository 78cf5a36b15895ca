"""What is measured on a picture: raw values, from which every figure can be derived later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..concepts.prompts import Concept, Prompt
from ..errors import SteeringError
from ..files import file_hash
from ..pocket.judge import DEBRIS, WEIGHTS, judge
from .clip_score import TextImageModel, clip_columns

Columns = Mapping[str, Any]
"""Name -> numbers ``[N]`` (NaN where there is none), texts ``[N]``, or features ``[N, d]``."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures to measure.

    Attributes:
        images: ``uint8 [N, H, W, 3]``.
        originals: the unsteered pictures of the same prompts and seeds, ``uint8 [N, H, W, 3]``.
        prompts: N prompts.
        concept: what is looked for.
    """

    images: np.ndarray
    originals: np.ndarray
    prompts: Sequence[Prompt]
    concept: Concept


class Metric(Protocol):
    """A measurement of pictures.

    Attributes:
        name: a file's name.
    """

    name: str

    def identity(self) -> dict[str, Any]:
        """What decides its values, as JSON: model, weights' hash, version, parameters."""
        ...

    def about(self, concept: Concept) -> Any:
        """What of the concept decides its values, as JSON."""
        ...

    def measure(self, batch: Batch) -> Columns:
        """Raw values per picture."""
        ...


class PocketJudge:
    """The embedded judge: presence, kept, rest and debris, 0 to 100, and what appeared instead."""

    name = "pocket_judge"

    def __init__(self) -> None:
        self.weights = " and ".join(file_hash(path) for path in (WEIGHTS, DEBRIS))

    def identity(self) -> dict[str, Any]:
        """The hashes of its weights."""
        return {"metric": self.name, "weights": self.weights}

    def about(self, concept: Concept) -> Any:
        """The labels that mean it."""
        return concept.judge

    def measure(self, batch: Batch) -> Columns:
        """See `judged`."""
        return judged(batch.images, batch.prompts, batch.concept)


class ClipScore:
    """Cosines of pictures and texts, zero-shot presence, and the pictures' features."""

    name = "clip"

    def __init__(self, model: TextImageModel) -> None:
        self.model, self._identity = model, model.identity()

    def identity(self) -> dict[str, Any]:
        """That of its model."""
        return {"metric": self.name, **self._identity}

    def about(self, concept: Concept) -> Any:
        """Its text and contrasts."""
        return [concept.text, concept.contrasts]

    def measure(self, batch: Batch) -> Columns:
        """See `steering.evaluate.clip_score.clip_columns`."""
        return clip_columns(self.model, batch.images, batch.prompts, batch.concept)


class PixelChange:
    """How far a picture moved from the original of the same prompt and seed: rms in grey levels."""

    name = "pixels"

    def identity(self) -> dict[str, Any]:
        """Its version."""
        return {"metric": self.name, "version": 1}

    def about(self, concept: Concept) -> Any:
        """Nothing."""
        return None

    def measure(self, batch: Batch) -> Columns:
        """``change_rms [N]``, and whether every bit is the same."""
        same = (batch.images == batch.originals).all((1, 2, 3))
        return {"change_rms": root_mean_square(batch.images, batch.originals), "identical": same.astype(np.float32)}


def judged(images: np.ndarray, prompts: Sequence[Prompt], concept: Concept) -> dict[str, np.ndarray]:
    """What the embedded judge says of pictures ``uint8 [N, H, W, 3]``, a value each.

    Returns:
        ``presence`` of the concept, 0 to 100; ``kept``, the same of what the prompt asks for; ``rest``, of what it asks
        for besides the concept, NaN where that is nothing; ``debris``, 0 to 100, that something broken is visible;
        ``unasked``, the things and styles that are there and were not asked for, in words with commas between; and
        ``judge_features [N, d]``.
    """
    if not concept.judge:
        raise SteeringError(
            f"concept {concept.name} names no labels of the embedded judge; add 'judge' to concept.json"
        )
    verdict = judge(images)
    rest = [tuple(label for label in prompt.shows if label not in concept.judge) for prompt in prompts]
    return {
        "presence": verdict.presence(concept.judge),
        "kept": _each(verdict, [prompt.shows for prompt in prompts]),
        "rest": _each(verdict, rest),
        "debris": verdict.debris,
        "unasked": np.array([", ".join(verdict.there(i, (*concept.judge, *p.shows))) for i, p in enumerate(prompts)]),
        "judge_features": verdict.features,
    }


def _each(verdict, labels: list[tuple[str, ...]]) -> np.ndarray:
    """``kept`` of picture i for labels i; NaN where a prompt asks for nothing."""
    kept = {names: verdict.kept(names) for names in set(labels) if names}
    return np.array([kept[names][i] if names else np.nan for i, names in enumerate(labels)])


def percent_change(steered: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Change of the source study's CLIP score (cos + 1) / 2 in percent, per prompt ``[N]``, from cosines."""
    before, after = (original + 1) / 2, (steered + 1) / 2
    return 100 * (after - before) / before


def root_mean_square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Root mean square difference of pictures ``uint8 [N, H, W, 3]``, per picture ``[N]``, in grey levels."""
    return np.sqrt(np.square(x.astype(np.float32) - y).mean((1, 2, 3)))
