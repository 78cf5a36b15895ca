"""Forward hooks on sites, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SteeringError
from ..sites import TEXT, Site
from . import compiled
from .compiled import Reaction

React = Callable[[Site, Tensor], Tensor | None]
"""(site, its output) -> another output, or None, which leaves it as it is. Of the text embedding, whatever reads it."""


@contextmanager
def site_hooks(modules: Mapping[Site, nn.Module], react: React) -> Iterator[None]:
    """Call ``react(site, output)`` on every forward pass of the modules; None leaves the output as it is.

    The hooks are of the thread that installs them.

    Raises:
        SteeringError: from within a forward pass in another thread, which would be steered or recorded unasked.
    """
    owner, numbers = [get_ident()], []

    def reacting(site: Site, module: nn.Module) -> Reaction:
        number = compiled.number_of(module, _free(module))
        compiled.REACTIONS[number] = partial(_react, site, react, owner)
        numbers.append(number)
        return _numbered(number, owner)

    hooks = []
    with undone(lambda: _forget(owner, numbers, hooks)):
        after = [(module, _after(reacting(site, module))) for site, module in modules.items() if site != TEXT]
        readers: Any = modules.get(TEXT, ())
        before = [(layer, _before(reacting(TEXT, layer))) for layer in readers]
        hooks += [*after, *before]
        with hooked(after, AFTER), hooked(before, BEFORE):
            yield


def _forget(owner: list[int], numbers: list[int], hooks: Sequence[tuple[nn.Module, Callable[..., Any]]]) -> None:
    """End what `site_hooks` began."""
    owner.clear()  # a copy of the model made inside the block has copies of its hooks, which now do nothing
    _remove(hooks)  # where an interrupt came just before `hooked` could begin with it
    for number in numbers:
        compiled.REACTIONS.pop(number, None)


AFTER, BEFORE = "_forward_hooks", "_forward_pre_hooks"
"""Where a module keeps its hooks. ComfyUI's nodes hook blocks at every call: torch's own way to put a hook there, by a
handle with weak references, takes as long as steering does."""


@contextmanager
def hooked(hooks: Sequence[tuple[nn.Module, Callable[..., Any]]], kind: str, keywords: bool = False) -> Iterator[None]:
    """Hooks on modules inside the block, `AFTER` or `BEFORE` their ``forward``; with its keyword arguments if asked.

    However the block ends, by an exception or an interrupt, even in the middle of installing or removing, none stays
    behind.
    """
    # The hooks themselves are known before they are anywhere, and taking one off twice does no harm: an interrupt
    # between putting one there and a note of it would leave a hook that nobody knows.
    with undone(lambda: _remove(hooks)):
        for module, hook in hooks:
            _install(module, hook, kind, keywords)
        yield


@contextmanager
def undone(undo: Callable[[], None]) -> Iterator[None]:
    """What ``undo`` takes back, whatever ends the block; an interrupt meanwhile waits until all of it is.

    ``undo`` may be called again, before or after it has come to its end.
    """
    try:
        try:
            yield
        finally:
            undo()
    except KeyboardInterrupt:
        while True:
            try:
                undo()
                break
            except KeyboardInterrupt:
                continue
        raise


def _free(module: nn.Module) -> int:
    """The first place, from 0, at which a module has no hook of `hooked`: place p is number -1 - p among its hooks."""
    after, before, place = getattr(module, AFTER), getattr(module, BEFORE), 0
    while -1 - place in after or -1 - place in before:
        place += 1
    return place


def _install(module: nn.Module, hook: Callable[..., Any], kind: str, keywords: bool) -> None:
    """A hook on a module, under the same number each time: compiled code is asked for by the numbers of hooks."""
    number = -1 - _free(module)
    getattr(module, kind)[number] = hook
    if keywords:  # afterwards, as an interrupt in between takes the hook off and knows of no more
        getattr(module, f"{kind}_with_kwargs")[number] = True
    compiled.show(module)


def _remove(hooks: Sequence[tuple[nn.Module, Callable[..., Any]]]) -> None:
    """Take hooks off their modules; nothing where one is not there."""
    for module, hook in hooks:
        left = 0
        for kind in (AFTER, BEFORE):
            there = getattr(module, kind, None)
            if not there:  # most often: a module has hooks of one kind, and is asked again once they are off
                continue
            for number in [number for number, one in there.items() if one is hook]:
                getattr(module, f"{kind}_with_kwargs").pop(number, None)
                there.pop(number, None)
            left += sum(number < 0 for number in there)
        if isinstance(module, nn.Module) and not left:
            compiled.hide(module)


def _numbered(number: int, owner: list[int]) -> Reaction:
    def reaction(x: Tensor) -> Tensor | None:
        if not owner:
            return None
        return compiled.react(x, number) if torch.compiler.is_compiling() else compiled.REACTIONS[number](x)

    return reaction


def _after(reaction: Reaction) -> Callable[..., Tensor | None]:
    return lambda _module, _args, output: reaction(output)


def _before(reaction: Reaction) -> Callable[..., tuple[Tensor, ...] | None]:
    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        changed = reaction(args[0])
        return None if changed is None else (changed, *args[1:])

    return hook


def _react(site: Site, react: React, owner: list[int], x: Tensor) -> Tensor | None:
    """What ``react`` makes of a site's output; raises SteeringError in another thread than the owner's."""
    if get_ident() != owner[0]:
        raise SteeringError(
            "this model is steered or recorded by another thread; load a model for each thread, or wait for it"
        )
    return react(site, x)


def as_tokens(output: Tensor) -> Tensor:
    """A site's output as tokens ``[B, T, C]``: pixels ``[B, C, H, W]`` become tokens, tokens stay."""
    return output.flatten(2).transpose(1, 2) if output.ndim == 4 else output


def like_output(tokens: Tensor, output: Tensor) -> Tensor:
    """Tokens ``[B, T, C]`` in the shape of the site's output."""
    return tokens.transpose(1, 2).reshape(output.shape) if output.ndim == 4 else tokens
