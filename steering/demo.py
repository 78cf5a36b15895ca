"""The whole chain on the pocket model: capture, score, build, choose on dev, measure on test, report.

Every stage writes its result whole and is skipped when its file is there and was made with the same
settings, so an interrupted demo goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .activations import Activations
from .build import build, recommend, with_thresholds
from .capture import STEPS, CaptureSettings, capture_rows, usual
from .diffusion import DiffusionModel, load_model
from .evaluate import controls, plots
from .evaluate.choice import FINALISTS, RULE, Setting, choose, enough, finalists, setting_row
from .evaluate.distances import frechet_distance
from .evaluate.metrics import Measured, clip_change, measure, root_mean_square
from .evaluate.prompts import ROLES, Concept, Prompt, load_concept, load_prompts, take
from .evaluate.report import write_report
from .evaluate.statistics import Estimate, estimate, upper_bound
from .evaluate.strip import STRENGTHS as STRIP_STRENGTHS
from .evaluate.strip import draw_strip
from .files import replacing, write_text
from .interventions import PRESETS
from .navigator import Scores, score
from .pairs import Pair, load_pairs, spread
from .steer import steer
from .study.vectors import captured, digest, thresholds_of
from .vector import SteeringVector
from .version import __version__

STRENGTHS = {"study": (2.5,), "casteer": (2.0,), "precise": (1.0,), "selective": (3.0, 4.0)}
RANKS = (2, 3)
"""Numbers of directions then tried, under the preset selective at its first strength."""
STRIP = 3
"""Prompts of the strength strip."""
OTHER = {"dog": "violence", "van_gogh": "dog", "violence": "dog"}
"""The concept whose vector serves as a control."""


@dataclass(frozen=True)
class Plan:
    """How much the demo does.

    Attributes:
        ks: numbers of sites steered per step.
        dev: dev prompts of each role (target, sibling, unrelated) for all settings.
        finals: dev prompts of each role for the finalists.
        test: test prompts of each role.
        pairs: pairs to capture.
        batch: pictures computed together.
        strengths: the strengths tried on dev under each preset; the study preset keeps the study's own.
        ranks: numbers of directions above 1 that are tried where one is not enough.
    """

    ks: tuple[int, ...] = (1, 3, 5, 8, 10)
    dev: tuple[int, int, int] = (20, 16, 16)
    finals: tuple[int, int, int] = (50, 50, 50)
    test: tuple[int, int, int] = (100, 100, 100)
    pairs: int = 50
    batch: int = 20
    strengths: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: STRENGTHS)
    ranks: tuple[int, ...] = RANKS


FULL = Plan()
QUICK = Plan(
    dev=(3, 2, 2),
    finals=(3, 2, 2),
    test=(6, 4, 4),
    pairs=12,
    strengths={"study": (2.5,), "selective": (3.0,)},
    ranks=(),
)


@dataclass(frozen=True, eq=False)
class Arm:
    """Pictures ``uint8 [N, H, W, 3]`` of some prompts in one setting, and what was measured on them."""

    images: np.ndarray
    measured: Measured


@dataclass
class Demo:
    """A running demo: its model, its folder, and the pictures made so far."""

    concept: Concept
    out: Path
    plan: Plan
    model: DiffusionModel
    progress: Callable[[int], None]
    activations: Activations | None = None
    vectors: dict[tuple[int, int], SteeringVector] = field(default_factory=dict)
    """By (k, rank)."""

    def pairs(self, name: str) -> list[Pair]:
        """The pairs of a concept that are captured."""
        return spread(load_pairs(name), self.plan.pairs)

    def captured(self, name: str) -> Activations:
        """Activations of a concept's pairs, from the file of an earlier run where it fits."""
        settings = CaptureSettings(batch=self.plan.batch // 2)
        path = self.out / f"{name}_activations.safetensors"
        return captured(self.model, self.pairs(name), settings, path, name, self.progress)

    def arm(
        self,
        prompts: list[Prompt],
        vector: SteeringVector | None = None,
        preset: str = "",
        strength: float = 0.0,
        seed: int = 0,
    ) -> Arm:
        """Prompts drawn with the same seeds, steered or not, and measured."""
        images = self._pictures(prompts, vector, preset, strength, seed)
        return Arm(images, measure(images, prompts, self.concept))

    def _pictures(
        self, prompts: list[Prompt], vector: SteeringVector | None, preset: str, strength: float, seed: int
    ) -> np.ndarray:
        """The pictures; kept on disk under a hash of everything that makes them."""
        texts = [prompt.text for prompt in prompts]
        marks = [self.model.weights_hash(), texts, seed, preset, strength]
        mark = vector.digest(thresholds=PRESETS[preset].settings.gate == "threshold") if vector else ""
        path = self.out / "pictures" / f"{digest(__version__, *marks, mark)}.npz"
        if path.is_file():
            self.progress(len(texts) * 2 * STEPS)
            with np.load(path) as stored:
                return stored["images"]
        if vector is None:
            images = self.model.generate(texts, seed=seed, batch=self.plan.batch, progress=self.progress)
        else:
            with steer(self.model, vector, strength, preset):
                images = self.model.generate(texts, seed=seed, batch=self.plan.batch, progress=self.progress)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=images)
        return images


