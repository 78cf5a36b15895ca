"""What a study draws: its arms, and how many prompts each runs on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ..concepts.prompts import Prompt
from ..errors import SteeringError
from ..families import family_named
from ..interventions.presets import get_preset
from ..models.sampling import STEPS, check_sampling, rows_of
from ..sites import KINDS
from .choice import FINALISTS
from .setting import MAPS, Recipe, Setting

Counts = tuple[int, int, int]
"""Numbers of target, sibling and unrelated prompts."""
COUNTERFACTUAL = "counterfactual"
"""The arm that draws the prompts without the concept, unsteered: what is aimed at."""
CONTROLS = ("sign_flip", "isotropic", "other_concept")
STUDY = "study_"
"""How names of the source study's arms begin."""
THIRDS = {"first": (0.0, 1 / 3), "middle": (1 / 3, 2 / 3), "last": (2 / 3, 1.0)}
"""Windows of the schedule, as shares of it."""
OTHER_SEED = 1000
"""The repetition whose noise is the other seed's."""


QUESTIONS = ("cpca", "control", "zero", "negative", "floor", "kind", "window", "strength")
"""Groups of arms that a plan may ask for, beside the originals, the arms over k and the chosen one."""


@dataclass(frozen=True)
class Arm:
    """One way of drawing the prompts.

    Attributes:
        name: unique within a concept and split.
        group: the question that it belongs to.
        counts: prompts of each role.
        setting: how it is steered; None draws unsteered.
        negative: negative prompt.
        repeat: added to every prompt's number of repetition, for another seed.
        split: ``dev`` or ``test``.
        rest: whether the prompts without the concept are drawn in place of the prompts.
    """

    name: str
    group: str
    counts: Counts
    setting: Setting | None = None
    negative: str = ""
    repeat: int = 0
    split: str = "test"
    rest: bool = False

    def drawn(self, draw: str) -> Arm:
        """A control's arm with one of its draws."""
        assert self.setting is not None
        return replace(self, setting=replace(self.setting, vector=replace(self.setting.recipe, draw=draw)))

    def text(self, prompt: Prompt) -> str:
        """What is drawn of a prompt."""
        return prompt.rest or prompt.text if self.rest else prompt.text


@dataclass(frozen=True)
class Plan:
    """How much a study does; the default is all of it.

    Attributes:
        ks: numbers of sites steered per step.
        presets: the presets among which one is chosen, with the strengths tried of each.
        strengths: further strengths of the projection preset on its curve.
        ranks: numbers of directions above 1 that are tried where one is not enough.
        maps: direction and rank of maps of the text embedding, each tried at its usual strength.
        dev: dev prompts for all settings.
        finals: dev prompts for the finalists.
        test: test prompts of the main arms.
        kept: test prompts of the arms over k: all targets, and some whose content must stay.
        best: the same of the one among them that dev prompts chose; as the others if not given.
        side: test prompts of the arms that ask about kinds, windows and strengths.
        questions: of `QUESTIONS`, what else is asked on test prompts.
        draws: of each random control, which take turns over the prompts.
        pairs: pairs to capture.
        repeats: seeds a prompt.
        steps: sampling steps.
        guidance: guidance; None takes the model's usual one.
        size: side of the pictures; None takes the model's own.
        batch: pictures computed together and written together; None takes the model's usual number.
    """

    ks: tuple[int, ...] = (1, 3, 5, 8, 10)
    presets: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: MappingProxyType(
            {name: (get_preset(name).default_strength,) for name in ("projection", "casteer", "precise", "selective")}
        )
    )
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 4.0)
    ranks: tuple[int, ...] = (2, 3)
    maps: tuple[tuple[str, int], ...] = MAPS
    dev: Counts = (20, 16, 16)
    finals: Counts = (50, 50, 50)
    test: Counts = (100, 100, 100)
    kept: Counts = (100, 50, 50)
    best: Counts | None = None
    side: Counts = (50, 25, 25)
    questions: tuple[str, ...] = QUESTIONS
    draws: int = 10
    pairs: int = 50
    repeats: int = 1
    steps: int = STEPS
    guidance: float | None = None
    size: int | None = None
    batch: int | None = None

    def guidance_on(self, family: str, prompt: Prompt | None = None) -> float:
        """The guidance of a model of a family: a prompt's own, else the plan's, else the usual one."""
        asked = self.guidance if prompt is None or prompt.guidance is None else prompt.guidance
        return family_named(family).guidance if asked is None else asked

    def guided(self, family: str, prompts: Iterable[Prompt]) -> bool:
        """Whether there is classifier-free guidance, at least in some prompts."""
        return any(self.guidance_on(family, prompt) != 1 for prompt in prompts)

    def __post_init__(self) -> None:
        if not self.ks or min(self.ks) < 1 or len(set(self.ks)) < len(self.ks):
            raise SteeringError(
                f"k {','.join(map(str, self.ks))} must be different whole numbers from 1, as 1,3,5,8,10"
            )
        object.__setattr__(self, "ks", tuple(sorted(self.ks)))
        for name in self.presets:
            get_preset(name)
        if "projection" not in self.presets:
            raise SteeringError("the presets must hold projection, whose tables a study prints")
        unknown = set(self.questions) - set(QUESTIONS)
        if unknown:
            raise SteeringError(f"questions {', '.join(sorted(unknown))} are not among {', '.join(QUESTIONS)}")
        if min(self.pairs, self.repeats, self.draws) < 1:
            raise SteeringError(f"pairs {self.pairs}, repeats {self.repeats} and draws {self.draws} must be at least 1")
        check_sampling(self.steps, self.guidance, self.size)


