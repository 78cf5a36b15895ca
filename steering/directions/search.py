"""How well pairs that a direction has not seen are told apart, over α and the number of components."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..activations.store import Activations
from ..errors import SteeringError
from ..folds import FOLDS, folds_of
from ..linalg import lead_first
from ..sites import Site
from .contrast import ALPHAS, discriminability, held_out
from .methods import mean_difference, paired_contrast

COMPONENTS = (1, 2, 3, 5)


@dataclass(frozen=True, eq=False)
class Search:
    """Mean held-out discriminability over sites and noise levels (`steering.directions.contrast.held_out`).

    Attributes:
        alphas: A values of α.
        components: R numbers of components.
        table: of the mean difference within the span of the components, at each ``[A, R]``.
        mean_difference: of the plain mean difference, for comparison.
        site_steps: over how many sites and noise levels.
    """

    alphas: tuple[float, ...]
    components: tuple[int, ...]
    table: Tensor
    mean_difference: float
    site_steps: int

    def best(self) -> tuple[float, int, float]:
        """α, number of components and value where the table is highest; of equals the smallest.

        The highest of many is a little too high; the mean difference was not picked.
        """
        place = int(self.table.flatten().argmax())
        alpha, count = divmod(place, len(self.components))
        return self.alphas[alpha], self.components[count], float(self.table[alpha, count])


def search(
    activations: Activations,
    sites: Sequence[Site] | None = None,
    every: int = 5,
    alphas: Sequence[float] = ALPHAS,
    components: Sequence[int] = COMPONENTS,
    progress: Callable[[int], None] = lambda done: None,
) -> Search:
    """Search the α and the number of components of direction ``cpca-paired``, one for all sites and noise levels.

    Args:
        activations: from a capture.
        sites: the sites; all if not given.
        every: the distance between the noise levels that are looked at, from the first.
        alphas: values of α.
        components: numbers of components; those above the number of samples are left out.
        progress: called with 1 after every site and noise level.

    Raises:
        SteeringError: ``every`` below 1, fewer than two pairs, a capture of the text, or no site that reacts.
    """
    if every < 1:
        raise SteeringError(f"every {every} must be at least 1")
    if activations.pairs < 2:
        raise SteeringError("a search holds pairs out, so it needs at least two; capture more")
    if activations.tokens > 1:
        raise SteeringError(
            "a search holds pairs out, and the rows of a capture of the text are tokens of pairs; capture other sites"
        )
    narrowest = min(tensor.shape[-1] for tensor in activations.tensors.values())
    most = min(activations.pairs - -(-activations.pairs // FOLDS), narrowest)
    counts = [count for count in components if count <= most] or [1]
    tables, plain = [], []
    for site in activations.tensors if sites is None else sites:
        active = activations.active(site)
        for step in range(0, len(activations.sigmas), every):
            if active[step]:
                positive, negative = activations.tensors[site][:, :, step].double()
                tables.append(_table(positive, negative, alphas, counts))
                plain.append(held_out(positive, negative, mean_difference))
            progress(1)
    if not tables:
        raise SteeringError("no site reacts to these pairs: positive and negative prompts give the same activations")
    table, compared = torch.stack(tables).mean(0), sum(plain) / len(plain)
    return Search(tuple(alphas), tuple(counts), table, compared, len(tables))


def _table(positive: Tensor, negative: Tensor, alphas: Sequence[float], counts: Sequence[int]) -> Tensor:
    """Held-out discriminability of every α and number of components ``[A, R]``.

    What `steering.directions.contrast.held_out` says of each, but the components of all numbers come from one solution.
    """
    moved = []
    for train, test in folds_of(len(positive)):
        made = paired_contrast(positive[train], negative[train])
        mean, unseen = (positive - negative)[train].mean(0), (positive - negative)[test]
        rows = [made.components(alpha, max(counts)) for alpha in alphas]
        leads = torch.stack([torch.stack([lead_first(some[:n], mean)[0] for n in counts]) for some in rows])
        moved.append(torch.einsum("nc,arc->arn", unseen, leads))
    every = torch.cat(moved, dim=-1)
    return torch.tensor([[discriminability(one) for one in row] for row in every])