def settings_tried(plan: Plan) -> list[Setting]:
    """Every setting of one direction compared on dev."""
    return [(preset, strength, k, 1) for preset, tried in plan.strengths.items() for strength in tried for k in plan.ks]


def further_settings(plan: Plan) -> list[Setting]:
    """The settings of several directions, compared where one is not enough."""
    return [("selective", plan.strengths["selective"][0], k, rank) for rank in plan.ranks for k in plan.ks]


def planned_rows(plan: Plan) -> int:
    """Upper bound of the UNet rows that a demo computes."""
    calibrations = plan.pairs * 2 * STEPS * (1 + len(plan.ranks))
    captures = 2 * capture_rows(plan.pairs, CaptureSettings()) + calibrations
    dev = sum(plan.dev) * (1 + len(settings_tried(plan)) + len(further_settings(plan)))
    dev += sum(plan.finals) * (1 + FINALISTS)
    targets = plan.test[0] * (1 + 1 + len(plan.ks) + 1 + 3)  # original, other seed, study, chosen, controls
    kept = sum(plan.test[1:]) * 3
    strip = STRIP * (len(STRIP_STRENGTHS) + 1)
    return captures + (dev + targets + kept + strip) * 2 * STEPS


def run_demo(
    concept: str, out: Path, plan: Plan = FULL, progress: Callable[[int], None] = lambda rows: None
) -> dict[str, Any]:
    """Run the demo; returns what ``results.json`` holds."""
    started = time.time()
    out.mkdir(parents=True, exist_ok=True)
    demo = Demo(load_concept(concept), out, plan, load_model("pocket"), progress)
    demo.activations = demo.captured(concept)
    scores = score(demo.activations)
    scores.save(out / "scores.json")
    plots.heat_map(scores, out / "heatmap.png", f"Where {concept} can be steered: D + C, {scores.mode}")
    plots.by_kind(scores, out / "kinds.png")
    demo.vectors = built(demo, scores, 1)
    table = dev_table(demo, settings_tried(plan), plan.dev)
    if plan.ranks and not any(enough(row) for row in table):
        for rank in plan.ranks:
            demo.vectors |= built(demo, scores, rank)
        table += dev_table(demo, further_settings(plan), plan.dev)
    finals = dev_table(demo, finalists(table), plan.finals)
    chosen = choose(finals)
    study_k = min((row for row in table if row["preset"] == "study"), key=lambda row: row["presence"])["k"]
    best = recommend(demo.vectors[chosen["k"], chosen["rank"]], preset=chosen["preset"], strength=chosen["strength"])
    best.save(out / f"{concept}.safetensors")
    results, pictures = test_figures(demo, chosen, study_k)
    results = {
        "concept": concept,
        "chosen": chosen,
        "n": dict(zip(ROLES, plan.test, strict=True))
        | {"dev": list(plan.dev), "finals": list(plan.finals), "pairs": plan.pairs},
        **results,
        "dev": table,
        "finals": finals,
        "seconds": round(time.time() - started, 1),
        "report": str(out / "report.html"),
    }
    write_text(out / "results.json", json.dumps(results, indent=1))
    _draw(demo, results, pictures, scores)
    return results


def draw_strengths(demo: Demo, chosen: Mapping[str, Any]) -> None:
    """The strength strip of the chosen setting, on a few target prompts spread over the test set."""
    prompts = spread(take(load_prompts(demo.concept.name, "test"), "target", demo.plan.test[0]), STRIP)
    vector = demo.vectors[chosen["k"], chosen["rank"]]
    strengths = sorted({*STRIP_STRENGTHS, chosen["strength"]})
    strip = draw_strip(
        lambda strength: demo.arm(prompts, vector, chosen["preset"], strength).images, strengths, demo.concept.judge
    )
    plots.save_picture(strip.picture(), demo.out / "strip.png")


