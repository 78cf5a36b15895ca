"""How well pairs that a direction has not seen are told apart, over α and the number of components."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .activations import Activations
from .contrast import ALPHAS, FOLDS, folds_of, paired_discriminability
from .directions import CONTRASTS, lead_first, mean_difference
from .sites import Site

RANKS = (1, 2, 3, 5)


@dataclass(frozen=True, eq=False)
class Search:
    """Mean held-out `paired_discriminability` over sites and noise levels.

    Attributes:
        alphas: A values of α.
        ranks: R numbers of components.
        table: of the leading row at each ``[A, R]``.
        mean_difference: of the plain mean difference, for comparison.
        site_steps: over how many sites and noise levels.
    """

    alphas: tuple[float, ...]
    ranks: tuple[int, ...]
    table: Tensor
    mean_difference: float
    site_steps: int

    def best(self) -> tuple[float, int, float]:
        """α, number of components and value where the table is highest; of equals the smallest."""
        place = int(self.table.flatten().argmax())
        alpha, rank = divmod(place, len(self.ranks))
        return self.alphas[alpha], self.ranks[rank], float(self.table[alpha, rank])


def search(
    activations: Activations,
    direction: str = "cpca-paired",
    sites: Sequence[Site] | None = None,
    every: int = 5,
    alphas: Sequence[float] = ALPHAS,
    ranks: Sequence[int] = RANKS,
    progress: Callable[[int], None] = lambda done: None,
) -> Search:
    """Search α and the number of components, one for all sites and noise levels.

    Args:
        activations: from a capture.
        direction: a name of `steering.directions.CONTRASTS`, whose foreground and background are taken; its rows are
            the leading components, turned so that the first is the projection of the mean difference.
        sites: the sites; all if not given.
        every: every how manieth noise level, from the first.
        alphas: values of α.
        ranks: numbers of components; those above the number of samples are left out.
        progress: called with 1 after every site and noise level.

    Raises:
        ValueError: an unknown direction, fewer than two pairs, or no site that reacts to the pairs.
    """
    if direction not in CONTRASTS:
        raise ValueError(f"direction {direction!r} has no alpha; it is one of {', '.join(CONTRASTS)}")
    if activations.pairs < 2:
        raise ValueError("a search holds pairs out, so it needs at least two; capture more")
    smallest = min(
        activations.pairs - -(-activations.pairs // FOLDS), *(t.shape[-1] for t in activations.tensors.values())
    )
    ranks = [rank for rank in ranks if rank <= smallest] or [1]
    tables, plain = [], []
    for site in sites or activations.tensors:
        active = activations.active(site)
        for step in range(0, len(activations.sigmas), every):
            if active[step]:
                positive, negative = activations.tensors[site][:, :, step].double()
                tables.append(_held_out(positive, negative, direction, alphas, ranks))
                plain.append(_mean_held_out(positive, negative))
            progress(1)
    if not tables:
        raise ValueError("no site reacts to these pairs: positive and negative prompts give the same activations")
    table, compared = torch.stack(tables).mean(0), sum(plain) / len(plain)
    return Search(tuple(alphas), tuple(ranks), table, compared, len(tables))


def _held_out(
    positive: Tensor, negative: Tensor, direction: str, alphas: Sequence[float], ranks: Sequence[int]
) -> Tensor:
    """Mean over folds of every α and rank ``[A, R]``; the components of all ranks come from one solution."""
    values = torch.zeros(len(alphas), len(ranks))
    folds = folds_of(len(positive))
    for train, test in folds:
        made = CONTRASTS[direction](positive[train], negative[train])
        mean, unseen = (positive - negative)[train].mean(0), (positive - negative)[test]
        for i, alpha in enumerate(alphas):
            rows = made.components(alpha, max(ranks))
            leads = [lead_first(rows[:rank], mean)[0] for rank in ranks]
            values[i] += torch.tensor([paired_discriminability(unseen, lead) for lead in leads])
    return values / len(folds)


def _mean_held_out(positive: Tensor, negative: Tensor) -> float:
    values = [
        paired_discriminability((positive - negative)[test], mean_difference(positive[train], negative[train])[0])
        for train, test in folds_of(len(positive))
    ]
    return sum(values) / len(values)
