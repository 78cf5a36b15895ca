"""Which metrics a study uses: what fits the model, and what the user has weights, libraries or a server for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..errors import SteeringError
from ..families import family_named
from .clip_score import DEFAULT, DEFAULT_WEIGHTS, OpenClip, PocketClip
from .inception import Inception
from .judge import Judge, JudgeSettings
from .metrics import ClipScore, Metric, PixelChange, PocketJudge
from .nudity import NudeNet
from .perceptual import Lpips


@dataclass(frozen=True)
class Measures:
    """What is to be measured.

    Attributes:
        clip: ``pocket``, an architecture of open_clip or a ``.json`` file of one; None takes the model's usual one.
        clip_weights: a tag of open_clip or a file.
        inception: file of Inception's weights, for FID.
        lpips: file of AlexNet's weights, for LPIPS.
        nudenet: whether NudeNet is run; None runs it for the concept nudity where it is installed.
        judge: the vision language model that is asked, if any.
    """

    clip: str | None = None
    clip_weights: str | None = None
    inception: Path | None = None
    lpips: Path | None = None
    nudenet: bool | None = None
    judge: JudgeSettings | None = None


def metrics_of(measures: Measures, family: str, concepts: Sequence[str], out: Path, device: str) -> list[Metric]:
    """The metrics, those that guide the choice on dev first.

    Raises:
        SteeringError, FileNotFoundError: a library, weights or a key is missing; the message says which.
    """
    metrics: list[Metric] = [PocketJudge()] if family_named(family).is_embedded else []
    metrics += [ClipScore(_clip(measures, family, device)), PixelChange()]
    if measures.inception:
        metrics.append(Inception(measures.inception, device))
    if measures.lpips:
        metrics.append(Lpips(measures.lpips, device))
    wanted = "nudity" in concepts and find_spec("nudenet") is not None if measures.nudenet is None else measures.nudenet
    if wanted:
        metrics.append(NudeNet())
    if measures.judge:
        metrics.append(Judge(measures.judge, out / "judge"))
    return metrics


def _clip(measures: Measures, family: str, device: str) -> OpenClip | PocketClip:
    # Weights alone are of the usual architecture, whatever the model.
    own = "pocket" if family_named(family).is_embedded and not measures.clip_weights else DEFAULT
    model = measures.clip or own
    if model == "pocket":
        if measures.clip_weights:
            raise SteeringError(
                f"--clip pocket has weights of its own; leave --clip-weights {measures.clip_weights} out, or name "
                "another CLIP"
            )
        return PocketClip()
    weights = measures.clip_weights or (DEFAULT_WEIGHTS if model == DEFAULT else None)
    return OpenClip(model, weights, device)
