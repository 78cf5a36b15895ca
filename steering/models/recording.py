"""Reading what sites do while the UNet runs. Hooks only read; the output stays bit-identical."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..sites import Site
from .hooks import as_tokens, site_hooks

Reducer = Callable[[Site, Tensor, float], Tensor]
"""(site, tokens ``[B, T, C]``, noise level) -> what is kept of them, ``[B, ...]``."""


class Recording:
    """What the sites did in the latest UNet call: the one mutable object of a capture."""

    def __init__(self) -> None:
        self.latest: dict[Site, Tensor] = {}

    def take(self, rows: slice) -> dict[Site, Tensor]:
        """The kept values of some rows of the latest call, on the CPU; the recording is empty afterwards."""
        taken = on_cpu({site: value[rows] for site, value in self.latest.items()})
        self.latest.clear()
        return taken


def on_cpu(values: Mapping[Site, Tensor]) -> dict[Site, Tensor]:
    """Values of one precision ``[B, ...]`` on the CPU, in one copy for all sites: a GPU is waited for once."""
    if not values:
        return {}
    together = torch.cat([value.flatten(1) for value in values.values()], 1).cpu()
    parts = together.split([value[0].numel() for value in values.values()], 1)
    return {site: part.reshape(value.shape) for (site, value), part in zip(values.items(), parts, strict=True)}


def token_mean(site: Site, tokens: Tensor, sigma: float) -> Tensor:
    """Mean over tokens in float32: ``[B, T, C]`` to ``[B, C]``."""
    return tokens.float().mean(1)


@contextmanager
def record(
    modules: Mapping[Site, nn.Module], reduce: Reducer = token_mean, sigma: Callable[[], float] = lambda: 0.0
) -> Iterator[Recording]:
    """Record every UNet call made inside the block; ``sigma`` says the noise level of the running call."""
    recording = Recording()

    def read(site: Site, output: Tensor) -> None:
        recording.latest[site] = reduce(site, as_tokens(output.detach()), sigma())

    with site_hooks(modules, read):
        yield recording
