"""Per-picture measurements on the pocket model, and what is derived from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..pocket import clip
from ..pocket.judge import judge
from .prompts import Concept, Prompt


@dataclass(frozen=True, eq=False)
class Measured:
    """Raw values per picture, from which every figure can be recomputed.

    Attributes:
        presence: 0-100 presence of the concept (wrecks count as present) ``[N]``.
        kept: 0-100 presence of what the prompt asks for (wrecks count as lost) ``[N]``.
        rest: the same for what the prompt asks for besides the concept; NaN where there is nothing.
        scene: probability that the picture is a scene ``[N]``.
        clip_prompt: cosine of picture and full prompt ``[N]``.
        clip_concept: cosine of picture and concept text ``[N]``.
        features: unit CLIP features of the pictures ``[N, 64]``.
    """

    presence: np.ndarray
    kept: np.ndarray
    rest: np.ndarray
    scene: np.ndarray
    clip_prompt: np.ndarray
    clip_concept: np.ndarray
    features: np.ndarray


def measure(images: np.ndarray, prompts: list[Prompt], concept: Concept) -> Measured:
    """Measure pictures ``uint8 [N, 128, 128, 3]`` of prompts, for one concept."""
    verdict = judge(images)
    features = clip.image_features(images)
    texts = clip.text_features([prompt.text for prompt in prompts] + [concept.text])
    rest = [tuple(label for label in prompt.shows if label not in concept.judge) for prompt in prompts]
    return Measured(
        presence=verdict.presence(concept.judge),
        kept=_each(verdict, [prompt.shows for prompt in prompts]),
        rest=_each(verdict, rest),
        scene=verdict.probabilities["scene"],
        clip_prompt=(features * texts[:-1]).sum(1),
        clip_concept=features @ texts[-1],
        features=features,
    )


def _each(verdict, labels: list[tuple[str, ...]]) -> np.ndarray:
    """``kept`` of picture i for labels i; NaN where a prompt asks for nothing."""
    kept = {names: verdict.kept(names) for names in set(labels) if names}
    return np.array([kept[names][i] if names else np.nan for i, names in enumerate(labels)])


def percent_change(steered: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Change of the study's CLIP score (cos + 1) / 2 in percent, per prompt ``[N]``, from cosines."""
    before, after = (original + 1) / 2, (steered + 1) / 2
    return 100 * (after - before) / before


def clip_change(steered: np.ndarray, original: np.ndarray) -> dict[str, float]:
    """Weakest, mean and strongest suppression over prompts, in percent.

    The study's table orders by suppression: ``weakest`` is the largest change (it may be positive),
    ``strongest`` the smallest.
    """
    change = percent_change(steered, original)
    return {"weakest": float(change.max()), "mean": float(change.mean()), "strongest": float(change.min())}


def root_mean_square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Root mean square difference of pictures ``uint8 [N, H, W, 3]``, per picture ``[N]``, in grey levels."""
    return np.sqrt(np.square(x.astype(np.float32) - y).mean((1, 2, 3)))


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Fréchet distance of two sets of features ``[N, d]``, ``[M, d]``; on CLIP features it is called FD-CLIP.

    |m_x - m_y|² + tr(S_x + S_y - 2 (S_x S_y)^½), with tr (S_x S_y)^½ as the nuclear norm of the
    product of the centred data matrices: exact, and without a d x d matrix root.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 2 or len(y) < 2:
        raise ValueError(f"a distance needs at least 2 pictures a side, got {len(x)} and {len(y)}")
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred_x, centred_y = (x - mean_x) / (len(x) - 1) ** 0.5, (y - mean_y) / (len(y) - 1) ** 0.5
    nuclear = np.linalg.svd(centred_x @ centred_y.T, compute_uv=False).sum()
    spread = np.square(centred_x).sum() + np.square(centred_y).sum()
    return float(np.square(mean_x - mean_y).sum() + spread - 2 * nuclear)
