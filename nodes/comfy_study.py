"""What Evaluate Steering and Tune Steering share: a concept with its prompts, a plan, and a folder of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io

from ..steering.concepts.pairs import CONCEPTS
from ..steering.concepts.request import Request
from ..steering.concepts.writing import write_set
from ..steering.errors import SteeringError
from ..steering.families import FAMILIES, family_named
from ..steering.files import write_text
from ..steering.study.plan import FULL, Plan, scaled
from ..steering.study.subject import Subject, load_subject
from .comfy_drawing import DrawingModel
from .comfy_files import PAIRS, fingerprint, names, problem

ABOUT = "concept.json"


def concept_folders() -> dict[str, Path]:
    """Name -> folder of every concept that has prompts to be judged on: the built-in ones, then the user's."""
    built_in = sorted({family.concepts for family in FAMILIES})
    found = {
        path.parent.relative_to(CONCEPTS).as_posix(): path.parent
        for family in built_in
        for path in sorted((CONCEPTS / family).glob(f"*/{ABOUT}"))
    }
    for name in names(PAIRS):  # below models/steering_pairs a concept is a folder with these files
        folder, _, file = name.replace("\\", "/").rpartition("/")
        path = folder_paths.get_full_path(PAIRS, name)
        if file == "fit.csv" and path and (Path(path).parent / ABOUT).is_file():
            found[folder] = Path(path).parent
    return found


def concept_inputs() -> list[Any]:
    """The concept, wherever it is asked for."""
    return [
        io.Combo.Input(
            "concept",
            options=list(concept_folders()),
            default="pocket/dog",
            tooltip="Built in, or a folder of models/steering_pairs with concept.json, fit.csv, dev.csv and test.csv, "
            "as the command steering concept writes it.",
        ),
        io.String.Input(
            "word",
            default="",
            tooltip="A word in place of concept, of which pairs and prompts are written by templates; or empty.",
        ),
    ]


def concept_folder(concept: str) -> Path:
    """Where a concept lies; raises SteeringError with those that there are."""
    known = concept_folders()
    if concept not in known:
        raise SteeringError(f"concept {concept!r} is not one of {', '.join(known)}; or write a word")
    return known[concept]


class OfConcept(io.ComfyNode):
    """A node with the inputs `concept_inputs`."""

    @classmethod
    def validate_inputs(cls, concept: str | None, word: str | None) -> bool | str:
        """True, or a sentence with a remedy, in place of ComfyUI's check against the list; None comes over a link."""
        return word is None or bool(word.strip()) or problem(concept_folder, concept)

    @classmethod
    def fingerprint_inputs(cls, concept: str | None, word: str | None, **_others: object) -> str:
        """Changes with the concept's files, or with all that there are where it comes over a link."""
        if word and word.strip():
            return word
        folders = concept_folders().values() if concept is None or word is None else [concept_folder(concept)]
        return " ".join(fingerprint(path) for folder in folders for path in sorted(folder.iterdir()) if path.is_file())


def subject_of(model: DrawingModel, concept: str, word: str, plan: Plan) -> Subject:
    """The concept with its prompts; of a word they are written first, into the output folder."""
    if not word.strip():
        return load_subject(str(concept_folder(concept)), model.family, plan)
    written = write_set(Request(word.strip()), model.family)
    folder = output_folder(f"concepts/{model.family}_{written.name}")
    for name, content in written.files.items():
        write_text(folder / name, content)
    return load_subject(str(folder), model.family, plan)


def plan_of(
    model: DrawingModel, steps: int, cfg: float, batch: int, prompts: int | None = None, pairs: int = FULL.pairs
) -> Plan:
    """A study's plan with a graph's sampling, so many pairs, and at most so many test prompts of each role."""
    guidance = cfg or family_named(model.family).guidance
    plan = replace(FULL, steps=steps, guidance=guidance, size=model.size, batch=batch, pairs=pairs)
    return scaled(plan, prompts) if prompts else plan


def sampling_inputs() -> list[Any]:
    """How pictures are drawn, wherever it is asked for."""
    return [
        io.Int.Input("steps", default=30, min=1, max=1000, tooltip="Sampling steps (euler, normal)."),
        io.Float.Input(
            "cfg",
            default=0.0,
            min=0.0,
            max=30.0,
            step=0.1,
            tooltip="Guidance; 0 takes what is usual for the model: 7.5 for SD 1.5, 3 for the pocket model.",
        ),
        io.Int.Input(
            "size", default=0, min=0, max=4096, step=8, tooltip="Width and height; 0 takes what is usual for the model."
        ),
        io.Int.Input("batch", default=2, min=1, max=64, tooltip="Pictures computed together. Changes speed only."),
    ]


def output_folder(name: str) -> Path:
    """A folder below ``output/steering``."""
    return Path(folder_paths.get_output_directory()) / "steering" / name


def work_folder(name: str, setting: Mapping[str, Any]) -> Path:
    """The folder of one setting: what was drawn there before is found again, and another setting has another."""
    mark = hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()[:8]
    return output_folder(f"{name}_{mark}")