def built(demo: Demo, scores: Scores, rank: int) -> dict[tuple[int, int], SteeringVector]:
    """Vectors of one rank by (k, rank), with gate thresholds measured once for all their sites."""
    activations = demo.activations
    assert activations is not None
    direction = "mean" if rank == 1 else "pca"
    vectors = {k: build(activations, scores, top_k=k, direction=direction, rank=rank) for k in demo.plan.ks}
    path = demo.out / f"thresholds{'' if rank == 1 else rank}.safetensors"
    negatives = [pair.negative for pair in demo.pairs(demo.concept.name)]
    settings = CaptureSettings(batch=demo.plan.batch)
    thresholds = thresholds_of(demo.model, vectors[max(vectors)], negatives, settings, path, demo.progress)
    # The best k sites of a step are among its best K > k, so the widest vector has every site.
    return {
        (k, rank): with_thresholds(vector, {site: thresholds[site] for site in vector.sites})
        for k, vector in vectors.items()
    }


def dev_table(demo: Demo, settings: list[Setting], counts: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Presence, losses and change of the pictures in each setting, on ``counts`` dev prompts of each role."""
    every = load_prompts(demo.concept.name, "dev")
    prompts = [prompt for role, n in zip(ROLES, counts, strict=True) for prompt in take(every, role, n)]
    roles = np.array([prompt.role for prompt in prompts])
    original = demo.arm(prompts, seed=10_000)
    table = []
    for preset, strength, k, rank in settings:
        steered = demo.arm(prompts, demo.vectors[k, rank], preset, strength, seed=10_000)
        loss = original.measured.kept - steered.measured.kept
        change = root_mean_square(steered.images, original.images)
        presence, losses = steered.measured.presence[roles == "target"], {role: loss[roles == role] for role in ROLES}
        table.append(setting_row((preset, strength, k, rank), presence, losses, change[roles != "target"]))
    return table


def test_figures(
    demo: Demo, chosen: dict[str, Any], study_k: int
) -> tuple[dict[str, Any], list[tuple[str, np.ndarray]]]:
    """Every figure on test prompts, and the columns of the gallery."""
    every = load_prompts(demo.concept.name, "test")
    groups = {role: take(every, role, n) for role, n in zip(ROLES, demo.plan.test, strict=True)}
    target = groups["target"]
    arms = {role: demo.arm(prompts) for role, prompts in groups.items()}
    original, base = {role: arm.measured for role, arm in arms.items()}, arms["target"].measured
    columns = [("original", arms["target"].images)]
    # Where the study preset is the chosen one, its chosen setting takes the place of its best k.
    settings = {
        "study": (demo.plan.strengths["study"][0], study_k, 1),
        chosen["preset"]: (chosen["strength"], chosen["k"], chosen["rank"]),
    }
    presets, by_preset = {}, {}
    for preset, (strength, best, rank) in settings.items():
        ks = demo.plan.ks if preset == "study" else (best,)
        by_k = {k: demo.arm(target, demo.vectors[k, rank], preset, strength) for k in ks}
        columns.append((f"{preset} {strength:g}, k={best}" + f", rank {rank}" * (rank > 1), by_k[best].images))
        by_preset[preset] = {k: arm.measured for k, arm in by_k.items()}
        presets[preset] = _preset_figures(demo, groups, original, by_preset[preset], (preset, strength, best, rank))
    study = by_preset["study"]
    results = {
        "presets": presets,
        "controls": _control_figures(demo, target, base, chosen, columns),
        "clip_change": {str(k): clip_change(m.clip_prompt, base.clip_prompt) for k, m in study.items()},
        "distance": {str(k): frechet_distance(m.features, base.features) for k, m in study.items()},
    }
    other_seed = demo.arm(target, seed=5_000).measured
    results["distance"]["other_seed"] = frechet_distance(other_seed.features, base.features)
    return results, columns


def _preset_figures(
    demo: Demo,
    groups: dict[str, list[Prompt]],
    original: dict[str, Measured],
    by_k: dict[int, Measured],
    arm: Setting,
) -> dict[str, Any]:
    preset, strength, best, rank = arm
    rest = original["target"].rest - by_k[best].rest
    figures: dict[str, Any] = {
        "strength": strength,
        "k": best,
        "rank": rank,
        "presence": {
            "original": float(original["target"].presence.mean()),
            "steered": {str(k): float(measured.presence.mean()) for k, measured in by_k.items()},
            "interval": {
                "original": asdict(estimate(original["target"].presence)),
                **{str(k): asdict(estimate(measured.presence)) for k, measured in by_k.items()},
            },
        },
        "rest_of_prompt": asdict(estimate(rest[~np.isnan(rest)])) if (~np.isnan(rest)).sum() > 1 else None,
        "scene": float(by_k[best].scene.mean()),
    }
    for role, name in (("sibling", "siblings"), ("unrelated", "unrelated")):
        steered = demo.arm(groups[role], demo.vectors[best, rank], preset, strength).measured
        loss = original[role].kept - steered.kept
        figures[name] = {
            "original": float(original[role].kept.mean()),
            "steered": {str(best): float(steered.kept.mean())},
            "loss": asdict(estimate(loss)),
            "upper_bound": upper_bound(loss),
        }
    return figures


def _control_figures(
    demo: Demo,
    target: list[Prompt],
    original: Measured,
    chosen: dict[str, Any],
    columns: list[tuple[str, np.ndarray]],
) -> dict[str, Any]:
    vector, activations = demo.vectors[chosen["k"], chosen["rank"]], demo.activations
    assert activations is not None
    vectors = {
        "sign_flip": controls.sign_flip(vector, activations),
        "isotropic": controls.isotropic(vector),
        "other_concept": controls.other_concept(vector, demo.captured(OTHER[demo.concept.name])),
    }
    figures: dict[str, Any] = {}
    for name, control in vectors.items():
        arm = demo.arm(target, control, chosen["preset"], chosen["strength"])
        columns.append((f"control {name}", arm.images))
        figures[name] = {
            "presence": asdict(estimate(arm.measured.presence)),
            "lost": asdict(estimate(original.presence - arm.measured.presence)),
        }
    return figures


def _draw(demo: Demo, results: dict[str, Any], columns: list[tuple[str, np.ndarray]], scores: Scores) -> None:
    presets = results["presets"]
    target = take(load_prompts(demo.concept.name, "test"), "target", demo.plan.test[0])
    shown = spread(range(len(target)), 10)  # not picked
    rows = [f"{target[i].text}  (seed {i})" for i in shown]
    draw_strengths(demo, results["chosen"])
    plots.gallery([(name, images[shown]) for name, images in columns], demo.out / "gallery.png", rows)
    lines = {name: {int(k): v for k, v in p["presence"]["steered"].items()} for name, p in presets.items()}
    plots.presence_by_k(lines, next(iter(presets.values()))["presence"]["original"], demo.out / "presence.png")
    write_report(demo.out / "report.html", **_report_values(demo, results, scores))


def _report_values(demo: Demo, results: dict[str, Any], scores: Scores) -> dict[str, Any]:
    presence, retention = [], []
    for preset, figures in results["presets"].items():
        intervals = figures["presence"]["interval"]
        for k in figures["presence"]["steered"]:
            arm = f"{preset} {figures['strength']:g}, k = {k}" + f", rank {figures['rank']}" * (figures["rank"] > 1)
            shown = {"original": str(Estimate(**intervals["original"])), "steered": str(Estimate(**intervals[k]))}
            presence.append({"arm": arm, "n": intervals["original"]["n"], **shown})
        for role in ("siblings", "unrelated"):
            part = figures[role]
            retention.append(
                {
                    "role": role,
                    "n": part["loss"]["n"],
                    "preset": f"{preset}, k = {figures['k']}",
                    "original": f"{part['original']:.1f}",
                    "steered": f"{part['steered'][str(figures['k'])]:.1f}",
                    "loss": str(Estimate(**part["loss"])),
                    "bound": f"{part['upper_bound']:.1f}",
                }
            )
    study = [
        {"k": k, **{name: f"{v:+.2f}" for name, v in results["clip_change"][k].items()}}
        | {"distance": f"{results['distance'][k]:.4f}"}
        for k in results["clip_change"]
    ]
    control_rows = [
        {"name": name, "presence": str(Estimate(**part["presence"])), "lost": str(Estimate(**part["lost"]))}
        for name, part in results["controls"].items()
    ]
    return {
        "concept": demo.concept.name,
        "model": demo.model.name,
        "chosen": results["chosen"],
        "setup": (
            f"{demo.plan.pairs} pairs, {len(scores.sites)} sites, {STEPS} steps (euler, normal), "
            f"guidance {usual(demo.model.family).guidance:g}, "
            f"{scores.mode} scores, mean-difference directions where the rank is 1, principal ones above, "
            f"sites chosen per step; n = {results['n']}; "
            f"activation-steering {__version__}; weights {demo.model.weights_hash()}; {results['seconds']:.0f} s."
        ),
        "presence": presence,
        "retention": retention,
        "controls": control_rows,
        "study": study,
        "floor": f"{results['distance']['other_seed']:.4f}",
        "dev": results["dev"],
        "finals": results["finals"],
        "rule": RULE,
    }
