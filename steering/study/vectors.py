"""Captures, thresholds and vectors of a study, each made once and kept in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import Tensor

from ..activations.capture import capture
from ..activations.parts import capture_rows, parts_folder, remove_parts
from ..activations.store import Activations
from ..concepts.pairs import Pair
from ..files import read_tensors, write_tensors
from ..models.diffusion import DiffusionModel
from ..models.sampling import CapturableModel, CaptureSettings, Progress, silent
from ..scores.navigator import Scores
from ..sites import Site
from ..vectors import controls
from ..vectors.build import build
from ..vectors.calibration import with_thresholds
from ..vectors.vector import SteeringVector
from ..version import __version__
from ..work_files import digest, made_with
from .setting import Recipe

GATED = ("mean", "pca")
"""Directions whose gate thresholds are measured, at the best sites of every step."""


def load_or_capture(
    model: CapturableModel,
    pairs: Sequence[Pair],
    settings: CaptureSettings,
    path: Path,
    concept: str,
    progress: Progress = silent,
) -> Activations:
    """Activations of pairs, from the file of an earlier run where it was made alike; an interrupted one goes on."""
    key = capture_key(model, pairs, settings)
    known = made_with(path, key, Activations.load)
    if known is not None:
        progress(capture_rows(len(pairs), settings.on(model)))
        return known
    parts = parts_folder(path)
    made = capture(model, pairs, settings=settings, concept=concept, parts=parts, progress=progress)
    made = Activations(made.tensors, made.sigmas, {**made.metadata, "key": key})
    made.save(path)
    remove_parts(parts)
    return made


def capture_key(model: CapturableModel, pairs: Sequence[Pair], settings: CaptureSettings) -> str:
    """A hash of everything that decides a capture, but how many pairs are computed together."""
    sampling = asdict(settings.on(model)) | {"batch": None}
    return digest(__version__, _mark(model), [asdict(pair) for pair in pairs], sampling)


def read_thresholds(path: Path) -> Thresholds:
    """Gate thresholds from a file of `keep_thresholds`."""
    tensors, _ = read_tensors(path, "thresholds", 1)
    return {Site.parse(name): value for name, value in tensors.items()}


def keep_thresholds(path: Path, made: Thresholds, key: str) -> None:
    """Write gate thresholds with the key of what decided them."""
    write_tensors(path, {str(site): value for site, value in made.items()}, "thresholds", 1, {"key": key})


def thresholds_key(
    model: CapturableModel, vector: SteeringVector, negatives: Sequence[str], settings: CaptureSettings
) -> str:
    """A hash of everything that decides gate thresholds, but how many prompts are computed together."""
    sampling = asdict(settings.on(model)) | {"batch": None}
    return digest(__version__, _mark(model), vector.digest(thresholds=False), list(negatives), sampling)


def _mark(model: CapturableModel) -> str:
    """The most that a model says of what decides its activations."""
    return model.digest() if isinstance(model, DiffusionModel) else model.weights_hash()


Thresholds = dict[Site, Tensor]
"""Site -> gate thresholds ``[S, K]``."""


@dataclass(frozen=True, eq=False)
class ConceptActivations:
    """What was captured of a concept.

    Attributes:
        blocks: of the UNet's blocks, at every noise level.
        text: of the text embedding.
    """

    blocks: Activations
    text: Activations | None = None

    def of(self, recipe: Recipe) -> Activations:
        """What a recipe is followed with.

        Raises:
            TypeError: the text embedding was not captured.
        """
        if not recipe.is_text:
            return self.blocks
        if self.text is None:
            raise TypeError(f"{recipe.name} takes a capture of the text embedding, and there is none")
        return self.text


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors of one concept, by recipe.

    Attributes:
        captured: the concept's captures.
        scores: of its blocks.
        others: captures of other concepts by name, for the control that writes along theirs.
        thresholds: gate thresholds by rank, of all sites that the best k of any step may hold.
    """

    captured: ConceptActivations
    scores: Scores
    others: Mapping[str, ConceptActivations] = field(default_factory=dict)
    thresholds: Mapping[int, Thresholds] = field(default_factory=dict)
    _made: dict[Recipe, SteeringVector] = field(default_factory=dict, init=False, repr=False)

    def get(self, recipe: Recipe) -> SteeringVector:
        """The vector of a recipe."""
        if recipe not in self._made:
            self._made[recipe] = self._control(recipe) if recipe.control else self._plain(recipe)
        return self._made[recipe]

    def _plain(self, recipe: Recipe) -> SteeringVector:
        vector = build(
            self.captured.of(recipe),
            None if recipe.is_text else self.scores,
            top_k=recipe.k,
            select_by=recipe.selection,
            direction=recipe.direction,
            time=recipe.time,
            rank=recipe.rank,
        )
        known = self.thresholds.get(recipe.rank, {})
        if recipe.direction in GATED and recipe.time == "per-step" and set(vector.sites) <= set(known):
            return with_thresholds(vector, {site: known[site] for site in vector.sites})
        return vector

    def _control(self, recipe: Recipe) -> SteeringVector:
        vector = self.get(replace(recipe, control="", draw=""))
        if recipe.control == "other_concept":
            return controls.other_concept(vector, self.others[recipe.draw].of(recipe))
        if recipe.control == "sign_flip":
            return controls.sign_flip(vector, self.captured.of(recipe), int(recipe.draw))
        return controls.isotropic(vector, int(recipe.draw))

    def draws(self, control: str, count: int) -> list[str]:
        """The draws of a control: ``count`` numbers, or every other concept."""
        return list(self.others) if control == "other_concept" else [str(i) for i in range(count)]
