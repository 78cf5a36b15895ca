"""Contrastive PCA: directions along which a foreground varies and a background does not.

For samples X (foreground) and Y (background) with second moments C_X and C_Y, each divided by its trace so that one
grid of α fits every site, the components at α are the leading eigenvectors of

    C_X - α C_Y

(Abid et al., arXiv 1709.06716). α = 0 is PCA of X; large α looks where Y does not vary at all. As published the samples
are centred; `paired` samples, the differences of pairs, are not, since a shift that all pairs share is the signal here
and centring would remove it. Computed in the span of the samples, so never C x C, with a symmetric solver: exact, real
and the same every time.

The automatic α is the paper's: 40 values between 0.1 and 1000 on a logarithmic scale, the affinity of two of them
being the product of the cosines of the principal angles between their leading components; spectral clustering; the
medoid of each cluster, and α = 0. Where the paper shows all of them to a person, the best by held-out paired
discriminability is taken here (`held_out`). Left out: the kernel form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SteeringError
from ..folds import folds_of

ALPHAS = (0.0, *torch.logspace(-1, 3, 40, dtype=torch.float64).tolist())
"""The paper's grid: 0, then 40 values from 0.1 to 1000."""
CLUSTERS = 3
"""Clusters of α beside 0, as in the paper's package."""
ROUNDING = 1e-12
"""Share of the largest eigenvalue up to which one is 0, in double precision."""
FEW = 1 / 8
"""Share of all eigenvectors up to which the leading ones alone are made."""
SUBSPACE = 2
"""Leading components that two α are compared by, as in the paper."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Second moments of a foreground and a background in the span of both.

    Attributes:
        span: orthonormal columns ``[C, d]``, d at most the number of samples and of channels.
        foreground: ``[d, d]``, trace 1.
        background: ``[d, d]``, trace 1; 0 where nothing varies.
    """

    span: Tensor
    foreground: Tensor
    background: Tensor

    def components(self, alpha: float, count: int) -> Tensor:
        """The ``count`` leading components at α as orthonormal rows ``[count, C]``."""
        return (self.span @ _leading(self.foreground - alpha * self.background, count)).mT

    def affinities(self, alphas: Sequence[float] = ALPHAS) -> Tensor:
        """Product of the cosines of the principal angles between every two α's components ``[A, A]``, 0 to 1."""
        vectors = torch.stack([_leading(self.foreground - alpha * self.background, SUBSPACE) for alpha in alphas])
        overlaps = torch.einsum("adk,bdl->abkl", vectors, vectors)
        return torch.linalg.det(overlaps).abs().clamp_max(1)  # |det| is the product of the singular values


def _leading(matrix: Tensor, count: int) -> Tensor:
    """The ``count`` leading eigenvectors of a symmetric matrix, the first first ``[d, count]``.

    No others are made where they are few: one after the other is the slower way to many.
    """
    from scipy.linalg import eigh

    if count > FEW * len(matrix):
        return torch.linalg.eigh(matrix).eigenvectors.flip(1)[:, :count]
    last = len(matrix) - 1
    few = (max(0, last + 1 - count), last)
    return torch.from_numpy(eigh(matrix.numpy(), subset_by_index=few, driver="evx", check_finite=False)[1]).flip(1)


def contrast_of(foreground: Tensor, background: Tensor) -> Contrast:
    """The contrast of samples ``[N, C]`` and ``[M, C]``, centred or not by whoever calls."""
    span = torch.linalg.qr(torch.cat([foreground, background]).mT)[0]
    return Contrast(span, second_moment(foreground @ span), second_moment(background @ span))


def varying(made: Contrast) -> Contrast:
    """The same within the directions that samples vary in, at least one.

    N centred samples span one direction less than they are: with few of them the others, which rounding decides, would
    be among the leading components.
    """
    values, vectors = torch.linalg.eigh(made.foreground + made.background)
    kept = vectors[:, values > ROUNDING * values[-1]] if values[-1] > 0 else vectors[:, -1:]
    moments = (kept.mT @ moment @ kept for moment in (made.foreground, made.background))
    return Contrast(made.span @ kept, *moments)


def second_moment(samples: Tensor) -> Tensor:
    """XᵀX ``[d, d]`` of samples ``[N, d]``, its trace 1 (0 where there is nothing)."""
    moment = samples.mT @ samples
    return moment / moment.trace().clamp_min(torch.finfo(moment.dtype).tiny)


def medoids(affinities: Tensor) -> list[int]:
    """The index that each cluster is closest to, of affinities ``[A, A]``, sorted.

    Raises:
        SteeringError: scikit-learn is missing; the message says how to get it.
    """
    try:
        from sklearn.cluster import SpectralClustering
    except ModuleNotFoundError:
        raise SteeringError("alpha auto needs scikit-learn: pip install scikit-learn, or give a number") from None
    # The same clusters every time; a little on the diagonal keeps the graph connected where subspaces are orthogonal.
    graph = (affinities + 1e-6).clamp_max(1).numpy()
    model = SpectralClustering(
        min(CLUSTERS, len(graph)), affinity="precomputed", random_state=0, assign_labels="discretize"
    )
    labels = torch.from_numpy(model.fit_predict(graph)).long()
    found = []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        inside = affinities[members][:, members].sum(1)
        found.append(int(members[inside.argmax()]))
    return sorted(found)


def candidates(made: Contrast) -> list[float]:
    """α = 0 and the medoids of the others: the few α that show different things."""
    rest = [alpha for alpha in ALPHAS if alpha]
    return [0.0, *(rest[i] for i in medoids(made.affinities(rest)))]


def discriminability(moved: Tensor) -> float:
    """(mean_i δ_i)² / mean_i δ_i² of δ ``[N]``, from 0 to 1; 0 where the mean is negative.

    1 where every δ is the same, whatever the scale; about 1 / N where they are noise.
    """
    spread = moved.square().mean()
    return float(moved.mean().clamp_min(0).square() / spread) if spread else 0.0


Prepared = Callable[[float], Tensor]
"""α -> orthonormal rows of the pairs that a method was given, whose second moments are made once for all α."""


def best_alpha(
    positive: Tensor,
    negative: Tensor,
    prepare: Callable[[Tensor, Tensor], Prepared],
    alphas: Sequence[float],
) -> float:
    """The α whose direction separates held-out pairs best (`held_out`); of equals the smallest.

    Args:
        positive: ``[N, C]``.
        negative: ``[N, C]``.
        prepare: (positive, negative) -> `Prepared`, whose first row is judged.
        alphas: among which to choose.
    """
    moved: dict[float, list[Tensor]] = {alpha: [] for alpha in alphas}
    for train, test in folds_of(len(positive)):
        rows, unseen = prepare(positive[train], negative[train]), (positive - negative)[test]
        for alpha in alphas:
            moved[alpha].append(unseen @ rows(alpha)[0])
    scores = {alpha: discriminability(torch.cat(parts)) for alpha, parts in moved.items()}
    return max(alphas, key=lambda alpha: (scores[alpha], -alpha))


def held_out(positive: Tensor, negative: Tensor, method: Callable[[Tensor, Tensor], Tensor]) -> float:
    """`discriminability` of δ_i = <a⁺_i - a⁻_i, r>, every r made without the pairs that it is judged on."""
    moved = []
    for train, test in folds_of(len(positive)):
        row = method(positive[train], negative[train])[0]
        moved.append((positive - negative)[test] @ row)
    return discriminability(torch.cat(moved))
