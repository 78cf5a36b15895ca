"""From the activations of pairs to directions: one function per method.

Each takes ``positive, negative [N, C]`` of one site and noise level and a rank K, and returns
orthonormal rows ``[K, C]``. The first points along the mean difference as far as the rows' span
allows, since it is the one that a gate reads; the others are orthogonal to the mean difference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from ..errors import SteeringError
from ..linalg import lead_first
from .affine import affine_readout, affine_rows
from .contrast import Contrast, Prepared, best_alpha, candidates, contrast_of, varying
from .kernel import principal_rows
from .source_study import moved_along, read_along
from .whitening import whitened_readout

Method = Callable[..., Tensor]
"""(positive ``[N, C]``, negative ``[N, C]``, rank K) -> orthonormal rows ``[K, C]``."""


def mean_difference(positive: Tensor, negative: Tensor, rank: int = 1) -> Tensor:
    """Mean difference: r = unit(mean_i (a⁺_i - a⁻_i)), one row ``[1, C]``.

    The difference of means, as in Arditi et al. (arXiv 2406.11717) and CASteer (arXiv 2503.09630).

    Raises:
        SteeringError: a rank other than 1.
    """
    if rank != 1:
        raise SteeringError(f"rank {rank} does not fit the mean difference, which is a single direction; use 'pca'")
    return torch.nn.functional.normalize((positive - negative).mean(0, keepdim=True), dim=-1)


def principal(positive: Tensor, negative: Tensor, rank: int = 1) -> Tensor:
    """Principal directions of the paired differences, ``[K, C]``.

    The K leading right singular vectors of the N x C matrix of a⁺_i - a⁻_i, *not* centred: what all
    pairs share is the signal here, and centring would remove it (Zou et al., arXiv 2310.01405, flip
    signs at random to the same end). Within their span the rows are turned so that the first is the
    projection of the mean difference. Two unlike things under one name (a knife, a bomb) want K = 2.

    Raises:
        SteeringError: a rank below 1, or above the number of pairs or channels.
    """
    differences = positive - negative
    if not 1 <= rank <= min(differences.shape):
        raise SteeringError(f"rank {rank} is not within 1 to {min(differences.shape)}, the number of pairs or channels")
    return lead_first(torch.linalg.svd(differences, full_matrices=False).Vh[:rank], differences.mean(0))


def contrastive(
    positive: Tensor,
    negative: Tensor,
    rank: int = 1,
    alpha: float = 1.0,
    components: int | None = None,
    background: Tensor | None = None,
    made: Contrast | None = None,
) -> Tensor:
    """Mean difference refined by contrastive PCA, one row ``[1, C]``: r = unit(U Uᵀ d).

    d = mean_i (a⁺_i - a⁻_i), and U are the leading eigenvectors of C⁺/tr C⁺ - α B/tr B, where C⁺ is the centred
    covariance of the positives and B the second moment of the background ``[M, C]`` (the centred negatives if not
    given): ``components`` of them, else as many as hold 95 % of the positive eigenvalues' sum, and at least five. What
    varies with the concept and not without it is kept of d, the rest is dropped.

    Contrastive PCA is of Abid et al. (arXiv 1709.06716); this choice of foreground and background, and α = 1, are the
    source study's. The rest is a variant: traces are normalised and the cut is relative, since widths and magnitudes
    differ between sites, and one direction is read and moved along; `cpca-source` is what the study ran.

    Raises:
        SteeringError: a rank other than 1, or components below 1 or above the number of directions that the
            samples vary in.
    """
    made = made or centred_contrast(positive, negative, background)
    return _refined("cpca", made, (positive - negative).mean(0), rank, alpha, components)


def contrastive_denoised(
    positive: Tensor,
    negative: Tensor,
    rank: int = 1,
    alpha: float = 1.0,
    components: int | None = None,
    background: Tensor | None = None,
    made: Contrast | None = None,
) -> Tensor:
    """Mean difference without what its pairs disagree in no more than pictures do anyway, one row: r = unit(U Uᵀ d).

    As `contrastive`, with the centred covariance of the differences a⁺_i - a⁻_i as foreground.

    The refinement of a refusal vector of arXiv 2506.07891, equation 8, whose background are neutral prompts (the
    negatives here, or another capture's) and whose U has 100 components. Centring takes the mean difference itself out
    of the foreground, so what lies across all that the pairs vary in is lost of it; `contrastive_paired` keeps it. Left
    out: their change of weights on the input side of a layer; the result is steered with like any direction.

    Raises:
        SteeringError: a rank other than 1, or components below 1 or above the number of directions that the
            samples vary in.
    """
    made = made or denoising_contrast(positive, negative, background)
    return _refined("cpca-denoised", made, (positive - negative).mean(0), rank, alpha, components)


def _refined(name: str, made: Contrast, difference: Tensor, rank: int, alpha: float, components: int | None) -> Tensor:
    """unit(U Uᵀ d) ``[1, C]`` of a mean difference d ``[C]`` and the leading components U at α."""
    if rank != 1:
        raise SteeringError(f"rank {rank} does not fit direction {name!r}, which is a single one; use 'cpca-paired'")
    if components is None:
        values = torch.linalg.eigvalsh(made.foreground - alpha * made.background).flip(0).clamp_min(0)
        share = values.cumsum(0) / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
        components = max(LEAST_COMPONENTS, int((share < EXPLAINED).sum()) + 1)
    elif not 1 <= components <= len(made.foreground):
        raise SteeringError(
            f"components {components} are not within 1 to {len(made.foreground)}, the number of directions that the "
            "samples vary in"
        )
    rows = made.components(alpha, components)
    return torch.nn.functional.normalize((rows.mT @ (rows @ difference))[None], dim=-1)


EXPLAINED, LEAST_COMPONENTS = 0.95, 5
"""The source study's share of the positive eigenvalues, and least number of components, of `contrastive`."""


def contrastive_paired(
    positive: Tensor,
    negative: Tensor,
    rank: int = 1,
    alpha: float = 1.0,
    components: int | None = None,
    background: Tensor | None = None,
    made: Contrast | None = None,
) -> Tensor:
    """Contrastive components of the paired differences, ``[K, C]``.

    The leading eigenvectors (``components`` of them, K if not given) of M/tr M - α B/tr B: M the second moment of
    a⁺_i - a⁻_i, *not* centred, so that what all pairs share stays; B that of the background ``[M, C]`` (the centred
    negatives if not given), so that what pictures differ in anyway goes.
    Turned within their span so that the first is the projection of the mean difference; the first K of them are
    returned, so K = 1 of more components is the mean difference without what lies outside their span. α = 0 is
    `principal`.

    Contrastive PCA is of Abid et al. (arXiv 1709.06716); the paired foreground is this project's.

    Raises:
        SteeringError: a rank below 1, or above the number of pairs or channels.
    """
    count = rank if components is None else components
    if not 1 <= rank <= count <= min(positive.shape):
        raise SteeringError(
            f"rank {rank} of {count} components is not within 1 to {min(positive.shape)}, the number of pairs or "
            "channels"
        )
    made = made or paired_contrast(positive, negative, background)
    return lead_first(made.components(alpha, count), (positive - negative).mean(0))[:rank]


def centred_contrast(positive: Tensor, negative: Tensor, background: Tensor | None = None) -> Contrast:
    """Positives, centred, against a background: the negatives, centred, if not given."""
    return varying(contrast_of(positive - positive.mean(0), _against(negative, background)))


def denoising_contrast(positive: Tensor, negative: Tensor, background: Tensor | None = None) -> Contrast:
    """Differences of the pairs, centred, against a background: the negatives, centred, if not given."""
    differences = positive - negative
    return varying(contrast_of(differences - differences.mean(0), _against(negative, background)))


def paired_contrast(positive: Tensor, negative: Tensor, background: Tensor | None = None) -> Contrast:
    """Differences of the pairs, not centred, against a background: the negatives, centred, if not given."""
    return contrast_of(positive - negative, _against(negative, background))


def _against(negative: Tensor, background: Tensor | None) -> Tensor:
    return negative - negative.mean(0) if background is None else background


DIRECTIONS: MappingProxyType[str, Method] = MappingProxyType(
    {
        "mean": mean_difference,
        "pca": principal,
        "cpca": contrastive,
        "cpca-paired": contrastive_paired,
        "cpca-denoised": contrastive_denoised,
        "whitened": mean_difference,  # read with `READOUTS`
        "cpca-source": moved_along,  # read with `READOUTS`
        "affine": affine_rows,  # read with `READOUTS`
        "kernel": principal_rows,  # read with a local map
    }
)
"""Method name -> function."""
CONTRASTS = MappingProxyType(
    {"cpca": centred_contrast, "cpca-paired": paired_contrast, "cpca-denoised": denoising_contrast}
)
"""Methods that have an α and a background -> what they contrast, which they take ready ``made`` as well."""
READOUTS: MappingProxyType[str, Callable[..., Tensor]] = MappingProxyType(
    {"whitened": whitened_readout, "cpca-source": read_along, "affine": affine_readout}
)
"""Methods that read tokens with other rows than they move them along -> function of (positive, negative) and of
``rows``, those they are moved along, or of what a method of `LATE` takes."""
LOCAL = "kernel"
"""The method that reads tokens with a `steering.directions.kernel.LocalMap`."""
KEEPING = ("affine", LOCAL)
"""Methods, and their readouts, that also take what is to be ``kept`` ``[M, C]``: protected captures are given to these,
where other methods' directions are made orthogonal to them."""
LATE = ("cpca-source",)
"""Methods that also take both sides of the ``previous`` noise level ``[2, N, C]``."""
AUTO = "auto"


def parse_alpha(alpha: float | str) -> float | str:
    """``auto``, or a number from 0.

    Raises:
        SteeringError: neither.
    """
    if alpha == AUTO:
        return AUTO
    try:
        weight = float(alpha)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 <= weight < float("inf"):
        raise SteeringError(f"alpha {alpha!r} must be {AUTO} or a number from 0; 1 is usual")
    return weight


def get_direction(name: str, alpha: float | str = 1.0, components: int | None = None) -> Method:
    """The method of a name, at an α where it has one.

    Args:
        name: of `DIRECTIONS`.
        alpha: weight of the background in contrastive PCA, or ``auto``, which chooses at every site and noise level.
        components: of contrastive PCA, in whose span the directions lie; the method's own number if not given.

    Returns:
        (positive, negative, rank) -> rows; methods of `CONTRASTS` also take ``background=[M, C]``.

    Raises:
        SteeringError: an unknown name, a bad α, or components for a method that has none.
    """
    if name not in DIRECTIONS:
        raise SteeringError(f"direction {name!r} is not one of {', '.join(DIRECTIONS)}")
    if components is not None and name not in CONTRASTS:
        raise SteeringError(f"direction {name!r} takes no number of components; {', '.join(CONTRASTS)} do")
    weight = parse_alpha(alpha)
    if name not in CONTRASTS:
        return DIRECTIONS[name]
    if isinstance(weight, str):
        return partial(_automatic, name, components)
    return partial(DIRECTIONS[name], alpha=weight, components=components)


def _automatic(
    name: str,
    components: int | None,
    positive: Tensor,
    negative: Tensor,
    rank: int = 1,
    background: Tensor | None = None,
) -> Tensor:
    """The rows at the α that the pairs choose (`steering.directions.contrast`).

    Found in coordinates of the samples' own span: directions lie in it, and nothing is then as wide as the site.
    """
    samples = [positive, negative] if background is None else [positive, negative, background]
    span = torch.linalg.qr(torch.cat(samples).mT)[0]
    against = None if background is None else background @ span

    def prepare(some: Tensor, others: Tensor) -> Prepared:
        made = CONTRASTS[name](some, others, against)
        return lambda alpha: DIRECTIONS[name](some, others, rank, alpha, components, against, made)

    one, other = positive @ span, negative @ span
    few = candidates(CONTRASTS[name](one, other, against))
    return prepare(one, other)(best_alpha(one, other, prepare, few)) @ span.mT
