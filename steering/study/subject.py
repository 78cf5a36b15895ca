"""A concept under study: its pairs to learn from, and the prompts that it is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..checks import short
from ..concepts.pairs import Pair, load_pairs, spread
from ..concepts.prompts import Concept, Prompt, concept_folder, evaluated, load_concept, load_prompts
from ..errors import SteeringError
from ..families import family_named
from ..pocket.judge import LABELS
from .plan import Plan


@dataclass(frozen=True)
class Subject:
    """A concept with its prompts.

    Attributes:
        concept: the concept.
        pairs: the prompts that are captured.
        prompts: dev and test prompts by split.
    """

    concept: Concept
    pairs: Sequence[Pair]
    prompts: Mapping[str, Sequence[Prompt]]

    @property
    def name(self) -> str:
        """The concept's name."""
        return self.concept.name


def load_subject(name: str, family: str, plan: Plan, targets: Sequence[Prompt] | None = None) -> Subject:
    """A concept with its prompts, by name or folder.

    Args:
        name: see `steering.concepts.prompts.concept_folder`.
        family: of the model.
        plan: how many pairs.
        targets: prompts that take the place of the concept's own test targets.
    """
    folder = concept_folder(name, family)
    test = load_prompts(name, "test", family)
    if targets is not None:
        test = [*targets, *(prompt for prompt in test if prompt.role != "target")]
    prompts = {"dev": load_prompts(name, "dev", family), "test": test}
    for split, some in prompts.items():
        if not any(prompt.role == "target" for prompt in some):
            raise SteeringError(f"{folder / split}.csv holds no prompts of role target, on which presence is measured")
    concept = load_concept(name, family)
    if family_named(family).is_embedded:
        _check_labels(concept, [prompt for some in prompts.values() for prompt in some])
        for split, some in prompts.items():
            _check_shown(f"{folder / split}.csv", some)
    return Subject(concept, spread(load_pairs(folder / "fit.csv"), plan.pairs), prompts)


def _check_labels(concept: Concept, prompts: Sequence[Prompt]) -> None:
    """Refuse labels that the embedded judge does not know, before any work is done."""
    if not concept.judge:
        raise SteeringError(
            f"concept {concept.name} names no labels of the embedded judge; add 'judge' to concept.json"
        )
    unknown = {label for prompt in prompts for label in prompt.shows} | set(concept.judge)
    if unknown - set(LABELS):
        names = ", ".join(sorted(unknown - set(LABELS)))
        raise SteeringError(f"concept {concept.name}: the embedded judge knows {', '.join(LABELS)}, and not {names}")


def _check_shown(file: str, prompts: Sequence[Prompt]) -> None:
    """Refuse prompts that are to stay and of which nobody says what: whether they lose it could not be judged."""
    silent = [prompt for prompt in prompts if prompt.role != "target" and not prompt.shows]
    if silent:
        raise SteeringError(
            f"{file}: the {silent[0].role} prompt {short(silent[0].text)} does not say what it shows, which the "
            f"embedded judge looks for; fill the column shows with one or more of {', '.join(LABELS)}, or leave it out"
        )


def other_concepts(subjects: Sequence[Subject], family: str) -> list[str]:
    """Names of the built-in concepts that are captured as controls only: all, where a study has one concept alone."""
    if len(subjects) > 1:
        return []
    return [name for name in evaluated(family) if name != subjects[0].name]


def check_subjects(subjects: Sequence[Subject]) -> None:
    """Refuse no concept, and the same one twice."""
    names = [subject.name for subject in subjects]
    if len(set(names)) < len(names) or not names:
        raise SteeringError(f"concepts {', '.join(names) or '(none)'} must be at least one and each only once")
