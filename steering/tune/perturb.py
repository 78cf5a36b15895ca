"""Dev prompts under perturbation: a setting that is clean by a hair's breadth is not to be chosen."""

from __future__ import annotations

from dataclasses import replace

from ..families import family_named
from ..study.subject import Subject

MORE_GUIDANCE = 1.5
"""Of the usual guidance, for half of the target prompts; the few steps of trials are the other perturbation."""
GOLDEN = 0.618
"""Multiples of it modulo 1 fall on either side of one half by turns, whatever even part of the prompts is taken."""


def perturbed(subject: Subject, family: str) -> Subject:
    """The concept with half of its dev targets drawn at more guidance, where there is guidance at all.

    A prompt with a guidance of its own keeps that.
    """
    usual = family_named(family).guidance
    if usual == 1:
        return subject
    dev, number = [], 0
    for prompt in subject.prompts["dev"]:
        harder = prompt.role == "target" and prompt.guidance is None and number * GOLDEN % 1 > 0.5
        dev.append(replace(prompt, guidance=MORE_GUIDANCE * usual) if harder else prompt)
        number += prompt.role == "target"
    return replace(subject, prompts={**subject.prompts, "dev": dev})