FULL = Plan()
QUICK = Plan(
    ks=(1, 5),
    presets=MappingProxyType({name: FULL.presets[name] for name in ("projection", "selective")}),
    strengths=(1.0,),
    ranks=(),
    maps=MAPS[:1],
    draws=2,
    dev=(3, 2, 2),
    finals=(3, 2, 2),
    test=(6, 4, 4),
    kept=(6, 4, 4),
    side=(3, 2, 2),
    pairs=12,
)


def scaled(plan: Plan, prompts: int) -> Plan:
    """The plan with at most ``prompts`` test prompts of each role, and half as many in the side arms."""

    def at_most(counts: Counts, limit: int) -> Counts:
        target, sibling, unrelated = (min(count, limit) for count in counts)
        return target, sibling, unrelated

    half = max(2, prompts // 2)
    return replace(
        plan, test=at_most(plan.test, prompts), kept=at_most(plan.kept, prompts), side=at_most(plan.side, half)
    )


def all_targets(plan: Plan, prompts: Sequence[Sequence[Prompt]]) -> Plan:
    """The plan with as many target prompts in its main arms as the longest list holds."""
    most = max(sum(prompt.role == "target" for prompt in some) for some in prompts)
    return replace(plan, test=(most, *plan.test[1:]), kept=(most, *plan.kept[1:]))


def tried(plan: Plan) -> list[Setting]:
    """Every setting that is compared on dev first: those of one direction, and maps of the text embedding."""
    return [
        *(Setting.of_map(direction, rank) for direction, rank in plan.maps),
        *(
            Setting(Recipe(k), preset, strength)
            for preset, some in plan.presets.items()
            for strength in some
            for k in plan.ks
        ),
    ]


def tried_further(plan: Plan) -> list[Setting]:
    """The settings of several directions, compared where one is not enough: under the presets with a threshold."""
    gated = [preset for preset in plan.presets if needs_thresholds(preset)]
    return [
        Setting(Recipe.of_rank(k, rank), preset, plan.presets[preset][0])
        for preset in gated
        for rank in plan.ranks
        for k in plan.ks
    ]


def needs_thresholds(preset: str) -> bool:
    """Whether a preset reads gate thresholds, which are then measured."""
    return get_preset(preset).settings.gate == "threshold"


def dev_arms(settings: Sequence[Setting], counts: Counts) -> list[Arm]:
    """The arms that compare settings on dev; the first is the original, the second the counterfactual."""
    steered = [Arm(setting.name, "dev", counts, setting, split="dev") for setting in settings]
    without = Arm(COUNTERFACTUAL, "dev", (counts[0], 0, 0), split="dev", rest=True)
    return [Arm("original", "dev", counts, split="dev"), without, *steered]


def reported_arms(
    plan: Plan, text: str, chosen: Setting, study_k: int, controls: Sequence[str] = CONTROLS, guided: bool = True
) -> list[Arm]:
    """Every arm that is reported.

    Args:
        plan: how much.
        text: the concept in words, for the negative prompt.
        chosen: the setting that dev prompts chose.
        study_k: the k that dev prompts chose for the projection preset; the side arms have it.
        controls: the control vectors that can be made.
        guided: whether there is classifier-free guidance, without which a negative prompt does nothing.
    """
    strength, targets = plan.presets["projection"][0], (plan.test[0], 0, 0)
    at_best = {k: (plan.best or plan.kept) if k == study_k else plan.kept for k in plan.ks}
    side = Setting(Recipe(study_k), "projection", strength)
    every = [
        Arm("original", "original", plan.test),
        Arm(COUNTERFACTUAL, "counterfactual", targets, rest=True),
        *(Arm(f"{STUDY}k{k}", "study", at_best[k], replace(side, vector=Recipe(k))) for k in plan.ks),
        *(Arm(f"cpca_k{k}", "cpca", plan.kept, replace(side, vector=Recipe(k, "cpca"))) for k in plan.ks),
        Arm("chosen", "chosen", plan.test, chosen),
        *(
            Arm(prefix + name, "control", targets, replace(setting, vector=replace(setting.recipe, control=name)))
            for prefix, setting in {"": chosen, STUDY: side}.items()
            for name in controls
        ),
        # All targets, so that pictures are computed in the same company as the originals: to the last bit, a
        # picture depends on how many others share its batch.
        Arm("strength_0", "zero", targets, replace(chosen, strength=0.0)),
        *([Arm("negative_prompt", "negative", plan.kept, negative=text)] if guided else []),
        Arm("other_seed", "floor", plan.kept, repeat=OTHER_SEED),
        *(
            _side(plan, f"only_{kind}", "kind", side, vector=Recipe(study_k, selection=f"per-step:{kind}"))
            for kind in KINDS
        ),
        *(_side(plan, f"{third}_third", "window", side, window=window) for third, window in THIRDS.items()),
        *(_side(plan, f"study_{s:g}", "strength", side, strength=s) for s in sorted({*plan.strengths, strength})),
    ]
    return [arm for arm in every if arm.group not in QUESTIONS or arm.group in plan.questions]


def _side(plan: Plan, name: str, group: str, setting: Setting, **change: Any) -> Arm:
    return Arm(name, group, plan.side, replace(setting, **change))


def planned(plan: Plan, concepts: int, others: int, guidance: float) -> tuple[int, int, int]:
    """Upper bounds of what a study does: pictures drawn, those of them that a judge sees, UNet rows.

    Args:
        plan: how much.
        concepts: how many concepts are studied.
        others: how many more are captured as controls.
        guidance: what prompts are drawn with.
    """
    settings, further = tried(plan), tried_further(plan)
    # The original is asked for in every comparison, and drawn once.
    compared = ((settings, plan.dev), (further, plan.dev), ((settings + further)[:FINALISTS], plan.finals))
    dev = [arm for some, counts in compared if some for arm in dev_arms(some, counts)]
    reported = reported_arms(plan, "", settings[0], plan.ks[0])
    tests, devs = (concepts * plan.repeats * sum(sum(arm.counts) for arm in arms) for arms in (reported, dev))
    calibrations = (1 + len(plan.ranks)) * any(map(needs_thresholds, plan.presets))
    captures = plan.pairs * (concepts * (2 + calibrations) + 2 * others)
    return tests + devs, tests, rows_of(tests + devs + captures, plan.steps, guidance)
