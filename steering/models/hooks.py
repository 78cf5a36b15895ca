"""Forward hooks on sites, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from ..sites import Site


@contextmanager
def site_hooks(modules: Mapping[Site, nn.Module], react: Callable[[Site, Tensor], Tensor | None]) -> Iterator[None]:
    """Call ``react(site, output)`` on every forward pass of the modules; None leaves the output as it is.

    However the block ends, by an exception or an interrupt, even in the middle of installing, no
    hook stays behind.
    """
    with ExitStack() as stack:
        for site, module in modules.items():
            handle = module.register_forward_hook(_reacting(site, react))
            stack.callback(handle.remove)
        yield


def _reacting(site: Site, react: Callable[[Site, Tensor], Tensor | None]) -> Callable[..., Tensor | None]:
    return lambda _module, _args, output: react(site, output)


def as_tokens(output: Tensor) -> Tensor:
    """A site's output as tokens ``[B, T, C]``: pixels ``[B, C, H, W]`` become tokens, tokens stay."""
    return output.flatten(2).transpose(1, 2) if output.ndim == 4 else output


def like_output(tokens: Tensor, output: Tensor) -> Tensor:
    """Tokens ``[B, T, C]`` in the shape of the site's output."""
    return tokens.transpose(1, 2).reshape(output.shape) if output.ndim == 4 else tokens
