"""Forward hooks on sites, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SteeringError
from ..sites import TEXT, Site

React = Callable[[Site, Tensor], Tensor | None]
"""(site, its output) -> another output, or None, which leaves it as it is. Of the text embedding, whatever reads it."""


@contextmanager
def site_hooks(modules: Mapping[Site, nn.Module], react: React) -> Iterator[None]:
    """Call ``react(site, output)`` on every forward pass of the modules; None leaves the output as it is.

    The hooks are of the thread that installs them.

    Raises:
        SteeringError: from within a forward pass in another thread, which would be steered or recorded unasked.
    """
    owner = [get_ident()]
    after = [(module, _reacting(site, react, owner)) for site, module in modules.items() if site != TEXT]
    readers: Any = modules.get(TEXT, ())
    before = [(layer, _reacting_before(TEXT, react, owner)) for layer in readers]
    hooks = [*after, *before]
    try:
        with hooked(after, nn.Module.register_forward_hook), hooked(before, nn.Module.register_forward_pre_hook):
            yield
    finally:
        owner.clear()  # a copy of the model made inside the block has copies of its hooks, which now do nothing
        _remove(hooks)  # where an interrupt came just before `hooked` could begin with it


@contextmanager
def hooked(hooks: Sequence[tuple[nn.Module, Callable[..., Any]]], register: Callable[..., Any]) -> Iterator[None]:
    """Hooks on modules inside the block, put there by ``register(module, hook)``.

    However the block ends, by an exception or an interrupt, even in the middle of installing or removing, none stays
    behind.
    """
    # Handles are not kept: an interrupt between a registration and its note would leave a hook that nobody knows.
    # The hooks themselves are known before, and taking one off twice does no harm.
    with undone(lambda: _remove(hooks)):
        for module, hook in hooks:
            register(module, hook)
        yield


@contextmanager
def undone(undo: Callable[[], None]) -> Iterator[None]:
    """What ``undo`` takes back, whatever ends the block; an interrupt meanwhile waits until all of it is.

    ``undo`` may be called again before it has come to its end.
    """
    interrupt: KeyboardInterrupt | None = None
    try:
        yield
    finally:
        while True:
            try:
                undo()
                break
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt


def _remove(hooks: Sequence[tuple[nn.Module, Callable[..., Any]]]) -> None:
    """Take hooks off their modules; nothing where one is not there."""
    for module, hook in hooks:
        for kind in ("_forward_hooks", "_forward_pre_hooks"):
            there = getattr(module, kind, {})
            for number in [number for number, one in there.items() if one is hook]:
                getattr(module, f"{kind}_with_kwargs").pop(number, None)
                there.pop(number, None)


def _reacting(site: Site, react: React, owner: list[int]) -> Callable[..., Tensor | None]:
    def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor | None:
        return react(site, output) if _is_ours(owner) else None

    return hook


def _reacting_before(site: Site, react: React, owner: list[int]) -> Callable[..., tuple[Tensor, ...] | None]:
    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        changed = react(site, args[0]) if _is_ours(owner) else None
        return None if changed is None else (changed, *args[1:])

    return hook


def _is_ours(owner: list[int]) -> bool:
    """Whether a hook is still at work; raises SteeringError in another thread than its owner's."""
    if not owner:
        return False
    if not torch.compiler.is_compiling() and get_ident() != owner[0]:  # which a compiler cannot see through
        raise SteeringError(
            "this model is steered or recorded by another thread; load a model for each thread, or wait for it"
        )
    return True


def as_tokens(output: Tensor) -> Tensor:
    """A site's output as tokens ``[B, T, C]``: pixels ``[B, C, H, W]`` become tokens, tokens stay."""
    return output.flatten(2).transpose(1, 2) if output.ndim == 4 else output


def like_output(tokens: Tensor, output: Tensor) -> Tensor:
    """Tokens ``[B, T, C]`` in the shape of the site's output."""
    return tokens.transpose(1, 2).reshape(output.shape) if output.ndim == 4 else tokens
