"""Hooks under ``torch.compile``: one operator that the compiler does not look into.

What a hook does changes with every call: noise level, strength, which rows are prompts. A compiler that followed it
would break its graph, or keep the first call's numbers. So a compiled hook is a single operator that comes back to
Python, and the rest of the network stays one graph, whatever is steered or recorded.

A network that was compiled before has no such operator in it, and does not ask whether hooks have come since. It does
ask whether somebody gave a module another ``forward``: so a hooked module gets its own ``forward`` as an attribute of
its own, and the compiler makes, or takes up again, the code of a hooked network.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

Reaction = Callable[[Tensor], Tensor | None]
"""A tensor -> another, or None, which leaves it as it is."""

REACTIONS: dict[int, Reaction] = {}
"""What is done at this moment under each number."""

_numbers: WeakKeyDictionary[nn.Module, list[int]] = WeakKeyDictionary()
_next = count()


def number_of(module: nn.Module, place: int) -> int:
    """The number of a module's hook at a place among ours: the same each time, so that nothing is compiled anew."""
    numbers = _numbers.setdefault(module, [])
    while len(numbers) <= place:
        numbers.append(next(_next))
    return numbers[place]


def show(module: nn.Module) -> None:
    """Let code that was compiled before notice that a module has hooks now."""
    if "forward" not in vars(module):
        vars(module)["forward"] = module.forward


def hide(module: nn.Module) -> None:
    """Undo `show`; nothing where somebody else gave the module its ``forward``."""
    forward = vars(module).get("forward")
    if isinstance(forward, MethodType) and forward.__func__ is getattr(type(module), "forward", None):
        vars(module).pop("forward", None)


def _react(x: Tensor, number: int) -> Tensor:
    """What the reaction of a number makes of x, laid out in memory as x is; a copy where it leaves x as it is."""
    if x.is_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "a CUDA graph would repeat this step's steering at every step; compile with backend inductor, or without "
            "CUDA graphs"
        )
    reaction = REACTIONS.get(number)
    changed = None if reaction is None else reaction(x)
    if changed is None:
        return x.clone()
    return changed if changed.stride() == x.stride() else torch.empty_like(x).copy_(changed)


def _operator() -> Callable[[Tensor, int], Tensor]:
    """`_react` as an operator; where torch has none that CUDA graphs leave out, a function that breaks the graph."""
    unsafe: Any = getattr(torch.Tag, "cudagraph_unsafe", None)
    if unsafe is None:
        apart: Any = torch.compiler.disable
        return apart(_react)
    # ComfyUI and a program may each load this module, under a name of its own.
    name = re.sub(r"\W", "_", __name__)
    operator = torch.library.custom_op(
        f"{name}::react", _react, mutates_args=(), tags=(unsafe,), schema="(Tensor x, int number) -> Tensor"
    )
    operator.register_fake(lambda x, number: torch.empty_like(x))
    return operator


react = _operator()
"""`_react`, which a compiler takes as it is."""
